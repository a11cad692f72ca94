"""The composition root: builds every part of the agent, and owns the order of start and stop."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import platform
import secrets as random_bytes
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from taxagent import __version__
from taxagent.bureau.client import GatewayClient, GatewaySettings
from taxagent.config import File, Settings
from taxagent.device import drivers
from taxagent.host.clock import HostClock
from taxagent.host.lock import Owner, take_lock
from taxagent.host.secret_files import SecretFiles
from taxagent.ipc.access import Access, AccessTable
from taxagent.ipc.diagnose import Diagnoser
from taxagent.ipc.loop import Loop, LoopSettings
from taxagent.ipc.mailbox import Mailbox
from taxagent.ipc.operations import Answers
from taxagent.ipc.windows import Explainer
from taxagent.jobs.asks import Role
from taxagent.jobs.book import Book
from taxagent.jobs.desk import Consent, JobDesk, Office
from taxagent.jobs.latch import JournalLatch
from taxagent.jobs.roster import Roster
from taxagent.jobs.runner import Patience, Runner, Tools
from taxagent.jobs.schedule import Schedule
from taxagent.journal import JOURNAL_NAME, JournalWriter, Reader
from taxagent.model.errors import Interrupted, JournalError
from taxagent.model.events import AgentStarted, AgentStopped, AnyEvent, JobUnknown
from taxagent.model.job import Job, JobState, Outcome, Problem
from taxagent.model.period import Period
from taxagent.model.usb import SeenDevice
from taxagent.model.windows import Rules
from taxagent.ports import Watch
from taxagent.procedures.preflight import window_end_ms
from taxagent.records.archive import ZipArchives
from taxagent.records.clearing import clearing_record, encoded
from taxagent.records.page import page

_log = structlog.get_logger("taxagent")
_LIVE_JOBS = 100_000
_DRAIN_S = 150.0  # a device's answer to a seal or clear may take this long (watchdogs of the field: 120 s)


class Agent:
    """One running agent. `run` blocks in the main thread until SIGTERM, SIGINT or a fatal error."""

    def __init__(self, settings: Settings) -> None:
        """Take the lock and the journal, and build what stands on them.

        Raises InstanceRunning, StateDirUnwritable, JournalRefused, or Refusal for a driver that is not there;
        nothing is left behind then.
        """
        self._settings = settings
        self._source = drivers.source(settings.file.usb.driver, settings.file.usb.backend)
        self._clock = HostClock(settings.simulation)
        self._boot = random_bytes.token_hex(8)
        self._lock = take_lock(settings.state_dir, self._owner())
        self._mailbox = Mailbox()
        self._stopping = threading.Event()
        self._fatal: Exception | None = None
        self._office_thread = ThreadPoolExecutor(1, thread_name_prefix="office")
        path = settings.state_dir / JOURNAL_NAME
        self._journal = JournalWriter(path, sink=self._committed, on_fatal=self._on_fatal)
        self._reader = Reader(path)
        self._book = Book(self._reader.jobs(live=True, limit=_LIVE_JOBS))
        self._bureau = GatewayClient(_gateway(settings.file), self._clock, pause=self._stopping.wait)
        self._watch: Watch | None = None
        self._build()

    def run(self) -> int:
        """Serve; return the process's exit code: 0 after a drain, 1 after a fatal error."""
        self._loop.bind()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._mailbox.post(self._drain))
        self._journal.start()
        self._office_thread.submit(self._begin)
        self._loop.run()
        self._end()
        return 1 if self._fatal is not None else 0

    # ---- building

    def _build(self) -> None:
        settings, file = self._settings, self._settings.file
        shared = _Shared(
            secrets=SecretFiles(settings.secrets_dir, _credentials()),
            latch=JournalLatch(self._journal, self._reader, self._clock),
            rules=Rules(overrides=_overrides(file), report_until_hour=file.windows.report_until_hour),
            timers=_LateTimers(lambda: self._loop),
            simulation=settings.simulation is not None,
        )
        self._roster = Roster(
            self._source,
            shared.secrets,
            shared.latch,
            self._clock,
            self._mailbox,
            shared.timers,
            simulation=shared.simulation,
            identified=self._identified,
        )
        self._schedule = Schedule(
            self._book,
            Runner(self._tools(shared)),
            self._roster.queue_of,
            shared.timers,
            self._mailbox,
            self._clock,
            self._in_office,
        )
        self._desk = JobDesk(self._office(shared))
        self._loop = self._door(shared)

    def _tools(self, shared: _Shared) -> Tools:
        patience = self._settings.file.patience
        return Tools(
            journal=self._journal,
            bureau=self._bureau,
            clock=self._clock,
            secrets=shared.secrets,
            latch=shared.latch,
            archives=ZipArchives(self._settings.state_dir / "backups"),
            rules=shared.rules,
            patience=Patience(
                declaration_s=patience.declaration_s,
                bureau_s=patience.bureau_s,
                in_use_s=patience.in_use_s,
                most_s=patience.most_s,
            ),
            record=self._record,
            boot=self._boot,
            simulation=shared.simulation,
            check_stop=self._check_stop,
            window_end_ms=lambda job: window_end_ms(job, self._clock.local(), shared.rules),
        )

    def _office(self, shared: _Shared) -> Office:
        consent = self._settings.file.consent
        return Office(
            book=self._book,
            roster=self._roster,
            journal=self._journal,
            clock=self._clock,
            mailbox=self._mailbox,
            secrets=shared.secrets,
            latch=shared.latch,
            rules=shared.rules,
            consent=Consent(kinds=frozenset(consent.kinds), principals=frozenset(consent.principals)),
            record=self._record,
            boot=self._boot,
            version=__version__,
            simulation=shared.simulation,
        )

    def _door(self, shared: _Shared) -> Loop:
        file = self._settings.file
        access = AccessTable(
            users={name: Role(role) for name, role in file.access.users.items()},
            groups={name: Role(role) for name, role in file.access.groups.items()},
        )
        return Loop(
            LoopSettings(
                endpoint=file.ipc.endpoint,
                boot=self._boot,
                version=__version__,
                language=file.agent.language,
            ),
            access=Access(access),
            mailbox=self._mailbox,
            desk=self._desk,
            reader=self._reader,
            clock=self._clock,
            answers=Answers(
                explain=Explainer(shared.rules, self._clock),
                diagnose=Diagnoser(shared.rules, self._clock, self._settings.simulation),
                page=page,
            ),
        )

    def _owner(self) -> Owner:
        return Owner(
            pid=os.getpid(),
            boot=self._boot,
            started_ms=self._clock.utc_ms(),
            host=platform.node(),
            config=str(self._settings.path),
        )

    # ---- start: the door is open, reads are answered, writes are kept back until the chain is verified

    def _begin(self) -> None:
        try:
            verified = self._reader.verify(lambda _done, _all: self._check_stop())
            self._check_stop()
            self._journal.append(
                AgentStarted(
                    boot=self._boot,
                    version=__version__,
                    pid=os.getpid(),
                    simulated=self._settings.simulation is not None,
                    at_ms=self._clock.utc_ms(),
                    sim_ms=self._clock.sim_ms(),
                )
            )
            for job in self._book.live():
                self._interrupted(job)
            _log.info("journal_verified", rows=verified.rows, live_jobs=len(self._book.live()))
            self._watch = self._source.watch(self._bus_changed)
            self._mailbox.post(self._ready)
            self._bus_changed()
        except Interrupted:
            _log.info("start_given_up")  # SIGTERM came first
        except Exception as error:  # noqa: BLE001 - a start that fails in any way ends the process
            self._on_fatal(error)

    def _interrupted(self, job: Job) -> None:
        """A job that was left in the middle of an irreversible step is unknown until it is read."""
        if job.open_steps and job.state is JobState.RUNNING:
            self._journal.append(
                JobUnknown(
                    job_id=job.job_id,
                    problem=Problem(
                        fault="ANSWER_LOST",
                        outcome=Outcome.UNKNOWN,
                        detail={"step": str(job.open_steps[0].id)},
                    ),
                    at_ms=self._clock.utc_ms(),
                    sim_ms=self._clock.sim_ms(),
                )
            )

    def _ready(self) -> None:
        self._roster.start()
        self._schedule.recover()
        self._desk.verified()
        _log.info("ready", endpoint=self._settings.file.ipc.endpoint, boot=self._boot)

    # ---- what happens

    def _committed(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        """In the writer's thread, after each commit."""
        kept = tuple(rows)
        self._mailbox.post(lambda: self._take(kept))

    def _take(self, rows: tuple[tuple[int, AnyEvent], ...]) -> None:
        moved = {job.job_id: job for _, event in rows if (job := self._book.take(event)) is not None}
        self._loop.publish(rows)
        for job in moved.values():
            self._schedule.moved(job)
            if job.state.ended or job.state is JobState.WAITING:
                self._renew(job)

    def _renew(self, job: Job) -> None:
        """After a job, and where it waits after a write, take what it read last, or read afresh."""
        view = self._roster.view(job.scope.device_no)
        wrote_ms = max((run.ended_ms or 0 for run in job.steps if run.wrote), default=0)
        if view is None or not view.location:
            return
        if view.as_of_ms > wrote_ms and (wrote_ms or not job.state.ended):
            return
        if job.after is not None:
            self._roster.took(view.location, job.after.state)
            self._loop.device_changed(view.device_no)
        else:
            self._roster.renew(view.location)

    def _bus_changed(self) -> None:
        """In the watch's thread: look at the bus there, tell the loop what is on it."""
        seen, trouble = self._source.seen(), self._source.trouble()
        self._mailbox.post(lambda: self._bus_is(seen, trouble))

    def _bus_is(self, seen: tuple[SeenDevice, ...], trouble: Problem | None) -> None:
        if trouble is not None and trouble != self._roster.trouble:
            _log.warning("bus_unreadable", fault=trouble.fault, **trouble.detail)
        self._roster.trouble = trouble
        self._roster.changed(seen)

    def _identified(self, device_no: str) -> None:
        self._loop.device_changed(device_no)
        self._schedule.arrived(device_no)

    def _record(self, job: Job, state: JobState, outcome: Outcome, problem: Problem | None) -> bytes:
        return encoded(
            clearing_record(
                job,
                state,
                outcome,
                problem,
                ended_ms=self._clock.utc_ms(),
                sim_ms=self._clock.sim_ms(),
                version=__version__,
            )
        )

    def _in_office(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # after the drain: the journal knows what was left
            self._office_thread.submit(_logged, call)

    def _check_stop(self) -> None:
        if self._stopping.is_set():
            raise Interrupted("DRAINING")

    # ---- stop

    def _drain(self) -> None:
        """No new irreversible work; what runs ends at its next safe point, the rest stays in the journal."""
        if self._stopping.is_set():
            return
        _log.info("draining")
        self._desk.draining = True
        self._stopping.set()
        threading.Thread(target=self._wait_for_devices, name="drain", daemon=True).start()

    def _wait_for_devices(self) -> None:
        self._office_thread.shutdown(wait=True, cancel_futures=True)  # it may just be starting the watch
        if self._watch is not None:
            self._watch.stop()
        if not self._roster.close(_DRAIN_S):
            _log.warning("device_still_busy", seconds=_DRAIN_S)
        self._mailbox.post(self._loop.stop)

    def _on_fatal(self, error: Exception) -> None:
        """Any thread. The process commits nothing more and ends; the next start reads what is there."""
        _log.critical("fatal", fault=getattr(error, "fault", type(error).__name__), error=str(error))
        self._fatal = error
        self._stopping.set()
        self._mailbox.post(self._loop.stop)

    def _end(self) -> None:
        self._office_thread.shutdown(wait=True, cancel_futures=True)
        if self._fatal is None:
            with contextlib.suppress(JournalError):  # the end is what matters; its row is a courtesy
                self._goodbye()
        self._journal.close()
        self._reader.close()
        self._bureau.close()
        self._mailbox.close()
        self._lock.release()
        _log.info("stopped", boot=self._boot)

    def _goodbye(self) -> None:
        self._journal.append(
            AgentStopped(
                boot=self._boot,
                reason="drained",
                at_ms=self._clock.utc_ms(),
                sim_ms=self._clock.sim_ms(),
            )
        )


@dataclass(frozen=True)
class _Shared:
    """What several parts are built with."""

    secrets: SecretFiles
    latch: JournalLatch
    rules: Rules
    timers: _LateTimers
    simulation: bool


class _LateTimers:
    """The loop's timers, for parts that are built before the loop."""

    def __init__(self, loop: Callable[[], Loop]) -> None:
        self._loop = loop

    def call_later(self, delay_ms: int, call: Callable[[], None], /) -> object:
        return self._loop().call_later(delay_ms, call)


def _gateway(file: File) -> GatewaySettings:
    bureau = file.bureau
    return GatewaySettings(url=bureau.url, ca=bureau.ca, certificate=bureau.certificate, key=bureau.key)


def _credentials() -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None


def _overrides(file: File) -> dict[Period, dt.date]:
    return {Period(month): day for month, day in file.windows.overrides.items()}


def _logged(call: Callable[[], None]) -> None:
    try:
        call()
    except JournalError as error:
        _log.error("not_journaled", fault=error.fault)
    except Exception:  # noqa: BLE001 - the office thread outlives a defect; the log has it
        _log.exception("office_work_failed")
