"""From a call and what its connection says of the sender to a principal, and past the gate to its op."""

from __future__ import annotations

import functools
from collections import Counter
from contextlib import suppress

import structlog
import zmq

from taxagent.ipc.access import Access, Peer, peer_of
from taxagent.ipc.calls import Call, Fault
from taxagent.ipc.errands import Errands
from taxagent.ipc.gate import KeysInFlight, lateness, missing_role
from taxagent.ipc.operations import Operation, Operations
from taxagent.ipc.tcp import TcpDoor
from taxagent.jobs.asks import Principal
from taxagent.model.errors import AgentError, Refusal
from taxagent.model.events import ChallengeAnswered
from taxagent.model.job import Job
from taxagent.ports import Clock, JournalReader
from taxclient.protocol import messages as m

_UNNAMED = 1024  # calls of one account that may wait until the name service has answered
_AT_DESK = 64  # of one process: what waits for the journal takes memory, and time from everyone
_AT_DEVICE = 16  # of one process at one device: a reading takes the device's time
_LATER_MS = 1000

_log = structlog.get_logger("ipc.admission")


class Arrival:
    """A call and its sender; `wait_ms` > 0 where the sender asks too often."""

    __slots__ = ("call", "peer", "wait_ms")

    def __init__(self, call: Call, frame: zmq.Frame, wait_ms: int) -> None:
        self.call = call
        call.connection = frame.bytes
        self.wait_ms = wait_ms
        try:
            self.peer: Peer | None = peer_of(str(frame.get("Peer-Address")))
        except zmq.ZMQError:  # a peer without credentials, for example inproc
            self.peer = None
            return
        if self.peer is not None:
            call.process = self.peer.pid
            return
        with suppress(zmq.ZMQError):  # by TCP: what our ZAP handler said of it
            call.client_key = str(frame.get("User-Id"))


class Admission:
    """Who is it, may it, is it in time. Runs in the loop; names and the journal are asked in threads."""

    def __init__(
        self,
        *,
        access: Access,
        operations: Operations,
        keys: KeysInFlight,
        reader: JournalReader,
        clock: Clock,
        names: Errands,
        reads: Errands,
        tcp: TcpDoor | None = None,
    ) -> None:
        self._access = access
        self._tcp = tcp
        self._operations = operations
        self._keys = keys
        self._reader = reader
        self._clock = clock
        self._names = names
        self._reads = reads
        self._unnamed: dict[tuple[int, int], list[Arrival]] = {}
        self._at_desk: Counter[tuple[int, str]] = Counter()  # by process, and for readings by device

    def admit(self, arrival: Arrival) -> None:
        """Serve the call, or answer why not."""
        peer = arrival.peer
        if peer is None:
            self._admit_client(arrival)
            return
        known = self._access.known(peer, self._clock.monotonic())
        if known is not None:
            self._judge(arrival, known[0])
        else:
            self._ask_names(peer, arrival)

    def _admit_client(self, arrival: Arrival) -> None:
        """Look the key up in the table of now: its connection is older. A code's key may redeem it alone."""
        call, tcp = arrival.call, self._tcp
        client = tcp.caller(call.client_key) if tcp is not None else None
        if client is not None:
            call.process = -client.number
            self._judge(arrival, client.principal)
        elif tcp is not None and call.request.op == "pair.redeem":
            self._judge(arrival, tcp.newcomer(call.client_key))
        else:
            self._turn_away(call)

    def _ask_names(self, peer: Peer, arrival: Arrival) -> None:
        """Ask who the peer is, once however many of its calls wait for the answer."""
        account = (peer.uid, peer.gid)
        waiting = self._unnamed.get(account)
        if waiting is not None:
            if len(waiting) < _UNNAMED:
                waiting.append(arrival)
            else:
                self._not_now(arrival)
            return
        self._unnamed[account] = [arrival]

        def resolved(answer: Principal | Exception | None) -> None:
            arrivals = self._unnamed.pop(account)
            if isinstance(answer, Exception):
                _log.warning("peer_unresolved", uid=peer.uid, reason=str(answer))
            else:
                self._access.remember(peer, answer, self._clock.monotonic())
            for each in arrivals:
                each.call.guarded(functools.partial(self._named, each))(answer)

        self._names.run(lambda: self._access.resolve(peer), resolved)

    def _named(self, arrival: Arrival, answer: Principal | Exception | None) -> None:
        if isinstance(answer, Exception):  # it is not known who that is: no word about what it may
            self._not_now(arrival)
        else:
            self._judge(arrival, answer)

    def _not_now(self, arrival: Arrival) -> None:
        arrival.call.fail(_unproved(arrival.call, "RATE_LIMITED"), retry_after_ms=_LATER_MS)

    def _judge(self, arrival: Arrival, principal: Principal | None) -> None:
        call = arrival.call
        if principal is None:
            self._turn_away(call)
            return
        call.principal = principal
        objection = self._objection(arrival)
        in_journal = call.op.makes_job or call.request.op == "job.answer"  # others' keys are in memory
        key = call.request.key if in_journal else ""
        at_desk = (principal.name, key) in self._keys
        if objection is None or (at_desk and call.op.makes_job):  # the desk looks at time and role of a job
            self._serve(call)
        elif at_desk:
            call.fail(Fault(objection.fault, **objection.detail), retry_after_ms=arrival.wait_ms or None)
        elif key:
            self._serve_if_known(arrival, principal.name, objection)
        else:
            self._serve_if_remembered(arrival, objection)

    def _objection(self, arrival: Arrival) -> AgentError | None:
        call = arrival.call
        if arrival.wait_ms:
            return Refusal("RATE_LIMITED", limit=str(arrival.wait_ms))
        refusal = missing_role(call, self._operations.role_for(call))
        if refusal is None and call.request.op != "hello":  # hello tells a peer that its clock is wrong
            refusal = lateness(call.request, self._clock.utc_ms())
        return refusal

    def _serve_if_known(self, arrival: Arrival, principal: str, objection: AgentError) -> None:
        call, key = arrival.call, arrival.call.request.key

        def looked_up(known: Job | ChallengeAnswered | Exception | None) -> None:
            if known is None:
                call.fail(objection, retry_after_ms=arrival.wait_ms or None)
            elif isinstance(known, Exception):  # it is not known what the key did
                call.fail(Fault(known.fault if isinstance(known, AgentError) else "INTERNAL"))
            else:
                self._serve(call)

        ask = self._reader.job_by_key if call.op.makes_job else self._reader.answer_by_key
        self._reads.run(lambda: ask(principal, key), call.guarded(looked_up))

    def _serve_if_remembered(self, arrival: Arrival, objection: AgentError) -> None:
        """For keys that are in memory: the desk knows what was done under this one, or cannot tell."""
        call = arrival.call
        known = self._operations.done_under_key(call)
        if known:
            self._serve(call)
        else:
            error = Fault(objection.fault, **objection.detail) if known is None else objection
            call.fail(error, retry_after_ms=arrival.wait_ms or None)

    def _serve(self, call: Call) -> None:
        operation = self._operations.table[call.request.op]
        if operation.at_desk and not self._taken(call, operation):
            call.fail(_unproved(call, "RATE_LIMITED"), retry_after_ms=_LATER_MS)
            return
        try:
            operation.serve(call, call.args)
        except Exception:  # noqa: BLE001 - as Call.attempt
            call.defect()

    def _taken(self, call: Call, operation: Operation) -> bool:
        """Count the call until it is answered; return whether there was room for it."""
        line, room = (call.process, ""), _AT_DESK
        if operation.reads_device and isinstance(call.args, m.InvoiceArgs | m.CheckArgs):
            line, room = (call.process, call.args.device_no), _AT_DEVICE
        if self._at_desk[line] >= room:
            return False
        self._at_desk[line] += 1

        def left() -> None:
            self._at_desk[line] -= 1
            if not self._at_desk[line]:
                del self._at_desk[line]

        call.then = left
        return True

    def _turn_away(self, call: Call) -> None:
        call.fail(_unproved(call, "NOT_ALLOWED", op=call.request.op))


def _unproved(call: Call, fault: str, **detail: str) -> AgentError:
    """Return why a call is not taken. Its key was not looked up: it may stand for what was done before."""
    return Fault(fault, **detail) if call.op.keyed else Refusal(fault, **detail)
