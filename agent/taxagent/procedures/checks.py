"""The check: every line that could stand in the way, each with its fact. It writes nothing to the device.

What cannot be read is a line that says why, and the others go on. What a job would be refused for is raised
at the end, after the lines are durable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from taxagent.model.checks import made, of_error
from taxagent.model.device import DeviceInfo, DeviceState, Hello, Statistics
from taxagent.model.errors import AgentError, DeviceRefused, NeedsHuman, Refusal
from taxagent.model.job import Reading, Step
from taxagent.model.lines import CheckLine
from taxagent.procedures import checks_bureau, checks_device, checks_figures, checks_windows
from taxagent.procedures.ledger import whole
from taxagent.procedures.preflight import moment_of
from taxagent.procedures.session import greet, open_session, read_state, unregistered
from taxagent.procedures.work import Work, quirks_of

_AFTER_PASSWORD = ("registered", "training", "taxpayer", "self_test", "capacity", "clock", "uploads", "stock")


@dataclass
class _Seen:
    """What could be read of the device, and the first thing that a job would be refused for."""

    hello: Hello
    info: DeviceInfo | None = None
    state: DeviceState | None = None
    totals: tuple[Statistics, ...] = ()
    refused: AgentError | None = None
    lines: list[CheckLine] = field(default_factory=list)

    def add(self, lines: Iterable[CheckLine]) -> None:
        self.lines.extend(lines)

    def refuse(self, error: AgentError) -> None:
        self.refused = self.refused or error


def check(work: Work) -> None:
    """Look at everything and keep the lines, then the device's state where it could be read.

    Raises what a job would be refused for: a password, another taxpayer's device, one that is not registered.
    Raises Unavailable or AnswerLost where the device goes meanwhile: the check is made again.
    """
    scope = work.job.scope
    seen = _Seen(greet(work.device, scope.device_no, simulation=work.simulation))
    seen.add(checks_device.greeted(seen.hello))
    _open(work, seen)
    if seen.info is not None:
        _identity(work, seen, seen.info)
    else:
        because = seen.refused.fault if seen.refused is not None else ""
        seen.add(made(line, "NOT_ASKED", because=because) for line in _AFTER_PASSWORD)
    way = work.surroundings.way() if work.surroundings is not None else ()
    found = checks_bureau.asked(work, way)
    if seen.state is not None:
        _standing(work, seen, seen.state, found)
    seen.add(checks_bureau.lines(work, seen.state, found))
    seen.add(way)
    if work.surroundings is not None:
        seen.add(work.surroundings.place(scope.device_no))
    work.ledger.checked(tuple(seen.lines))
    if seen.refused is not None:
        raise seen.refused
    if seen.state is not None:
        _keep(work, seen, seen.state, found)


def _keep(work: Work, seen: _Seen, state: DeviceState, found: checks_bureau.Answered) -> None:
    """Keep the reading once, and end the two steps that a check has."""
    if work.job.before is None:
        problems = checks_windows.findings_of(work, state, found.error)
        work.ledger.state("before", Reading(state=state, totals=seen.totals, findings=problems))
    if not work.job.done(whole(Step.IDENTIFY)):
        work.ledger.end(whole(Step.IDENTIFY), device_no=seen.hello.device_no, firmware=seen.hello.firmware)
    if not work.job.done(whole(Step.PREFLIGHT)):
        filing = moment_of(work, state).filing
        work.ledger.end(
            whole(Step.PREFLIGHT), deadline=filing.deadline.isoformat(), source=filing.source.value
        )


def _open(work: Work, seen: _Seen) -> None:
    """Open the device and read it, as far as it lets us."""
    try:
        open_session(work.device, seen.hello, work.secrets, work.latch)
    except Refusal as refused:
        seen.add([of_error("password", refused)])
        seen.refuse(refused)
        return
    seen.add([made("password", "PASSWORD_OK", tries_left=str(seen.hello.tries_left))])
    try:
        seen.info = work.device.info()
        seen.state = read_state(work.device, seen.hello)
    except DeviceRefused as refused:
        seen.refuse(refused)


def _identity(work: Work, seen: _Seen, info: DeviceInfo) -> None:
    """Whose device it is, whether it may be used at all, and whether it finds itself in order."""
    what = unregistered(info)
    if what:
        seen.refuse(Refusal("DEVICE_UNREGISTERED", device_no=info.device_no, what=what))
    seen.add(checks_device.registration(info, seen.refused))
    wrong = checks_device.wrong_taxpayer(work, info)
    if wrong is not None:
        seen.refuse(wrong)
    seen.add(checks_device.taxpayer(info, wrong))
    seen.add(checks_device.certificate(info, work.clock.local().date()))
    seen.add(checks_device.self_test(work))
    if seen.state is None and seen.refused is not None:
        seen.add([of_error("monitor", seen.refused)])


def _standing(work: Work, seen: _Seen, state: DeviceState, found: checks_bureau.Answered) -> None:
    """Capacity, clocks, windows, uploads and figures of the types in scope."""
    try:
        quirks_of(state)
    except NeedsHuman as unknown_kind:
        seen.refuse(unknown_kind)
        seen.add([of_error("monitor", unknown_kind)])
        return
    seen.add(checks_device.capacity(work, state))
    seen.add(checks_device.clocks(work, state, found.status))
    seen.add(checks_windows.lines(work, state, found.error))
    seen.add(checks_device.uploads(work, state))
    figures = checks_figures.read(work)
    seen.totals = figures.totals
    seen.add(figures.lines)
