"""Orders about a device itself: leave it to others, take it again, try one that hung. In the loop's thread.

An order is a row of the journal under the caller's key; what it does follows from the row (Roster.stands).
"""

from __future__ import annotations

from collections.abc import Callable

from taxagent.jobs.asks import DeviceDetails, DeviceOrder, Ordered, Principal, Role
from taxagent.jobs.book import Book
from taxagent.jobs.device_views import away, bare_view, worked_on
from taxagent.jobs.requests import fresh
from taxagent.jobs.roster import Roster
from taxagent.model.errors import AgentError, Refusal, Unavailable
from taxagent.model.events import DeviceFreed, DeviceHeld, DeviceReleased
from taxagent.model.standing import Standing
from taxagent.ports import Clock, Journal, Mailbox

_MINUTE_MS = 60_000
ROLES = {"release": Role.OPERATOR, "hold": Role.OPERATOR, "retry": Role.TECHNICIAN}
Done = Callable[[Ordered | AgentError], None]


class DeviceOrders:
    """Takes orders. A key that is known is answered with the device as it now is, before any other check."""

    def __init__(self, book: Book, roster: Roster, journal: Journal, clock: Clock, mailbox: Mailbox) -> None:
        self._book = book
        self._roster = roster
        self._journal = journal
        self._clock = clock
        self._mailbox = mailbox
        self._asked: dict[tuple[str, str], list[tuple[DeviceOrder, Done]]] = {}  # not durable yet

    def details(self, device_no: str) -> DeviceDetails:
        """Return all that is known of a device at once. Raises Refusal("DEVICE_UNKNOWN")."""
        view, standing = self._roster.view(device_no), self._roster.standings.of(device_no)
        if view is None:
            if standing == Standing(device_no=device_no):
                raise Refusal("DEVICE_UNKNOWN", device_no=device_no)
            view = away(bare_view(device_no, None, 0))
        live = tuple(job for job in self._book.live() if job.scope.device_no == device_no)
        (shown,) = worked_on((view,), live)
        here = view.location
        thing = next((one for one in self._roster.seen if here and one.location == here), None)
        return DeviceDetails(view=shown, standing=standing, thing=thing, live_jobs=live)

    def knows(self, principal: str, key: str) -> bool:
        """Return whether an order has this key, also one that is not durable yet."""
        return (principal, key) in self._asked or self._roster.standings.order(principal, key) is not None

    def order(self, principal: Principal, order: DeviceOrder, *, draining: bool, done: Done) -> None:
        """Make an order durable, do it, and answer the device as it then is."""
        asker = (principal.name, order.key)
        known = self._roster.standings.order(*asker)
        if known is not None:
            done(self._ordered(order, known, before=True))
        elif asker in self._asked:
            self._asked[asker].append((order, done))
        elif (refusal := self._refusal(principal, order, draining=draining)) is not None:
            done(refusal)
        else:
            self._asked[asker] = [(order, done)]
            event = self._event(principal, order)
            self._journal.transact_soon(
                lambda tx: tx.append(event),
                lambda result: self._mailbox.post(lambda: self._durable(asker, result)),
            )

    def _durable(self, asker: tuple[str, str], result: int | BaseException) -> None:
        """The row, where there is one, was taken before this."""
        known = self._roster.standings.order(*asker)
        for number, (order, done) in enumerate(self._asked.pop(asker)):
            if known is not None:
                done(self._ordered(order, known, before=number > 0))
            else:
                done(result if isinstance(result, AgentError) else AgentError("INTERNAL"))

    def _ordered(self, order: DeviceOrder, known: tuple[str, str], *, before: bool) -> Ordered | AgentError:
        request_sha256, device_no = known
        if request_sha256 != order.request_sha256:
            return Refusal("KEY_CONFLICT", key=order.key, device_no=device_no)
        return Ordered(details=self.details(device_no), known=before)

    def _refusal(self, principal: Principal, order: DeviceOrder, *, draining: bool) -> AgentError | None:
        """Return why not. The door asks for the role too, but lets a key through that some job has."""
        needed = ROLES[order.what]
        if not principal.role.covers(needed):
            op = f"device.{order.what}"
            return Refusal("NOT_ALLOWED", op=op, role=needed.value, found=principal.role.value)
        try:
            fresh(order, self._clock.utc_ms())
            self.details(order.device_no)
        except Refusal as refusal:
            return refusal
        return Unavailable("DRAINING") if draining else None

    def _event(self, principal: Principal, order: DeviceOrder) -> DeviceReleased | DeviceHeld | DeviceFreed:
        now = self._clock.utc_ms()
        facts = {
            "device_no": order.device_no,
            "principal": principal.name,
            "key": order.key,
            "request_sha256": order.request_sha256,
        }
        if order.what == "hold":
            return DeviceHeld(**facts, at_ms=now, sim_ms=self._clock.sim_ms())
        if order.what == "retry":
            return DeviceFreed(**facts, how="retry", at_ms=now, sim_ms=self._clock.sim_ms())
        view = self._roster.view(order.device_no)
        location = view.location if view is not None else ""
        return DeviceReleased(
            **facts,
            location=location,
            arrival=self._roster.arrival(location),
            until_ms=now + order.minutes * _MINUTE_MS if order.minutes else None,
            at_ms=now,
            sim_ms=self._clock.sim_ms(),
        )
