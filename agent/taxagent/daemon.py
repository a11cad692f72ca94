"""The running agent: owns the order of start and stop, and carries news between the parts (parts.py)."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import structlog

from taxagent import __version__
from taxagent.config import Settings
from taxagent.host.notify import Manager
from taxagent.jobs import restarting
from taxagent.jobs.standings import RESTARTED
from taxagent.model.errors import AgentError, Interrupted, JournalError
from taxagent.model.events import AgentStarted, AgentStopped, AnyEvent, DeviceFreed, DeviceHung, JobUnknown
from taxagent.model.faults import text
from taxagent.model.job import Job, JobKind, JobState, Outcome, Problem
from taxagent.model.usb import SeenDevice
from taxagent.parts import Parts
from taxagent.ports import Watch
from taxagent.retuning import on_hangup
from taxclient.protocol.built import build_types

_log = structlog.get_logger("taxagent")
_DRAIN_S = 150.0  # a device's answer to a seal or clear may take this long (watchdogs of the field: 120 s)


class Agent:
    """One running agent. `run` blocks until SIGTERM, SIGINT, `stop` or a fatal error.

    Signals reach it in the main thread alone: a Windows service runs it in another one and calls `stop`.
    """

    def __init__(self, settings: Settings, manager: Manager | None = None) -> None:
        """Take the lock and the journal, and build what stands on them; raises what `Parts` raises.

        `manager` is told how the agent stands; None is systemd, where the environment names it.
        """
        build_types()  # before there is a second thread
        self._stopping = threading.Event()
        self._fatal: Exception | None = None
        self._language = settings.file.agent.language
        self._office_thread = ThreadPoolExecutor(1, thread_name_prefix="office")
        self._drained_by = ("", "")
        self._code = 0
        self._busy = False  # a device's thread did not end in time
        self._looking = False  # whether a restart would help
        self._asked = False  # a person wants a device that hangs tried again
        self._watch: Watch | None = None
        self._parts = Parts(settings, self, manager)

    def run(self) -> int:
        """Serve; return the process's exit code: 0 after a drain, 1 after a fatal error, 71 to be restarted.

        Where a thread hangs in a USB library the process ends here: the interpreter could not.
        """
        parts = self._parts
        parts.loop.bind()
        parts.publish()
        parts.metrics.open()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda _number, _frame: parts.mailbox.post(self.drain))
            on_hangup(parts, self.in_office, self.drain)
        parts.journal.start()
        self._office_thread.submit(self._begin)
        parts.loop.run()
        self._end()
        code = 1 if self._fatal is not None else self._code
        if self._parts.roster.given_up or self._busy:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:  # a Windows service has none
                    stream.flush()
            parts.manager.ended(code)
            os._exit(code)
        return code

    def stop(self) -> None:
        """Have `run` drain and return. Any thread."""
        self._parts.mailbox.post(self.drain)

    # ---- start: the door is open, reads are answered, writes are kept back until the chain is verified

    def _begin(self) -> None:
        parts = self._parts
        try:
            verified = parts.reader.verify(self._verifying)
            self.check_stop()
            parts.journal.append(
                AgentStarted(
                    boot=parts.boot,
                    version=__version__,
                    pid=os.getpid(),
                    simulated=parts.simulation,
                    at_ms=parts.clock.utc_ms(),
                    sim_ms=parts.clock.sim_ms(),
                )
            )
            for job in parts.book.live():
                self._interrupted(job)
            for named in parts.names_without_owner():
                _log.warning("role_of_nobody", **named)
            _log.info("journal_verified", rows=verified.rows, live_jobs=len(parts.book.live()))
            rows = parts.reader.of_no_job()
            parts.mailbox.post(lambda: parts.roster.standings.read(rows))
            parts.mailbox.post(parts.metrics.earlier(parts.reader))
            self._watch = parts.source.watch(self._bus_changed)
            parts.mailbox.post(self._ready)
            self._bus_changed()
        except Interrupted:
            _log.info("start_given_up")  # SIGTERM came first
        except Exception as error:  # noqa: BLE001 - a start that fails in any way ends the process
            self.failed(error)

    def _verifying(self, done: int, of: int) -> None:
        self.check_stop()
        self._parts.supervision.verifying(done, of)

    def _interrupted(self, job: Job) -> None:
        """A job that was left in the middle of an irreversible step is unknown until it is read."""
        if job.open_steps and job.state is JobState.RUNNING:
            self._parts.journal.append(
                JobUnknown(
                    job_id=job.job_id,
                    problem=Problem(
                        fault="ANSWER_LOST",
                        outcome=Outcome.UNKNOWN,
                        detail={"step": str(job.open_steps[0].id)},
                    ),
                    at_ms=self._parts.clock.utc_ms(),
                    sim_ms=self._parts.clock.sim_ms(),
                )
            )

    def _ready(self) -> None:
        parts = self._parts
        parts.roster.start()
        parts.schedule.recover()
        parts.desk.verified()
        parts.supervision.ready()
        parts.waking.start()
        parts.measure()
        _log.info("ready", endpoint=parts.settings.file.ipc.endpoint, boot=parts.boot)

    # ---- what happens

    def committed(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        """In the writer's thread, after each commit."""
        kept = tuple(rows)
        self._parts.mailbox.post(lambda: self._take(kept))

    def _take(self, rows: tuple[tuple[int, AnyEvent], ...]) -> None:
        parts = self._parts
        moved = dict[str, Job]()
        for _, event in rows:
            job = parts.book.take(event)
            parts.metrics.take(event, job)
            if job is not None:
                moved[job.job_id] = job
        stood = {number: None for _, event in rows if (number := parts.roster.standings.take(event))}
        parts.loop.publish(rows)
        for number in stood:
            parts.roster.stands(number)
        if any(isinstance(event, DeviceHung) for _, event in rows):
            self._look_for_restart(restarting.FIRST_LOOK_MS)
        if any(isinstance(event, DeviceFreed) and event.how == "retry" for _, event in rows):
            self._asked = True
            self._look_for_restart(0)
        for job in moved.values():
            parts.schedule.moved(job)
            if job.state.ended or job.state is JobState.WAITING:
                self._renew(job)
            parts.roster.waited_for(job)
        parts.supervision.moved(moved.values())

    def _renew(self, job: Job) -> None:
        """After a job, and where it waits after a write, take what it read last, or read afresh."""
        roster = self._parts.roster
        view = roster.view(job.scope.device_no)
        wrote_ms = max((run.ended_ms or 0 for run in job.steps if run.wrote), default=0)
        if view is None or not view.location:
            return
        if view.as_of_ms > wrote_ms and (wrote_ms or not job.state.ended):
            return
        read = job.before if job.kind is JobKind.CHECK else job.after
        if read is not None:
            steps_ms = max((run.ended_ms or 0 for run in job.steps), default=job.accepted_ms)
            roster.took(view.location, read.state, steps_ms if job.kind is JobKind.CHECK else None)
            self._parts.loop.device_changed(view.device_no)
        else:
            roster.renew(view.location)

    def _bus_changed(self) -> None:
        """In the watch's thread: look at the bus there, tell the loop what is on it."""
        seen, trouble = self._parts.source.seen(), self._parts.source.trouble()
        self._parts.mailbox.post(lambda: self._bus_is(seen, trouble))

    def _bus_is(self, seen: tuple[SeenDevice, ...], trouble: Problem | None) -> None:
        roster = self._parts.roster
        if trouble is not None and trouble != roster.trouble:
            _log.warning("bus_unreadable", fault=trouble.fault, **trouble.detail)
        roster.trouble = trouble
        roster.changed(seen)
        self._parts.waking.look()
        self._parts.supervision.look()

    # ---- a device that hangs

    def _look_for_restart(self, after_ms: int) -> None:
        rule = self._parts.settings.file.device.restart_if_hung
        again = restarting.wanted(rule, os.environ, pid=os.getpid(), parent=os.getppid())
        if again and not self._looking:
            self._looking = True
            self._parts.loop.call_later(after_ms, self._restart_if_due)

    def _restart_if_due(self) -> None:
        self._looking = False
        parts = self._parts
        hanging, standings = parts.roster.hanging, parts.roster.standings
        last_ms = None if self._asked else standings.restarted_ms
        if restarting.due(hanging, parts.book.live(), last_ms, parts.clock.utc_ms()):
            _log.warning("restarting_for_hung_device", devices=list(hanging))
            self._code = restarting.EXIT
            self.drain()
        elif hanging:
            self._look_for_restart(restarting.NEXT_LOOK_MS)
        else:
            self._asked = False

    # ---- what the parts call

    def identified(self, device_no: str) -> None:
        """Tell the clients, and wake the jobs that wait for it."""
        self._parts.loop.device_changed(device_no)
        self._parts.schedule.arrived(device_no)
        self._parts.supervision.look()

    def in_office(self, call: Callable[[], None]) -> None:
        """Do `call` in the office's thread; never after the drain."""
        with contextlib.suppress(RuntimeError):  # after the drain: the journal knows what was left
            self._office_thread.submit(_logged, call)

    def check_stop(self) -> None:
        """Raise Interrupted("DRAINING") once the process is to end."""
        if self._stopping.is_set():
            raise Interrupted("DRAINING")

    def pause(self, seconds: float) -> bool:
        """Wait, but not beyond the begin of a drain; return whether there is one."""
        return self._stopping.wait(seconds)

    # ---- stop

    def drain(self, principal: str = "", key: str = "") -> None:
        """No new irreversible work; what runs ends at its next safe point, the rest stays in the journal.

        `principal` asked for it, under `key`; both are "" where a signal did.
        """
        if self._stopping.is_set():
            return
        self._drained_by = (principal, key)
        _log.info("draining", principal=principal)
        self._parts.desk.draining = True
        self._parts.loop.draining()
        self._parts.supervision.draining()
        self._stopping.set()
        threading.Thread(target=self._wait_for_devices, name="drain", daemon=True).start()

    def _wait_for_devices(self) -> None:
        self._office_thread.shutdown(wait=True, cancel_futures=True)  # it may just be starting the watch
        if self._watch is not None:
            self._watch.stop()
        if not self._parts.roster.close(_DRAIN_S):
            self._busy = True
            _log.warning("device_still_busy", seconds=_DRAIN_S)
        self._parts.mailbox.post(self._parts.loop.stop)

    def failed(self, error: Exception) -> None:
        """Any thread. The process commits nothing more and ends; the next start reads what is there."""
        self._fatal = error
        self._stopping.set()
        self._parts.mailbox.post(self._parts.loop.stop)
        known = error if isinstance(error, AgentError) else AgentError("INTERNAL", error=type(error).__name__)
        words = text(known.problem(), self._language)
        self._parts.supervision.failed(words.title)
        _log.critical("fatal", fault=known.fault, error=str(error), title=words.title, remedy=words.remedy)

    def _end(self) -> None:
        parts = self._parts
        self._office_thread.shutdown(wait=True, cancel_futures=True)
        if self._fatal is None:
            with contextlib.suppress(JournalError):  # the end is what matters; its row is a courtesy
                self._goodbye()
        parts.metrics.close()
        parts.journal.close()
        parts.reader.close()
        parts.bureau.close()
        parts.inhibitor.close()
        parts.mailbox.close()
        parts.lock.release()
        _log.info("stopped", boot=parts.boot)

    def _goodbye(self) -> None:
        parts = self._parts
        principal, key = self._drained_by
        parts.journal.append(
            *parts.latch.doubts(),
            AgentStopped(
                boot=parts.boot,
                reason=RESTARTED if self._code == restarting.EXIT else "drained",
                principal=principal,
                key=key,
                at_ms=parts.clock.utc_ms(),
                sim_ms=parts.clock.sim_ms(),
            ),
        )


def _logged(call: Callable[[], None]) -> None:
    try:
        call()
    except JournalError as error:
        _log.error("not_journaled", fault=error.fault)
    except Exception:  # noqa: BLE001 - the office thread outlives a defect; the log has it
        _log.exception("office_work_failed")
