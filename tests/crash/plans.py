"""How an enumerated world came about, as a value; and one agent's life in it, judged at its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from taxagent.model.job import Job, JobState, Outcome, WaitReason
from taxagent.model.value import Value
from tests.builders import judge
from tests.builders.bulk import BulkBench
from tests.builders.company import NUMBER as OFFICE
from tests.builders.driven import DrivenBench
from tests.builders.scenario import DEVICE_NO, PASSWORD
from tests.builders.tap import Tap
from tests.builders.transcript import Transcript
from tests.crash import durable
from tests.crash.cases import Case
from tests.crash.faults import FAULTS, Fault
from tests.crash.strikes import AGAIN, PUT_BACK, PUT_ON
from tests.judge import Evidence, lines, violations
from tests.judge.shapes import Told

RESTART = dt.timedelta(seconds=1)
_PAST_THE_WINDOW = dt.timedelta(days=40)
_TICK = dt.timedelta(milliseconds=1)
_WRITES = frozenset({"before seal", "before clock_ticket", "before apply_ticket", "before reading"})


class Life(Value, frozen=True, kw_only=True):
    """One agent's life in a plan: a fault at one of its points, death at another, or neither."""

    fault: str = ""
    at: int = -1
    transfer: int = -1  # of USB, instead of a point
    dies: int = -1
    journal: str = ""  # what the next agent finds in its place: "restored" from the start, or "removed"

    @property
    def troubled(self) -> bool:
        """Whether its job may end otherwise than done; what USB does is always made good."""
        return bool(self.journal) or (bool(self.fault) and not self.fault.startswith("usb_"))


class Plan(Value, frozen=True, kw_only=True):
    """A run that can be repeated: `python -m tests.crash.world --plan FILE`."""

    case: Case
    lives: tuple[Life, ...]


class Stepping(Tap):
    """A tap whose every pass takes a millisecond, so that all that happens has an order; and is watched."""

    def __init__(self, bench: DrivenBench, watch: Callable[[int, str], None]) -> None:
        super().__init__()
        self._bench = bench
        self._watch = watch

    def pass_by(self, place: str) -> None:
        self._bench.clock.now += _TICK
        self._watch(len(self.passed), place)
        super().pass_by(place)


def outlived(bench: DrivenBench, life: Life, *, troubled: bool, unseen: bool = False) -> str:
    """Run the bench's job to its end, a client looking on; return what the judge says against it, or ""."""
    transcript = Transcript(bench.folder / durable.TOLD)
    transcript.shown(bench.clock.utc_ms(), "shop", bench.job())

    def told(who: str, op: str, key: str, sent_ms: int, answer: object) -> None:
        transcript.told(transcript.asked(sent_ms, who, op, key), bench.clock.utc_ms(), answer)

    bench.told = told
    fault = FAULTS.get(life.fault)
    if fault is not None:
        fault.strike(bench, life.at)
    elif life.fault and isinstance(bench, BulkBench):
        bench.trouble.order(life.fault.removeprefix("usb_"), life.transfer)
    try:
        job = _to_the_end(bench)
        _others_to_the_end(bench)
    except AssertionError as error:
        return str(error)
    bench.clock.now += _TICK
    transcript.shown(bench.clock.utc_ms(), "shop", job)
    left_out = {"in_time"} if unseen or changed_unseen(bench, life) else set()
    if (bench.folder / PUT_ON).exists():
        left_out.add("report_declare_clear")
    said = [str(found) for found in violations(seen_of(bench)) if found.rule not in left_out]
    return "; ".join(said) or ("" if troubled else not_done(job)) or unexpected(job, fault)


def _to_the_end(bench: DrivenBench) -> Job:
    """Run the job to its end; what it waits for a person to do (a return, a password) is done then."""
    try:
        return bench.run_to_the_end()
    except AssertionError:
        job = bench.job()
        if job.wait is not None and job.wait.reason is WaitReason.DECLARATION:
            bench.file_return(*job.scope.periods)
        elif job.problem is not None and job.problem.fault.startswith("PASSWORD_"):
            bench.device.kept.set_password(PASSWORD)
            bench.secrets.mark += "anew"
        elif job.wait is not None and job.wait.reason is WaitReason.CHALLENGE:
            bench.clock.now += _PAST_THE_WINDOW  # nobody answers the bureau's code
        else:
            raise
        return bench.run_to_the_end()


def _others_to_the_end(bench: DrivenBench) -> None:
    """Run the job that another client asked for meanwhile, if one did."""
    looked_at, bench.number = bench.number, OFFICE
    if bench.company and bench.has_job():
        bench.run_to_the_end()
    bench.number = looked_at


def changed_unseen(bench: DrivenBench, life: Life) -> bool:
    """Whether a clock was changed behind the last look: after its reading of the clock, before the write."""
    fault = FAULTS.get(life.fault)
    times = (life.at, life.at + AGAIN) if fault is not None and fault.twice else (life.at,)
    return life.at >= 0 and any(_write_follows(bench.tap.passed[at:]) for at in times)


def _write_follows(passed: list[str]) -> bool:
    after = [place for place in passed if place in _WRITES or place == "before clock"]
    return bool(after) and after[0] in _WRITES


def seen_of(bench: DrivenBench) -> Evidence:
    """Return what the judge is shown of the world, what the client was told included."""
    found = judge.evidence(bench)
    found.passwords_given = {DEVICE_NO: 2 if bench.secrets.mark else 1}
    now = bench.clock.utc_ms()
    put_back = bench.folder / PUT_BACK
    before = int(put_back.read_text()) if put_back.exists() else 0
    going_on = not put_back.exists() and now >= max(row.at_ms for row in found.rows)
    found.one_clock = going_on and all(line.at_ms <= now for line in found.writes)
    told = lines(bench.folder / durable.TOLD, Told)[before:]
    found.told = tuple(line for line in told if line.sent_ms <= now)  # a clock put back orders nothing
    return found


def not_done(job: Job) -> str:
    """Return what is wrong with a job that nothing but death disturbed."""
    ended = (job.state, job.outcome)
    return "" if ended == (JobState.DONE, Outcome.EXECUTED) else f"{job.state} {job.outcome}: {job.problem}"


def unexpected(job: Job, fault: Fault | None) -> str:
    """Return how the job ended where this fault should not have ended it so."""
    if fault is None or job.state.value in fault.ends:
        return ""
    return f"{fault.name} ended it as {job.state} {job.outcome}: {job.problem}"
