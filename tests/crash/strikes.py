"""What a fault does where it strikes: each a function from the bench and the call's name to the act."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import httpx
import msgspec

from taxagent.bureau.messages import Op
from taxagent.device.refusals import MEMORY_FULL
from taxagent.model.bureau import DeclarationState
from taxagent.model.device import Statistics, WriteKind
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
)
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_faults import Act as BureauAct
from taxagent.simulator.bureau_faults import Fault as BureauFault
from taxagent.simulator.bureau_faults import Point
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_state import BureauStore
from taxagent.simulator.denial import Denied
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.durable import whole_lines
from taxagent.simulator.nonvolatile import Sent
from taxagent.simulator.state import DeviceStore
from tests.builders.driven import DrivenBench
from tests.builders.scenario import TAXPAYER_ID
from tests.builders.tap import disk_error, raising
from tests.builders.work import CODE
from tests.crash import durable
from tests.crash.stranger import Stranger

PUT_BACK = "clock-put-back.txt"  # how many lines were told before: times order nothing then
PUT_ON = "clock-put-on.txt"  # it was put on again: the bureau's, which goes with it, orders nothing either
AGAIN = 9  # points between two strikes
Strike = Callable[[DrivenBench, str], Callable[[], None]]
_OPS = {
    "status": Op.STATUS,
    "get_report": Op.REPORT_GET,
    "put_report": Op.REPORT_PUT,
    "get_declaration": Op.DECLARATION_GET,
    "get_ticket": Op.TICKET_GET,
    "put_ticket": Op.TICKET_PUT,
    "confirm": Op.CONFIRM,
}


def raises(make: Callable[[], BaseException]) -> Strike:
    return lambda _bench, _name: raising(make())


def remembers(**changes: object) -> Strike:
    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        return lambda: bench.device.kept.keep(msgspec.structs.replace(bench.device.memory, **changes))

    return strike


def clock(**shift: float) -> Strike:
    """Put the device's clock elsewhere, for good."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        return lambda: bench.device.kept.set_clock(bench.device.now() + dt.timedelta(**shift))

    return strike


def host(**shift: float) -> Strike:
    """Put every clock but the device's elsewhere: the host's jumped, the device's did not."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        def act() -> None:
            before = bench.device.now()
            _noted(bench.folder, back=dt.timedelta(**shift) < dt.timedelta())
            bench.clock.now += dt.timedelta(**shift)
            bench.device.kept.set_clock(before)

        return act

    return strike


def _noted(folder: Path, *, back: bool) -> None:
    """Note for the judge that a clock was put back, and put on again: whose times order nothing then."""
    note = folder / PUT_BACK
    if back:
        note.write_text(str(len(whole_lines(folder / durable.TOLD))))
    elif note.exists():
        (folder / PUT_ON).touch()


def all_clocks(**shift: float) -> Strike:
    """Time passes: the machine slept."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        def act() -> None:
            bench.clock.now += dt.timedelta(**shift)

        return act

    return strike


def bureau(act: BureauAct, point: Point = Point.BEFORE, **fields: object) -> Strike:
    """Order a fault of the simulated bureau for the very next call; the client meets it by HTTP."""

    def strike(bench: DrivenBench, name: str) -> Callable[[], None]:
        fault = msgspec.convert({"op": _OPS[name], "act": act, "point": point, **fields}, BureauFault)

        def order() -> None:
            bench.bureau.faults.order(fault)

        return order

    return strike


def challenge(*codes: str, kept: bool = False) -> Strike:
    """The bureau wants a verification code; a person answers with `codes` in turn, then nobody does."""

    def strike(bench: DrivenBench, name: str) -> Callable[[], None]:
        def act() -> None:
            bureau(BureauAct.CHALLENGE, answer=CODE)(bench, name)()
            bench.codes, bench.keeps_question = list(codes), kept

        return act

    return strike


def network(make: Callable[[], Exception]) -> Strike:
    """Let the next exchange with the bureau fail below HTTP."""

    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        return lambda: bench.network.append(make())

    return strike


def power_cycle(bench: DrivenBench, _name: str) -> Callable[[], None]:
    return bench.device.close


def returned(state: DeclarationState) -> Strike:
    def strike(bench: DrivenBench, _name: str) -> Callable[[], None]:
        def act() -> None:
            for month in bench.job().scope.periods:
                bench.bureau.file_return(TAXPAYER_ID, month, state)

        return act

    return strike


def another_device(bench: DrivenBench, _name: str) -> Callable[[], None]:
    def act() -> None:
        described = msgspec.structs.replace(bench.device.scenario, device_no="661700000029")
        store = DeviceStore(bench.folder / "another", described.device_no)
        bench.carried.swap(VirtualDevice(described, store, bench.clock))

    return act


def counter_lies(bench: DrivenBench, _name: str) -> Callable[[], None]:
    """From now on one invoice is missing in the device's statistics."""
    honest = bench.device.statistics

    def lying(invoice_type: str, day_from: dt.date, day_to: dt.date) -> Statistics:
        said = honest(invoice_type, day_from, day_to)
        return msgspec.structs.replace(said, positive=said.positive + 1)

    def act() -> None:
        bench.device.statistics = lying  # type: ignore[method-assign]

    return act


def tickets(**changes: object) -> Strike:
    """The tickets that the bureau gives from now on are not what they should be."""
    return lambda bench, _name: lambda: bench.ticket_changes.update(changes)


def stranger(bench: DrivenBench) -> Stranger:
    return Stranger(bench.device, bench.gateway(), bench.job().scope.periods, bench.folder)


def other_program(bench: DrivenBench, _name: str) -> Callable[[], None]:
    return lambda: stranger(bench).seals()


def other_program_clears(bench: DrivenBench, _name: str) -> Callable[[], None]:
    return lambda: stranger(bench).clears()


def forgets_reports(bench: DrivenBench, _name: str) -> Callable[[], None]:
    """The bureau has no report any more, whatever it said before."""

    def act() -> None:
        store = BureauStore(bench.folder / "bureau")
        store.save(msgspec.structs.replace(bench.bureau.memory, reports={}))
        bench.bureau = VirtualBureau(store, BureauScenario(), bench.clock)

    return act


def lost() -> AgentError:
    return AnswerLost("ANSWER_LOST")


def certificate() -> Exception:
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("certificate verify failed: unable to get local issuer")
    return error


def twice(first: Strike, second: Strike | None = None) -> Strike:
    """The one, and `AGAIN` points later the other, or the same again."""

    def strike(bench: DrivenBench, name: str) -> Callable[[], None]:
        def act() -> None:
            first(bench, name)()
            tap, inner, last = bench.tap, bench.tap.pass_by, len(bench.tap.passed) - 1 + AGAIN

            def pass_by(place: str) -> None:
                here = len(tap.passed) == last
                inner(place)
                if here:
                    (second or first)(bench, name)()

            tap.pass_by = pass_by  # type: ignore[method-assign]

        return act

    return strike


def memory_full(bench: DrivenBench, _name: str) -> Callable[[], None]:
    """The device has no room from now on: it takes no write, and its self-test says so."""
    device = bench.device

    def act() -> None:
        def full(kind: WriteKind | None) -> Callable[..., NoReturn]:
            def refuse(*given: object) -> NoReturn:
                sent = next((each for each in given if isinstance(each, Sent)), None)
                if kind is not None and sent is not None:
                    device.refuse(kind, MEMORY_FULL, sent)
                raise Denied(MEMORY_FULL)

            return refuse

        device.seal = full(WriteKind.SEAL)  # type: ignore[method-assign]
        device.seal_by_reading = full(WriteKind.SEAL)  # type: ignore[method-assign]
        device.apply_clock_ticket = full(WriteKind.CLOCK_TICKET)  # type: ignore[method-assign]
        device.apply_ticket = full(WriteKind.APPLY_TICKET)  # type: ignore[method-assign]
        device.self_test = full(None)  # type: ignore[method-assign]

    return act


def read_only(bench: DrivenBench, _name: str) -> Callable[[], None]:
    """The journal's file system is read-only until the agent is started again."""
    return lambda: setattr(bench.disk, "read_only", True)


def batch_full(bench: DrivenBench, _name: str) -> Callable[[], None]:
    """The disk takes one row of the batch that is committed next, and no other."""
    return lambda: setattr(bench.disk, "room", 1)


def io_error() -> BaseException:
    return disk_error("disk I/O error", "SQLITE_IOERR_FSYNC")
