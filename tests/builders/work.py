"""A whole job without USB, network or threads of its own: device, bureau, journal and archives in a folder.

Every call that the work makes of the world passes a `Tap`: there a test makes it fail, or turns the world.
The device and the bureau outlive the agent; each `run` is a new agent over the journal.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from taxagent.bureau.client import GatewayClient, GatewaySettings
from taxagent.jobs.asks import Answer, Principal, Role
from taxagent.jobs.challenges import Challenges, asked
from taxagent.jobs.latch import JournalLatch
from taxagent.jobs.runner import Patience, Runner, Tools
from taxagent.journal import JOURNAL_NAME, JournalWriter, Reader, store
from taxagent.model.device import PasswordVerdict, Statistics, TriedPassword
from taxagent.model.errors import AgentError, Interrupted, JournalError, JournalUnknown
from taxagent.model.events import (
    AgentStarted,
    AgentStopped,
    AnyEvent,
    CancelRequested,
    JobAccepted,
    StepBegun,
    StepEnded,
)
from taxagent.model.job import Confirmed, Job, JobKind, JobState, Outcome, Problem, Scope
from taxagent.model.known import KnownDevice
from taxagent.model.period import Period
from taxagent.model.value import from_json
from taxagent.model.windows import Rules
from taxagent.ports import Journal, Surroundings
from taxagent.procedures.guard import confirmed_by
from taxagent.procedures.preflight import window_end_ms
from taxagent.procedures.session import open_session, read_state
from taxagent.procedures.work import totals
from taxagent.records.clearing import ClearingRecord, clearing_record, encoded
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_challenge import Asking
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_requests import ConnectionDropped, request_of
from taxagent.simulator.bureau_state import BureauStore
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.scenario import ListedInvoice
from taxagent.simulator.state import DeviceStore, LoggedWrite, read_log
from tests.builders.company import SharedJournal
from tests.builders.scenario import (
    DEVICE_NO,
    NOON,
    OCTOBER,
    PASSWORD,
    TAXPAYER_ID,
    StillClock,
    scenario,
)
from tests.builders.tap import Death, Disk, Tap, TappedArchives, TappedJournal
from tests.builders.work_ports import ModelDevice, TappedBureau

SEPTEMBER = Period("2026-09")
_PEOPLE = "shop"
_CLERK = Principal(name=_PEOPLE, role=Role.OPERATOR)
QUESTION = "question.txt"  # in a world's folder while a bureau that forgets nothing waits for its code
CODE = "w7x9"  # what the bureau's verification code is
Hearer = Callable[[str, str, str, int, object], None]  # principal, op, key, when it was sent, the answer


class Password:
    """ports.Secrets with the one password."""

    def __init__(self, password: str | None = PASSWORD) -> None:
        self.password = password
        self.mark = ""

    def get(self, name: str) -> str | None:
        return self.password if name == f"device-{DEVICE_NO}" else None

    def given(self, name: str) -> str:
        return self.mark


class Bench:
    """The world of one job. `clock` moves when told; `tap` is where calls are made to fail."""

    def __init__(
        self, folder: Path, *, now: dt.datetime = NOON, bureau: BureauScenario | None = None, **device: Any
    ) -> None:
        self.folder = folder
        self.clock = StillClock(now)
        self.tap = Tap()
        described = scenario(**device)
        self.device = VirtualDevice(described, DeviceStore(folder / "device", DEVICE_NO), self.clock)
        self.bureau = VirtualBureau(BureauStore(folder / "bureau"), bureau or BureauScenario(), self.clock)
        self.secrets = Password()
        self.types = tuple(kind.invoice_type for kind in described.types)
        self.stopping = False
        self._writer: JournalWriter | None = None
        self.number = 1  # of the job that is worked on
        self.network: list[Exception] = []  # what becomes of the next exchanges with the bureau
        self.simulation = False
        self.rules = Rules()
        self.surroundings: Surroundings | None = None
        self.known: dict[str, KnownDevice] = {}
        self.ticket_changes: dict[str, Any] = {}  # what is wrong with the tickets that the bureau gives
        self.judge: Callable[[AnyEvent], None] = lambda _event: None  # sees each row right after its commit
        self.adapter: Callable[[], ModelDevice] = self.this_device
        self.told: Hearer = lambda _who, _op, _key, _sent_ms, _answer: None  # what clients are told
        self.company = False  # each commit of the job is one with other clients' units
        self.sharing = False  # one that is shared is under way
        self.codes: list[
            str
        ] = []  # what a person answers to the bureau's codes, in turn; then nobody answers
        self.challenges = Challenges()
        self._question = folder / QUESTION
        self.keeps_question = self._question.exists()
        if self.keeps_question:
            self.bureau.faults.challenges.ask(Asking(answer=CODE))
            self.codes = [CODE]

    @property
    def job_id(self) -> str:
        """The id of the job that is worked on."""
        return f"01JOB{self.number:021d}"

    def next_job(self) -> None:
        """Work on another job from now on."""
        self.number += 1

    # ---- what is asked for

    def accept(
        self,
        kind: JobKind = JobKind.SETTLE,
        *,
        periods: tuple[Period, ...] = (OCTOBER,),
        types: tuple[str, ...] = (),
        confirmed: bool = True,
        late: bool = False,
        taxpayer_id: str = TAXPAYER_ID,
    ) -> None:
        """Accept the job as the desk would, confirmed by a token or under the standing consent."""
        chosen = types or self.types
        scope = Scope(device_no=DEVICE_NO, taxpayer_id=taxpayer_id, types=chosen, periods=periods)
        event = JobAccepted(
            job_id=self.job_id,
            kind=kind,
            scope=scope,
            claims=tuple((group, month) for group in self._groups(chosen) for month in periods),
            principal=_PEOPLE,
            key=f"key-{self.number:016d}",
            request_sha256="00" * 32,
            late=late,
            confirmed=self._confirmed(scope) if confirmed and kind.irreversible else None,
            at_ms=self.clock.utc_ms(),
        )
        with self.journal() as journal:
            journal.append(event)

    def _groups(self, types: tuple[str, ...]) -> tuple[str, ...]:
        """Return the device's groups that these types are in."""
        return tuple(group for group in self.device.scenario.groups() if set(group.split("+")) & set(types))

    def file_return(self, *months: Period) -> None:
        """The returns of these months (October) are filed and accepted."""
        for month in months or (OCTOBER,):
            self.bureau.file_return(TAXPAYER_ID, month)

    def cancel(self) -> None:
        """Ask for the job's stop, in a transaction of its own; also in the middle of a run."""
        event = CancelRequested(job_id=self.job_id, principal=_PEOPLE, at_ms=self.clock.utc_ms())
        if self._writer is not None:
            self._writer.append(event)
            return
        with self.journal() as journal:
            journal.append(event)

    # ---- what is plugged

    def this_device(self) -> ModelDevice:
        """The device, as the driver shows it."""
        return ModelDevice(self.device, self.tap)

    def another_device(self) -> ModelDevice:
        """A device of another number in the same port."""
        described = scenario(device_no="661700000029")
        store = DeviceStore(self.folder / "another", described.device_no)
        return ModelDevice(VirtualDevice(described, store, self.clock), self.tap)

    def losing_answers(self, name: str) -> Callable[[], ModelDevice]:
        """The device, of which every answer to `name` is lost, refusals too."""
        return lambda: ModelDevice(self.device, self.tap, loses=name)

    def issue(self, *invoices: ListedInvoice) -> None:
        """Have these invoices on the device from now on, behind its own back."""
        kind = msgspec.structs.replace(self.device.scenario.types[0], invoices=invoices)
        described = msgspec.structs.replace(self.device.scenario, types=(kind,))
        store = DeviceStore(self.folder / "device", DEVICE_NO)
        memory = msgspec.structs.replace(self.device.memory, scenario_sha256=described.sha256())
        store.save(memory)
        self.device = VirtualDevice(described, store, self.clock)

    # ---- what is done

    def run(self) -> Job:
        """Run the job once, by an agent of its own, and return it as the journal then has it."""
        with self.journal() as journal, closing(Reader(self.folder / JOURNAL_NAME)) as reader:
            tools = self._tools(journal, reader)
            now_ms = self.clock.utc_ms()
            journal.append(AgentStarted(boot="boot", version="0", pid=1, simulated=False, at_ms=now_ms))
            runner = Runner(tools)
            runner.run(self.job_id, self.adapter(), _Unwatched())
            while self._code_given(tools.journal):
                runner.run(self.job_id, self.adapter(), _Unwatched())
            self._stopped(journal, self._latch)
        job = self.job()
        self.told(job.principal, "job.get", job.key, self.clock.utc_ms(), job)
        return job

    def _code_given(self, journal: Journal) -> bool:
        """Have a person answer the code that the job waits with, as the desk would; False: nobody did."""
        job = self.job()
        if not self.codes or not asked(job):
            return False
        key = f"key-of-code-{self.clock.utc_ms()}-{len(self.codes)}"  # each try is a new answer
        answer = Answer(job_id=job.job_id, challenge_id=asked(job), text=self.codes[0], key=key)
        try:
            told: Job | AgentError = journal.transact(
                lambda tx: self.challenges.answered(tx, _CLERK, answer, self.clock)
            )
            del self.codes[0]
        except JournalError as error:  # it is answered again by the next agent
            self.challenges.withdraw(_CLERK, answer)
            told = error
        self.told(_PEOPLE, "job.answer", key, self.clock.utc_ms(), told)
        return isinstance(told, Job)

    def _stopped(self, journal: JournalWriter, latch: JournalLatch) -> None:
        """Say, as the daemon does, that the agent ended in good order."""
        goodbye = AgentStopped(boot="boot", reason="drained", at_ms=self.clock.utc_ms())
        with suppress(JournalError):  # where the disk takes none, the next agent takes it for a crash
            journal.append(*latch.doubts(), goodbye)

    def run_until_killed(self) -> None:
        """Run the job by an agent that may die at any place."""
        try:
            self.run()
        except Death:
            self.tap.dead = False

    def run_to_the_end(self, at_most: int = 8) -> Job:
        """Run the job, agent after agent, as long as it neither ended nor wants a person."""
        for _ in range(at_most):
            job = self.run()
            if job.state.ended or job.state is JobState.NEEDS_HUMAN:
                return job
        msg = f"the job is still {self.job().state} after {at_most} runs: {self.job().problem}"
        raise AssertionError(msg)

    # ---- what became of it

    def job(self) -> Job:
        with closing(Reader(self.folder / JOURNAL_NAME)) as reader:
            job = reader.job(self.job_id)
        assert job is not None
        return job

    def has_job(self) -> bool:
        """Whether the job was accepted."""
        with closing(Reader(self.folder / JOURNAL_NAME)) as reader:
            return reader.job(self.job_id) is not None

    def record(self) -> ClearingRecord:
        with closing(Reader(self.folder / JOURNAL_NAME)) as reader:
            record = reader.record(self.job_id)
        assert record is not None
        return from_json(record, ClearingRecord)

    def steps(self) -> tuple[StepBegun | StepEnded, ...]:
        """Return all rows about steps, oldest first."""
        with closing(Reader(self.folder / JOURNAL_NAME)) as reader:
            rows = reader.job_events(self.job_id)
        return tuple(event for _, event in rows if isinstance(event, StepBegun | StepEnded))

    def verify_chain(self) -> None:
        """Raise JournalBroken where the chain does not hold."""
        with closing(Reader(self.folder / JOURNAL_NAME)) as reader:
            reader.verify()

    def written(self) -> list[LoggedWrite]:
        """Return what the device's own log says it executed, oldest first."""
        return [line for line in read_log(self.device.kept.log_path) if line.write.accepted]

    def writes(self) -> list[str]:
        """Return the executed writes as "kind group"; the clock ticket has no group."""
        return [f"{line.write.kind.value} {line.group}".strip() for line in self.written()]

    # ---- inside

    @contextmanager
    def journal(self) -> Iterator[JournalWriter]:
        fatal: list[Exception] = []
        writer = JournalWriter(
            self.folder / JOURNAL_NAME,
            sink=self._committed,
            on_fatal=fatal.append,
            connect=self._opened,
            measured=self._commit,
        )
        writer.start()
        self._writer = writer
        try:
            yield writer
        finally:
            self._writer = None
            writer.close()
        assert all(isinstance(error, JournalUnknown) and self.company for error in fatal), fatal

    def _opened(self, path: Path) -> sqlite3.Connection:
        self.disk = cast("Disk", store.opened(path, factory=Disk))
        return self.disk

    def _commit(self, commit: Callable[[], object]) -> None:
        if self.company and self.sharing:
            self.tap.call("COMMIT", commit)
        else:
            commit()

    def _committed(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        for _, event in rows:
            self.challenges.committed(event)
            self.judge(event)

    def _confirmed(self, scope: Scope) -> Confirmed:
        device = ModelDevice(self.device, Tap())
        hello = device.hello()
        open_session(device, hello, Password(self.device.memory.password), _NoLatch())
        state = read_state(device, hello)
        sums: tuple[Statistics, ...] = totals(device, scope.types, scope.periods)
        device.close()
        return Confirmed(
            types=confirmed_by(state, scope.types, sums), by=_PEOPLE, how="token", at_ms=self.clock.utc_ms()
        )

    def _tools(self, writer: JournalWriter, reader: Reader) -> Tools:
        made = SharedJournal(writer, self.tap, self) if self.company else TappedJournal(writer, self.tap)
        journal: Journal = made
        self.challenges = Challenges()  # an agent's own, in memory alone
        self._latch = JournalLatch(journal, reader, self.clock, after_crash=reader.crashed())
        return Tools(
            journal=journal,
            bureau=TappedBureau(self.gateway(), self.tap, self.ticket_changes),
            clock=self.clock,
            secrets=self.secrets,
            latch=self._latch,
            archives=TappedArchives(self.folder / "backups", self.tap),
            rules=self.rules,
            patience=Patience(),
            record=self._record,
            boot="boot",
            simulation=self.simulation,
            check_stop=self._check_stop,
            challenges=self.challenges,
            surroundings=self.surroundings,
            known=self.known,
            window_end_ms=lambda job: window_end_ms(job, self.clock.local(), self.rules),
        )

    def gateway(self) -> GatewayClient:
        """Return the real client; its network is the virtual bureau, and it never waits."""
        return GatewayClient(
            GatewaySettings(url="https://bureau.test", ca="-", certificate="-", key="-"),
            self.clock,
            pause=lambda _seconds: True,
            jitter=lambda: 0.0,
            transport=httpx.MockTransport(self._answered),
        )

    def _answered(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("Idempotency-Key", "")
        call = request_of(request.method, request.url.raw_path.decode(), key, request.content)
        if self.network:
            raise self.network.pop(0)
        try:
            reply = self.bureau.reply(call)
        except ConnectionDropped as dropped:
            raise httpx.ReadError("connection reset") from dropped
        self._question_kept()
        return httpx.Response(reply.status, content=reply.body)

    def _question_kept(self) -> None:
        """Have a bureau that forgets nothing keep its open question where a restart finds it."""
        if not self.keeps_question:
            return
        if self.bureau.faults.challenges.open_id:
            self._question.touch()
        else:
            self._question.unlink(missing_ok=True)

    def _check_stop(self) -> None:
        if self.stopping:
            raise Interrupted("DRAINING")

    def _record(self, job: Job, state: JobState, outcome: Outcome, problem: Problem | None) -> bytes:
        ended_ms = self.clock.utc_ms()
        record = clearing_record(job, state, outcome, problem, ended_ms=ended_ms, sim_ms=None, version="0")
        return encoded(record)


class _Unwatched:
    """runner.Thread of a run that nobody gives up."""

    def passed(self) -> None:
        return

    def stop_if_unwanted(self) -> None:
        return


class _NoLatch:
    def tried(self, device_no: str) -> tuple[TriedPassword, ...]:
        return ()

    def note(self, device_no: str, tried: TriedPassword) -> None:
        assert tried.verdict is not PasswordVerdict.REFUSED

    recall = note
