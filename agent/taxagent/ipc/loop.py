"""The agent's loop: one ROUTER, blocking; every request, wake-up, timer and event passes here.

It answers from memory, hands writes to the desk and disk reads to a thread, and waits for nothing itself.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable, Iterable

import structlog
import zmq

from taxagent.ipc.access import Access
from taxagent.ipc.admission import Admission, Arrival
from taxagent.ipc.calls import Call, Malformed, error_reply, read_call
from taxagent.ipc.client_ops import ClientOps
from taxagent.ipc.endpoint import events_endpoint
from taxagent.ipc.errands import Errands
from taxagent.ipc.gate import Buckets, KeysInFlight, Rate
from taxagent.ipc.listening import Listening
from taxagent.ipc.mailbox import Mailbox
from taxagent.ipc.notices import notice
from taxagent.ipc.operations import Operations
from taxagent.ipc.pace import Pace
from taxagent.ipc.readings import Answers, Readings
from taxagent.ipc.signals import SignalBell
from taxagent.ipc.tcp import TcpDoor
from taxagent.ipc.timers import Timer, Timers
from taxagent.ipc.views import error_body, lang_of
from taxagent.ipc.waits import Waits
from taxagent.jobs.asks import Desk
from taxagent.model.events import AnyEvent, JobEvent
from taxagent.model.faults import Lang
from taxagent.model.value import Value
from taxagent.ports import Clock, JournalReader
from taxclient.protocol import messages as m
from taxclient.protocol import wire

_ITEMS = 4  # posted work of one turn: a question waits for no more, though 256 accepts became durable at once
_SWITCH_S = 0.0001  # so soon another thread gives the interpreter up: the loop asks for it at each frame
_COLLECTIONS = (20_000, 20, 20)  # a request leaves no cycles: the usual 700 cost it a quarter of its time
_START_S = 30.0  # the journal's last row must be readable within this time

_log = structlog.get_logger("ipc")


class LoopSettings(Value, frozen=True, kw_only=True):
    """What the loop is told. `boot` is new at each start; `endpoint` is ipc:// and an absolute path."""

    endpoint: str
    boot: str
    version: str
    language: Lang = "zh"
    rate: Rate = Rate()


class Loop:
    """Serves TCA/1 at one endpoint, and by TCP where there is that door, until `stop`.

    Made and run in the main thread. `answers` are asked in a thread. Other threads reach the loop through
    `mailbox.post`; all methods but `bind` and `run` are for the loop's own thread.
    """

    def __init__(
        self,
        settings: LoopSettings,
        *,
        access: Access,
        mailbox: Mailbox,
        desk: Desk,
        reader: JournalReader,
        clock: Clock,
        answers: Answers,
        tcp: TcpDoor | None = None,
    ) -> None:
        self._settings = settings
        self._mailbox = mailbox
        self._desk = desk
        self._reader = reader
        self._clock = clock
        self._seq = 0
        self._stopping = False
        self._due: deque[Callable[[], None]] = deque()  # posted, or their time has come
        self._mute: set[bytes] = set()
        self._timers = Timers(clock)
        self._buckets = Buckets(settings.rate, clock)
        self._reads = Errands("ipc-reader", mailbox)
        self._waits = Waits(self._timers, desk.live, desk.picture, Pace(reader, self._reads))
        self._names = Errands("ipc-names", mailbox)
        self._proofs = Errands("ipc-proofs", mailbox, bound=16)
        self._signals = SignalBell(mailbox)
        keys = KeysInFlight()
        self.operations = Operations(
            desk=desk,
            readings=Readings(reader, desk.status, answers, errands=self._reads, proofs=self._proofs),
            waits=self._waits,
            keys=keys,
            hello=self._hello,
            clients=ClientOps(desk, tcp, clock, mailbox),
        )
        self._admission = Admission(
            access=access,
            operations=self.operations,
            keys=keys,
            reader=reader,
            clock=clock,
            names=self._names,
            reads=self._reads,
            tcp=tcp,
        )
        self.listening = Listening(
            settings.endpoint,
            mailbox.context,
            tcp=tcp,
            timers=self._timers,
            clock=clock,
            errands=self._names,
        )
        self._door = self.listening.door
        self._tcp = tcp
        if tcp is not None:
            tcp.later, tcp.is_verified = self.call_later, lambda: not desk.status().verifying

    # ---- for the daemon

    def bind(self) -> None:
        """Open the door. Raises AgentError("CONFIG_INVALID") where the endpoint cannot be ours.

        The agent's lock file must be held: a bind takes the path away from whoever has it.
        """
        self.listening.bind()

    def run(self) -> None:
        """Serve until `stop`, then close the door. `bind` comes first."""
        for part in (self._reads, self._names, self._proofs, self._signals):
            part.start()
        sys.setswitchinterval(_SWITCH_S)
        gc.set_threshold(*_COLLECTIONS)
        gc.freeze()  # what the start has built stays: no collection holds an answer up to walk it
        self.listening.watch()
        try:
            self._seq = max(self._seq, self._reads.ask(self._reader.last_seq, _START_S))
            while not self._stopping:
                self._turn()
            while self._due:
                self._safely(self._due.popleft())
        finally:
            self.close()

    def stop(self) -> None:
        """End `run` after this turn. From another thread or a signal handler: `mailbox.post(loop.stop)`."""
        self._stopping = True
        self.listening.stop()

    def close(self) -> None:
        """Close the sockets and end the threads; `run` does it, and may be called again."""
        for part in (self._signals, self._reads, self._names, self._proofs):
            part.stop()
        self.listening.close()

    @property
    def parked(self) -> int:
        """How many job.wait requests are parked."""
        return self._waits.count

    def call_later(self, ms: int, call: Callable[[], None]) -> Timer:
        """Have `call` called in the loop in `ms` milliseconds, once, unless the timer is cancelled."""
        return self._timers.later(ms, call)

    def publish(self, rows: Iterable[tuple[int, AnyEvent]]) -> None:
        """Tell everyone what became durable, and answer those who wait for these jobs."""
        moved: dict[str, None] = {}
        wanted = self.listening.wanted()
        for seq, event in rows:
            self._seq = max(self._seq, seq)
            if wanted:
                self.listening.say(notice(seq, event, self._settings.boot))
            if self._tcp is not None and self._tcp.take(event):
                self.listening.empty_tcp()
            if isinstance(event, JobEvent):
                moved[event.job_id] = None
        for job_id in moved:
            if self._waits.waited_for(job_id) and (job := self._desk.live(job_id)):
                self._waits.changed(job)

    def device_changed(self, device_no: str) -> None:
        """Tell everyone that a device's snapshot is new. No row of the journal: `seq` is the last row's."""
        self._hint(f"device.{device_no}", "device.changed", device_no)

    def draining(self) -> None:
        """Tell everyone that the agent stops. No row of the journal either: that one is its last."""
        self._hint("agent", "agent.draining")

    def _hint(self, topic: str, kind: str, device_no: str = "") -> None:
        self.listening.say(
            m.EventView(
                seq=self._seq,
                boot=self._settings.boot,
                topic=topic,
                type=kind,
                at=self._clock.utc_ms(),
                device_no=device_no,
            )
        )

    # ---- a turn

    def _turn(self) -> None:
        due = self._due
        self._door.wait_at_most(0 if due else self._timers.next_ms())
        try:
            first, body = self._door.receive()
        except zmq.Again:
            pass  # a timer is due
        else:
            if not self._mailbox.owns(first.bytes):
                self._receive(first, body)
        due.extend(self._mailbox.take())
        due.extend(self._timers.due())
        for _ in range(min(len(due), _ITEMS)):
            self._safely(due.popleft())
        self.listening.drain()

    def _safely(self, item: Callable[[], None]) -> None:
        try:
            item()
        except Exception:  # noqa: BLE001 - one failing item must not end the service
            _log.exception("loop_item_failed")

    def _receive(self, first: zmq.Frame, body: list[bytes]) -> None:
        routing_id = first.bytes
        head = [routing_id] if body and body[0] == wire.MAGIC else [routing_id, *wire.envelope(body)]

        def send(reply: bytes) -> None:
            self._send(head, reply)

        try:
            call = read_call(body, self._settings.language, self._settings.boot, send)
        except Malformed as error:
            self._buckets.wait_ms(routing_id)
            why = error_body(error, lang_of(error.lang, self._settings.language))
            send(error_reply(error.request_id, self._settings.boot, why))
            return
        call.attempt(self._admission.admit, Arrival(call, first, self._buckets.wait_ms(routing_id)))

    def _send(self, head: list[bytes], reply: bytes) -> None:
        try:
            self._door.reply(head, reply)
        except zmq.ZMQError as error:
            # The peer left, or does not read. What was done stays in the journal; it can ask again.
            if head[0] not in self._mute and len(self._mute) < 1024:
                self._mute.add(head[0])
                _log.info("reply_not_taken", reason=str(error))

    def _hello(self, call: Call) -> m.HelloResult:
        by_tcp = self._tcp if call.client_key else None
        self.listening.touch()  # a new subscriber asks until it hears the welcome
        status = self._desk.status()
        return m.HelloResult(
            protocol="TCA/1",
            minor=m.MINOR,
            version=self._settings.version,
            now=self._clock.utc_ms(),
            sim_now=self._clock.sim_ms(),
            simulated=status.simulated,
            principal=call.who.name,
            role=call.who.role,
            seq=self._seq,
            events=by_tcp.settings.events if by_tcp else events_endpoint(self._settings.endpoint),
            ops=tuple(self.operations.table),
            limits={
                "request_bytes": wire.REQUEST_BYTES,
                "reply_bytes": wire.REPLY_BYTES,
                "depth": wire.DEPTH,
                "items": wire.ITEMS,
                "ttl_ms": m.TTL_MAX_MS,
                "skew_ms": m.SKEW_MS,
                "wait_ms": m.WAIT_MAX_MS,
            },
            draining=status.draining,
        )
