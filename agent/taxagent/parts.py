"""Builds every part of the agent from its settings. Knows no order of start and stop: that is daemon.py."""

from __future__ import annotations

import datetime as dt
import os
import platform
import secrets as random_bytes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from taxagent import __version__, logs
from taxagent.bureau.client import GatewayClient
from taxagent.config import Settings
from taxagent.configured import (
    access_of,
    consent_of,
    gateway_settings,
    known_of,
    limits_of,
    patience_of,
    rules_of,
)
from taxagent.device import drivers
from taxagent.examination import examined, gateway_of, roles
from taxagent.host.clock import HostClock
from taxagent.host.here import inhibitor
from taxagent.host.lock import Owner, take_lock
from taxagent.host.notify import Manager, Notifier
from taxagent.host.secret_files import SecretFiles, credentials
from taxagent.host.supervision import Picture, Supervision
from taxagent.host.surroundings import Surroundings
from taxagent.host.waking import Waking
from taxagent.ipc.access import Access
from taxagent.ipc.curve import has_ipc as zmq_has_ipc
from taxagent.ipc.diagnose import Diagnoser
from taxagent.ipc.doctor import device_lines
from taxagent.ipc.loop import Loop, LoopSettings
from taxagent.ipc.mailbox import Mailbox
from taxagent.ipc.readings import Answers
from taxagent.ipc.tcp import TcpDoor
from taxagent.ipc.windows import Explainer
from taxagent.jobs.asks import DeskStatus, DeviceView
from taxagent.jobs.book import Book
from taxagent.jobs.challenges import Challenges
from taxagent.jobs.desk import JobDesk
from taxagent.jobs.latch import JournalLatch
from taxagent.jobs.looks import Looks
from taxagent.jobs.office import Office
from taxagent.jobs.queue import Terms
from taxagent.jobs.roster import Roster
from taxagent.jobs.runner import Runner, Tools
from taxagent.jobs.schedule import Schedule
from taxagent.jobs.wheels import Wheels
from taxagent.journal import JOURNAL_NAME, LOG_PAGES, JournalWriter, Reader
from taxagent.metrics.service import Metrics
from taxagent.model.events import AnyEvent
from taxagent.model.filing import filing_deadline
from taxagent.model.job import Job, JobState, Outcome, Problem
from taxagent.model.lines import CheckLine
from taxagent.model.period import period_of
from taxagent.procedures.preflight import window_end_ms
from taxagent.records.archive import ZipArchives
from taxagent.records.clearing import clearing_record, encoded
from taxagent.records.page import page
from taxagent.records.verification import verified_record
from taxagent.tcp_keys import publish, tcp_settings

_LIVE_JOBS = 100_000
_HUNG = frozenset({"DEVICE_HUNG", "DEVICE_QUARANTINED"})


class Hands(Protocol):
    """What the parts call back: the agent that runs them."""

    def committed(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        """Rows are durable. The writer's thread."""

    def failed(self, error: Exception) -> None:
        """Nothing more may be committed: end the process. Any thread."""

    def identified(self, device_no: str) -> None:
        """A device was read, or its trouble is news. The loop's thread."""

    def in_office(self, call: Callable[[], None]) -> None:
        """Do `call` in the thread that may wait for the journal."""

    def drain(self, principal: str, key: str) -> None:
        """Begin to stop, on this principal's word and under this key. The loop's thread."""

    def check_stop(self) -> None:
        """Raise Interrupted where the process is to end. Any thread."""

    def pause(self, seconds: float) -> bool:
        """Wait so long, or until the process is to end; return whether it is. Any thread."""


class Parts:
    """Every part, built once. Building takes the lock and the journal first.

    Raises InstanceRunning, StateDirUnwritable, JournalRefused, or Refusal for a driver that is not there;
    nothing is left behind then.
    """

    def __init__(self, settings: Settings, hands: Hands, manager: Manager | None = None) -> None:
        self.settings = settings
        self._hands = hands
        file = settings.file
        self.simulation = settings.simulation is not None
        self.source = drivers.source(file.usb.driver, file.usb.backend)
        self.clock = HostClock(settings.simulation)
        self.boot = random_bytes.token_hex(8)
        self.lock = take_lock(settings.state_dir, self._owner())
        self.mailbox = Mailbox()
        path = settings.state_dir / JOURNAL_NAME
        self._challenges = Challenges()
        self.metrics = self._made_metrics(path)
        self.journal = JournalWriter(
            path,
            sink=self._committed,
            on_fatal=hands.failed,
            log_pages=LOG_PAGES,
            measured=self.metrics.measured,
        )
        self.reader = Reader(path)
        self.book = Book(self.reader.jobs(live=True, limit=_LIVE_JOBS))
        self.bureau = GatewayClient(gateway_settings(file), self.clock, pause=hands.pause)
        self._secrets = SecretFiles(settings.secrets_dir, credentials(os.environ))
        crashed = self.reader.crashed()
        self.latch = JournalLatch(self.journal, self.reader, self.clock, after_crash=crashed)
        self._rules = rules_of(file.windows)
        self._wheels = Wheels(
            clock=self.clock,
            timers=_LateTimers(lambda: self.loop),
            mailbox=self.mailbox,
            background=hands.in_office,
        )
        keep = file.device.hold == "always"
        self._terms = Terms(keep=keep, limits=limits_of(file), monotonic=self.clock.monotonic)
        self.roster = self._roster()
        self._tools = self._made_tools()
        self.schedule = Schedule(self.book, Runner(self._tools), self.roster, self._wheels)
        self._office = self._made_office()
        self.desk = JobDesk(self._office)
        self._access = Access(access_of(file))
        self.has_ipc = zmq_has_ipc()
        self._tcp = self._tcp_door()
        self._answers = Answers(
            explain=Explainer(self._rules, self.clock, self.settings.simulation),
            diagnose=self._diagnoser(),
            examine=self._examined,
            contact=file.support.contact,
            page=page,
            verify=lambda job_id: verified_record(job_id, self.reader),
        )
        self.loop = self._door()
        self.waking = Waking(self.clock.asleep_s, later=self.loop.call_later, woke=self._woke)
        self.manager = manager or Notifier(os.environ, os.getpid())
        self.inhibitor = inhibitor()
        self.supervision = Supervision(
            self.manager,
            language=file.agent.language,
            later=self.loop.call_later,
            ask=self._through_the_journal,
            picture=self._picture,
            inhibit=lambda: hands.in_office(self.inhibitor.take),
            allow=lambda: hands.in_office(self.inhibitor.leave),
        )

    def _committed(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        """In the writer's thread: an answer that is durable is there before its job moves."""
        kept = tuple(rows)
        for _, event in kept:
            self._challenges.committed(event)
        self._hands.committed(kept)

    def _door(self) -> Loop:
        file = self.settings.file
        return Loop(
            LoopSettings(
                endpoint=file.ipc.endpoint if self.has_ipc else "",
                boot=self.boot,
                version=__version__,
                language=file.agent.language,
            ),
            access=self._access,
            mailbox=self.mailbox,
            desk=self.desk,
            reader=self.reader,
            clock=self.clock,
            answers=self._answers,
            tcp=self._tcp,
        )

    def _tcp_door(self) -> TcpDoor | None:
        """Build the TCP door and its clients, as the journal has them; they come in before it is verified."""
        settings = tcp_settings(self.settings, has_ipc=self.has_ipc)
        if settings is None:
            return None
        door = TcpDoor(
            settings, self.mailbox.context, journal=self.journal, clock=self.clock, mailbox=self.mailbox
        )
        door.clients.read(self.reader.clients())
        return door

    def publish(self) -> None:
        """Tell clients where the TCP door is, once it is open. Raises Refusal("SECRET_STORE_UNUSABLE")."""
        if self._tcp is not None:
            publish(self.settings, self._tcp.settings, has_ipc=self.has_ipc)

    def retune(self, settings: Settings) -> None:
        """Take over what a new configuration may change under a running agent. The loop's thread.

        What runs goes on with what it began with; see retuning.FIXED for what stays as it is.
        """
        self.settings, file = settings, settings.file
        self._rules = rules_of(file.windows)
        self._access.renew(access_of(file))
        self._terms.limits = limits_of(file)
        self._tools.rules, self._tools.known = self._rules, known_of(file)
        self._tools.patience = patience_of(file)
        self._office.rules, self._office.consent = self._rules, consent_of(file)
        self._answers.explain = Explainer(self._rules, self.clock, self.settings.simulation)
        self._answers.diagnose = self._diagnoser()
        self._answers.contact = file.support.contact
        logs.set_up(file.agent.log_level)

    def _diagnoser(self) -> Diagnoser:
        contact = self.settings.file.support.contact
        return Diagnoser(self._rules, self.clock, self.settings.simulation, contact)

    def _examined(self, status: DeskStatus) -> tuple[CheckLine, ...]:
        """The doctor's probes, for which the bus is as the roster knows it: nobody opens it twice."""
        lines = examined(self.settings, lambda: status.seen, lambda: status.trouble)
        return (*lines, *device_lines(status))

    def _through_the_journal(self, call: Callable[[], None]) -> None:
        """Have the journal's writer come by, then the loop call `call`; writes nothing."""
        self.journal.transact_soon(lambda _tx: None, lambda _answer: self.mailbox.post(call))

    def _woke(self) -> None:
        """After a suspend each device is read afresh: it may be another by now, or have lost its session."""
        for view in self.roster.views():
            if view.location:
                self.roster.renew(view.location)

    def _picture(self) -> Picture:
        """What the service manager is told. The loop's thread."""
        plugged = [view for view in self.roster.views() if view.location]
        hung = sum(view.problem is not None and view.problem.fault in _HUNG for view in plugged)
        return Picture(devices=len(plugged), hung=hung, jobs=tuple(self.book.live()))

    def measure(self) -> None:
        """Give the metrics their pictures from now on. The loop's thread."""
        self.metrics.start(self._measured, self.loop.call_later)

    def _measured(self) -> tuple[tuple[DeviceView, ...], tuple[Job, ...], dt.date]:
        month = period_of(self.clock.local())
        deadline = filing_deadline(month, overrides=self._rules.overrides).deadline
        return self.roster.views(), self.book.live(), deadline

    def _made_metrics(self, journal: Path) -> Metrics:
        wanted = self.settings.file.metrics
        return Metrics(
            self.clock,
            __version__,
            journal,
            listen=wanted.listen,
            textfile=self.settings.path.parent / wanted.textfile if wanted.textfile else None,
            interval_s=wanted.interval_s,
        )

    def names_without_owner(self) -> tuple[dict[str, str], ...]:
        """Return the facts (name, role) of each configured user or group that the system does not know."""
        return tuple(line.facts for line in roles(self.settings) if line.facts.get("role"))

    def _owner(self) -> Owner:
        return Owner(
            pid=os.getpid(),
            boot=self.boot,
            started_ms=self.clock.utc_ms(),
            host=platform.node(),
            config=str(self.settings.path),
        )

    def _roster(self) -> Roster:
        return Roster(
            self.source,
            Looks(self._secrets, self.latch, simulation=self.simulation),
            self._wheels,
            self.journal,
            identified=self._hands.identified,
            terms=self._terms,
        )

    def _made_tools(self) -> Tools:
        return Tools(
            journal=self.journal,
            bureau=self.bureau,
            clock=self.clock,
            secrets=self._secrets,
            latch=self.latch,
            archives=ZipArchives(self.settings.state_dir / "backups"),
            rules=self._rules,
            patience=patience_of(self.settings.file),
            record=self._record,
            boot=self.boot,
            simulation=self.simulation,
            check_stop=self._hands.check_stop,
            challenges=self._challenges,
            surroundings=Surroundings(
                gateway_of(self.settings.file), self.settings.state_dir, self.reader, self.clock
            ),
            known=known_of(self.settings.file),
            window_end_ms=lambda job: window_end_ms(job, self.clock.local(), self._rules),
        )

    def _made_office(self) -> Office:
        return Office(
            book=self.book,
            roster=self.roster,
            journal=self.journal,
            clock=self.clock,
            mailbox=self.mailbox,
            secrets=self._secrets,
            latch=self.latch,
            rules=self._rules,
            consent=consent_of(self.settings.file),
            record=self._record,
            boot=self.boot,
            version=__version__,
            simulation=self.simulation,
            challenges=self._challenges,
            stop=self._hands.drain,
        )

    def _record(self, job: Job, state: JobState, outcome: Outcome, problem: Problem | None) -> bytes:
        return encoded(
            clearing_record(
                job,
                state,
                outcome,
                problem,
                ended_ms=self.clock.utc_ms(),
                sim_ms=self.clock.sim_ms(),
                version=__version__,
            )
        )


@dataclass(frozen=True)
class _LateTimers:
    """The loop's timers, for parts that are built before the loop."""

    loop: Callable[[], Loop]

    def call_later(self, delay_ms: int, call: Callable[[], None], /) -> object:
        return self.loop().call_later(delay_ms, call)
