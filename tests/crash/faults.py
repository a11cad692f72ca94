"""The faults that strike in the campaign: what each is, at which places it can show, and how it may end.

A fault strikes once. One that passes must not end a job; one that stays may, with the truth.
"""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import msgspec

from taxagent.bureau.messages import Op
from taxagent.model.bureau import DeclarationState
from taxagent.model.device import Statistics
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceAbsent,
    DeviceInUse,
    JournalFull,
    JournalUnknown,
    Refusal,
)
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_faults import Act as BureauAct
from taxagent.simulator.bureau_faults import Fault as BureauFault
from taxagent.simulator.bureau_faults import Point
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_state import BureauStore
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.state import DeviceStore
from tests.builders.driven import DrivenBench
from tests.builders.scenario import TAXPAYER_ID, clear_ticket
from tests.builders.tap import raising
from tests.builders.work import CODE
from tests.crash.stranger import Stranger

DEVICE_CALLS = frozenset(
    {"hello", "open", "info", "clock", "monitor", "stock", "statistics", "invoices", "seal", "reading"}
    | {"read_summary", "clock_ticket", "apply_ticket", "last_writes"}
)
BUREAU_CALLS = frozenset(
    {"status", "get_report", "put_report", "get_declaration", "get_ticket", "put_ticket", "confirm"}
)
_OPS = {
    "status": Op.STATUS,
    "get_report": Op.REPORT_GET,
    "put_report": Op.REPORT_PUT,
    "get_declaration": Op.DECLARATION_GET,
    "get_ticket": Op.TICKET_GET,
    "put_ticket": Op.TICKET_PUT,
    "confirm": Op.CONFIRM,
}
_TICKET = frozenset({"put_ticket"})
_FOREIGN = clear_ticket(device_no="661700000029")
_STALE = clear_ticket(serial=0)
PASSES = frozenset({"done"})
STAYS = frozenset({"done", "refused", "needs_human"})
Strike = Callable[[DrivenBench, str], Callable[[], None]]


@dataclass(frozen=True)
class Fault:
    """A fault. `places` are the calls at which it can show, `when` whether before or after them."""

    name: str
    when: str  # "before" | "after"
    places: frozenset[str]
    act: Strike  # from the bench and the call's name to what happens there
    ends: frozenset[str] = PASSES

    def shows_at(self, place: str) -> bool:
        """Return whether the fault can show at that point of a run."""
        when, _, name = place.partition(" ")
        return when == self.when and name in self.places

    def strike(self, bench: DrivenBench, number: int) -> None:
        """Let it strike at the point of that number."""
        tap, inner = bench.tap, bench.tap.pass_by

        def pass_by(place: str) -> None:
            here = len(tap.passed) == number
            inner(place)
            if here:
                self.act(bench, place.partition(" ")[2])()

        tap.pass_by = pass_by  # type: ignore[method-assign]


def _raises(make: Callable[[], BaseException]) -> Strike:
    return lambda _bench, _name: raising(make())


def _remembers(**changes: object) -> Strike:
    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        return lambda: bench.device.kept.keep(msgspec.structs.replace(bench.device.memory, **changes))

    return strike


def _clock(**shift: float) -> Strike:
    """Put the device's clock elsewhere, for good."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        return lambda: bench.device.kept.set_clock(bench.device.now() + dt.timedelta(**shift))

    return strike


def _host(**shift: float) -> Strike:
    """Put every clock but the device's elsewhere: the host's jumped, the device's did not."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        def act() -> None:
            before = bench.device.now()
            bench.clock.now += dt.timedelta(**shift)
            bench.device.kept.set_clock(before)

        return act

    return strike


def _all_clocks(**shift: float) -> Strike:
    """Time passes: the machine slept."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        def act() -> None:
            bench.clock.now += dt.timedelta(**shift)

        return act

    return strike


def _bureau(act: BureauAct, point: Point = Point.BEFORE, **fields: object) -> Strike:
    """Order a fault of the simulated bureau for the very next call; the client meets it by HTTP."""

    def strike(bench: DrivenBench, name: str) -> Callable[[], None]:
        fault = msgspec.convert({"op": _OPS[name], "act": act, "point": point, **fields}, BureauFault)

        def order() -> None:
            bench.bureau.faults.order(fault)

        return order

    return strike


def _challenge(*codes: str, kept: bool = False) -> Strike:
    """The bureau wants a verification code; a person answers with `codes` in turn, then nobody does."""

    def strike(bench: DrivenBench, name: str) -> Callable[[], None]:
        def act() -> None:
            _bureau(BureauAct.CHALLENGE, answer=CODE)(bench, name)()
            bench.codes, bench.keeps_question = list(codes), kept

        return act

    return strike


def _network(make: Callable[[], Exception]) -> Strike:
    """Let the next exchange with the bureau fail below HTTP."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        return lambda: bench.network.append(make())

    return strike


def _power_cycle(bench: DrivenBench, _name: str) -> Callable[[], None]:
    return bench.device.close


def _returned(state: DeclarationState) -> Strike:
    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        def act() -> None:
            for month in bench.job().scope.periods:
                bench.bureau.file_return(TAXPAYER_ID, month, state)

        return act

    return strike


def _another_device(bench: DrivenBench, _name: str) -> Callable[[], None]:
    def act() -> None:
        described = msgspec.structs.replace(bench.device.scenario, device_no="661700000029")
        store = DeviceStore(bench.folder / "another", described.device_no)
        bench.carried.swap(VirtualDevice(described, store, bench.clock))

    return act


def _counter_lies(bench: DrivenBench, _name: str) -> Callable[[], None]:
    """From now on one invoice is missing in the device's statistics."""
    honest = bench.device.statistics

    def lying(invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        said = honest(invoice_type, day_from, day_to)
        return msgspec.structs.replace(said, positive=said.positive + 1)

    def act() -> None:
        bench.device.statistics = lying  # type: ignore[method-assign]

    return act


def _tickets(**changes: object) -> Strike:
    """The tickets that the bureau gives from now on are not what they should be."""
    return lambda bench, _name: lambda: bench.ticket_changes.update(changes)


def _stranger(bench: DrivenBench) -> Stranger:
    return Stranger(bench.device, bench.gateway(), bench.job().scope.periods, bench.folder)


def _other_program(bench: DrivenBench, _name: str) -> Callable[[], None]:
    return lambda: _stranger(bench).seals()


def _other_program_clears(bench: DrivenBench, _name: str) -> Callable[[], None]:
    return lambda: _stranger(bench).clears()


def _forgets_reports(bench: DrivenBench, _name: str) -> Callable[[], None]:
    """The bureau has no report any more, whatever it said before."""

    def act() -> None:
        store = BureauStore(bench.folder / "bureau")
        store.save(msgspec.structs.replace(bench.bureau.memory, reports={}))
        bench.bureau = VirtualBureau(store, BureauScenario(), bench.clock)

    return act


def _lost() -> AgentError:
    return AnswerLost("ANSWER_LOST")


def _certificate() -> Exception:
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("certificate verify failed: unable to get local issuer")
    return error


_LIST = (
    # ---- the device, as the driver tells it
    Fault("absent", "before", DEVICE_CALLS, _raises(lambda: DeviceAbsent("DEVICE_ABSENT"))),
    Fault("mute", "before", DEVICE_CALLS, _raises(lambda: DeviceAbsent("DEVICE_MUTE"))),
    Fault("busy", "before", DEVICE_CALLS, _raises(lambda: DeviceInUse("DEVICE_BUSY"))),
    Fault("lost_unsent", "before", DEVICE_CALLS, _raises(_lost)),
    Fault("lost", "after", DEVICE_CALLS, _raises(_lost)),
    Fault("power_cycle", "before", DEVICE_CALLS, _power_cycle),
    Fault("power_cycle_after", "after", DEVICE_CALLS, _power_cycle),
    Fault("clock_ahead", "before", DEVICE_CALLS, _clock(hours=13), STAYS),
    Fault("clock_behind", "before", DEVICE_CALLS, _clock(hours=-13), STAYS),
    Fault("clock_dead", "before", DEVICE_CALLS, _clock(days=-9000), STAYS),
    Fault("clock_next_month", "before", DEVICE_CALLS, _clock(days=31), STAYS),
    Fault("clock_last_month", "before", DEVICE_CALLS, _clock(days=-31), STAYS),
    Fault("password_changed", "before", DEVICE_CALLS, _remembers(password="12345678"), STAYS),
    Fault("password_blocked", "before", DEVICE_CALLS, _remembers(tries_left=0), STAYS),
    Fault("sealed_by_another", "before", DEVICE_CALLS, _other_program, STAYS),
    Fault("cleared_by_another", "before", DEVICE_CALLS, _other_program_clears, STAYS),
    Fault("another_device", "before", DEVICE_CALLS, _another_device),
    Fault("counter_lies", "before", DEVICE_CALLS, _counter_lies, STAYS),
    # ---- the bureau, through the real client
    Fault("refused_connection", "before", BUREAU_CALLS, _network(lambda: httpx.ConnectError("refused"))),
    Fault("too_slow", "before", BUREAU_CALLS, _network(lambda: httpx.ReadTimeout("too slow"))),
    Fault("wrong_certificate", "before", BUREAU_CALLS, _network(_certificate), STAYS),
    Fault("reset_before", "before", BUREAU_CALLS, _bureau(BureauAct.DROP)),
    Fault("reset_after", "before", BUREAU_CALLS, _bureau(BureauAct.DROP, Point.AFTER)),
    Fault("too_many", "before", BUREAU_CALLS, _bureau(BureauAct.BUSY, status=429, retry_after_s=1.0)),
    Fault("unavailable", "before", BUREAU_CALLS, _bureau(BureauAct.BUSY, status=503)),
    Fault("maintenance", "before", BUREAU_CALLS, _bureau(BureauAct.MAINTENANCE, retry_after_s=60.0)),
    Fault("garbled", "before", BUREAU_CALLS, _bureau(BureauAct.GARBLE, Point.AFTER), STAYS),
    Fault("bureau_says_no", "before", BUREAU_CALLS, _bureau(BureauAct.REFUSE, code="DEVICE_UNKNOWN"), STAYS),
    Fault("challenge", "before", BUREAU_CALLS, _challenge(CODE)),
    Fault("challenge_wrong", "before", BUREAU_CALLS, _challenge("wrong", CODE)),
    Fault("challenge_kept", "before", BUREAU_CALLS, _challenge(CODE, kept=True)),
    Fault("challenge_unanswered", "before", BUREAU_CALLS, _challenge(), STAYS | {"expired"}),
    Fault("withdrawn", "before", BUREAU_CALLS, _returned(DeclarationState.MISSING), STAYS | {"waiting"}),
    Fault("mismatch", "before", BUREAU_CALLS, _returned(DeclarationState.MISMATCH), STAYS | {"waiting"}),
    Fault("ticket_garbled", "before", _TICKET, _tickets(clear_ticket=b"no ticket"), STAYS),
    Fault("ticket_foreign", "before", _TICKET, _tickets(clear_ticket=_FOREIGN), STAYS),
    Fault("ticket_stale", "before", _TICKET, _tickets(clear_ticket=_STALE), STAYS),
    Fault("ticket_too_early", "before", _TICKET, _tickets(deadline=dt.date(2026, 11, 1)), STAYS),
    Fault("reports_forgotten", "before", BUREAU_CALLS, _forgets_reports, STAYS),
    # ---- the host
    Fault("disk_full", "before", frozenset({"commit"}), _raises(lambda: JournalFull("JOURNAL_FULL"))),
    Fault("fsync", "after", frozenset({"commit"}), _raises(lambda: JournalUnknown("JOURNAL_UNKNOWN"))),
    Fault("fsync_lost", "before", frozenset({"commit"}), _raises(lambda: JournalUnknown("JOURNAL_UNKNOWN"))),
    Fault(
        "no_room_for_backup",
        "before",
        frozenset({"archive"}),
        _raises(lambda: Refusal("BACKUP_FAILED")),
        STAYS,
    ),
    Fault("host_ahead", "before", DEVICE_CALLS | {"commit"}, _host(hours=13), STAYS | {"expired"}),
    Fault("host_behind", "before", DEVICE_CALLS | {"commit"}, _host(hours=-13), STAYS),
    Fault("host_next_year", "before", DEVICE_CALLS | {"commit"}, _host(days=400), STAYS | {"expired"}),
    Fault("host_last_year", "before", DEVICE_CALLS | {"commit"}, _host(days=-400), STAYS),
    Fault("suspended_an_hour", "before", DEVICE_CALLS | {"commit"}, _all_clocks(hours=1)),
    Fault("month_turns", "before", DEVICE_CALLS | {"commit"}, _all_clocks(days=28), STAYS | {"expired"}),
)
FAULTS = {fault.name: fault for fault in _LIST}
