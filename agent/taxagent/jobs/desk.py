"""The desk: what is asked for is checked, made durable, and only then accepted. Lives in the loop's thread.

The decision to accept is taken inside the journal's writer, in this order: known key, age of the request,
state of the agent, token or consent, claims; so two equal requests can never both be new.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import msgspec
from ulid import ULID

from taxagent.jobs.asks import (
    Accepted,
    Answer,
    Ask,
    DeskStatus,
    DeviceDetails,
    DeviceOrder,
    Drained,
    FoundInvoice,
    InvoiceAsk,
    Ordered,
    Picture,
    Prepared,
    Principal,
)
from taxagent.jobs.device_orders import DeviceOrders
from taxagent.jobs.device_readings import WAITING, DeviceReadings
from taxagent.jobs.device_views import worked_on
from taxagent.jobs.finding import wanted
from taxagent.jobs.office import Office
from taxagent.jobs.queue import DeviceQueue
from taxagent.jobs.reading import found, prepared
from taxagent.jobs.requests import allowed, fresh, known_job, redeemable, unused
from taxagent.jobs.scoping import claims_of, pinned, state_of
from taxagent.jobs.stuck import closed, resumed
from taxagent.model.device import DeviceState
from taxagent.model.errors import AgentError, Refusal, Unavailable
from taxagent.model.events import CancelRequested, JobAccepted, accepted
from taxagent.model.job import Confirmed, Job, JobState
from taxagent.ports import Device, JournalTx

T = TypeVar("T")


class JobDesk:
    """jobs.asks.Desk over the journal. While `verifying`, what would write is kept back and then done."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._started_ms = office.clock.utc_ms()
        self._kept_back: list[Callable[[], None]] = []
        self._readings_kept = Counter[type[Ask | InvoiceAsk]]()  # of them, so many are readings
        self._readings = DeviceReadings(office, self._answer)
        self._ready: DeskStatus | None = None
        self._ready_key: tuple[object, ...] = ()
        self._ready_until_ms = 0
        self._orders = DeviceOrders(office.book, office.roster, office.journal, office.clock, office.mailbox)
        self._drains = set[tuple[str, str]]()  # by whom, and under which key, this start was told to stop
        self.verifying = True
        self.draining = False

    def verified(self) -> None:
        """The journal's chain is whole: what was kept back is done now."""
        self.verifying = False
        kept, self._kept_back = self._kept_back, []
        self._readings_kept.clear()
        for call in kept:
            self._office.mailbox.post(call)  # one that fails takes no other with it

    def status(self) -> DeskStatus:
        """Return what is known at once, from memory: the same value as long as nothing has changed."""
        office = self._office
        office.roster.glance()
        key = (
            office.book.changes,
            office.roster.changes,
            office.roster.trouble,
            self.verifying,
            self.draining,
        )
        if self._ready is None or key != self._ready_key or office.clock.utc_ms() >= self._ready_until_ms:
            self._ready, self._ready_key = self._status(), key
            self._ready_until_ms = office.roster.stale_ms()
        return self._ready

    def _status(self) -> DeskStatus:
        office = self._office
        live = office.book.live()
        return DeskStatus(
            boot=office.boot,
            version=office.version,
            started_ms=self._started_ms,
            simulated=office.simulation,
            verifying=self.verifying,
            draining=self.draining,
            devices=worked_on(office.roster.views(), live),
            seen=office.roster.seen,
            live_jobs=live,
            trouble=office.roster.trouble,
        )

    def live(self, job_id: str) -> Job | None:
        """Return a job from memory."""
        return self._office.book.get(job_id)

    def accept(self, principal: Principal, ask: Ask, done: Callable[[Accepted | AgentError], None]) -> None:
        """Accept a job under its key; `done` gets it once it is durable, or the refusal."""
        if self.verifying:
            self._kept_back.append(lambda: self.accept(principal, ask, done))
            return
        view = self._office.roster.view(ask.device_no)
        if view is not None and view.state is None and view.location:
            self._office.roster.renew(view.location)  # a password may have been set since; the next one knows
        host_now = self._office.clock.local().replace(tzinfo=None)
        draining = self.draining
        now_ms = self._office.clock.utc_ms()

        def decide(tx: JournalTx) -> Accepted:
            known = tx.job_by_key(principal.name, ask.key)
            if known is not None:
                return known_job(known, ask)
            unused(tx, principal, ask)
            allowed(principal, ask)
            fresh(ask, now_ms)
            if draining:
                raise Unavailable("DRAINING")
            event = self._accepted(tx, principal, ask, state_of(view, ask.device_no, now_ms, host_now))
            tx.append(event)
            return Accepted(job=accepted(event), known=False)

        self._office.journal.transact_soon(decide, lambda result: self._answer(result, done))

    def prepare(self, principal: Principal, ask: Ask, done: Callable[[Prepared | AgentError], None]) -> None:
        """Read the device in its own thread, and give a token for what it shows."""
        self._at_device(ask, lambda device, at: prepared(self._office, principal, ask, device, at), done)

    def invoice(self, ask: InvoiceAsk, done: Callable[[FoundInvoice | AgentError], None]) -> None:
        """Look an invoice up in the device's own thread; what cannot be on a device is refused at once."""
        try:
            looked_for = wanted(ask)
        except Refusal as refusal:
            done(refusal)
            return
        self._at_device(ask, lambda device, at: found(self._office, looked_for, ask, device, at), done)

    def _at_device(
        self,
        ask: Ask | InvoiceAsk,
        read: Callable[[Device, DeviceQueue], T],
        done: Callable[[T | AgentError], None],
    ) -> None:
        """Answer what `read` returns; it is called with the device and its queue, in the device's thread."""
        if self.draining:
            done(Unavailable("DRAINING", device_no=ask.device_no))
        elif not self.verifying:
            self._readings.ask(ask, read, done)
        elif self._readings_kept[type(ask)] >= WAITING:
            done(Unavailable("VERIFYING"))
        else:
            self._readings_kept[type(ask)] += 1
            self._kept_back.append(lambda: self._at_device(ask, read, done))

    def cancel(self, principal: Principal, job_id: str, done: Callable[[Job | AgentError], None]) -> None:
        """Ask a job to stop before its next irreversible step; one that waits stops at once."""
        if self.verifying:
            self._kept_back.append(lambda: self.cancel(principal, job_id, done))
            return
        at_ms, sim_ms = self._office.clock.utc_ms(), self._office.clock.sim_ms()

        def decide(tx: JournalTx) -> Job:
            job = tx.job(job_id)
            if job is None:
                raise Refusal("JOB_UNKNOWN", job_id=job_id)
            if job.state.ended or job.cancel_requested:
                return job
            if job.state is JobState.NEEDS_HUMAN:
                raise Refusal("JOB_NEEDS_HUMAN", job_id=job_id)
            tx.append(CancelRequested(job_id=job_id, principal=principal.name, at_ms=at_ms, sim_ms=sim_ms))
            return msgspec.structs.replace(job, cancel_requested=True)

        self._office.journal.transact_soon(decide, lambda result: self._answer(result, done))

    def resume(self, principal: Principal, job_id: str, done: Callable[[Job | AgentError], None]) -> None:
        """Let a job that needed a person go on."""
        clock = self._office.clock
        self._decide(lambda tx: resumed(tx, principal, job_id, clock), done)

    def close(
        self, principal: Principal, job_id: str, reason: str, done: Callable[[Job | AgentError], None]
    ) -> None:
        """End a job that needed a person as it stands; its claims are free then."""
        office = self._office
        job = office.book.get(job_id)
        away = job is not None and office.roster.queue_of(job.scope.device_no) is None
        self._decide(
            lambda tx: closed(tx, principal, job_id, reason, office.clock, office.record, away=away), done
        )

    def answer(self, principal: Principal, answer: Answer, done: Callable[[Job | AgentError], None]) -> None:
        """Note the answer, and let the job go on with it."""
        office, draining = self._office, self.draining

        def told(result: Job | AgentError) -> None:
            if isinstance(result, AgentError):
                office.challenges.withdraw(principal, answer)
            done(result)

        def decide(tx: JournalTx) -> Job:
            return office.challenges.answered(tx, principal, answer, office.clock, draining=draining)

        self._decide(decide, told)

    def picture(self, job: Job) -> Picture | None:
        """Return the picture of the question that the job waits with."""
        return self._office.challenges.picture(job)

    def device(self, device_no: str) -> DeviceDetails:
        """Return a device from memory. Raises Refusal("DEVICE_UNKNOWN"); Unavailable while verifying."""
        if self.verifying:
            raise Unavailable("VERIFYING")  # what is remembered of devices is not read yet
        self._office.roster.glance()
        return self._orders.details(device_no)

    def order(
        self, principal: Principal, order: DeviceOrder, done: Callable[[Ordered | AgentError], None]
    ) -> None:
        """Leave a device to others, use it again, or try it again."""
        if self.verifying:
            self._kept_back.append(lambda: self.order(principal, order, done))
        else:
            self._orders.order(principal, order, draining=self.draining, done=done)

    def knows_order(self, principal: str, key: str) -> bool | None:
        """Return whether an order has this key; None while that is not read yet."""
        return None if self.verifying else self._orders.knows(principal, key)

    def drain(
        self, principal: Principal, boot: str, key: str, done: Callable[[Drained | AgentError], None]
    ) -> None:
        """Stop the agent; again for one that stops already: it answers what is left."""
        office = self._office
        if boot != office.boot:
            done(Refusal("BOOT_OVER", expected=boot, found=office.boot))
            return
        self._drains.add((principal.name, key))
        office.stop(principal.name, key)
        live = office.book.live()
        running = tuple(job for job in live if job.state is JobState.RUNNING)
        done(Drained(running=running, left=len(live) - len(running)))

    def knows_drain(self, principal: str, boot: str, key: str) -> bool | None:
        """Return whether this start was told to stop under this key; None of another start."""
        return (principal, key) in self._drains if boot == self._office.boot else None

    def _decide(self, decide: Callable[[JournalTx], Job], done: Callable[[Job | AgentError], None]) -> None:
        if self.verifying:
            self._kept_back.append(lambda: self._decide(decide, done))
        else:
            self._office.journal.transact_soon(decide, lambda result: self._answer(result, done))

    def _answer(self, result: object, done: Callable[..., None]) -> None:
        """Give an answer in the loop's thread; an error that is none of ours becomes INTERNAL."""
        if isinstance(result, BaseException) and not isinstance(result, AgentError):
            result = AgentError("INTERNAL", error=type(result).__name__)
        self._office.mailbox.post(lambda: done(result))

    def _accepted(self, tx: JournalTx, principal: Principal, ask: Ask, state: DeviceState) -> JobAccepted:
        office = self._office
        token_sha256, confirmed, scope = "", None, None
        if ask.kind.irreversible:
            if ask.token:
                token_sha256 = hashlib.sha256(ask.token.encode()).hexdigest()
                issued = redeemable(tx, token_sha256, principal, ask, office.clock.utc_ms())
                scope, confirmed = issued.scope, issued.confirmed
            elif not office.consent.covers(principal.name, ask.kind):
                raise Refusal("TOKEN_NEEDED", kind=ask.kind.value)
            else:
                at_ms = office.clock.utc_ms()
                confirmed = Confirmed(types=(), by=principal.name, how="consent", at_ms=at_ms)
        scope = scope or pinned(ask, state)  # what was confirmed is newer than the snapshot
        claims = claims_of(ask.kind, scope, state)
        for group, month in claims:
            holder = tx.claimed_by(scope.device_no, group, month)
            if holder is not None:
                raise Refusal("JOB_IN_PROGRESS", job_id=holder, group=group, period=month)
        return JobAccepted(
            job_id=str(ULID()),
            kind=ask.kind,
            scope=scope,
            claims=claims,
            principal=principal.name,
            key=ask.key,
            request_sha256=ask.request_sha256,
            ref=ask.ref,
            late=ask.late,
            token_sha256=token_sha256,
            confirmed=confirmed,
            at_ms=office.clock.utc_ms(),
            sim_ms=office.clock.sim_ms(),
        )
