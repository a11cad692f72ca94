"""The blocking client: one DEALER, a time limit on everything, nothing sent twice by itself.

Use one `Client` in one thread. It decides nothing: conversation.py, questions.py and flows.py do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Self, TypeVar

import zmq

from taxclient import questions as q
from taxclient.caller import Caller, now_ms
from taxclient.events import Channel, EventStream, subscriber
from taxclient.flows import Exchange, Flow, Follow, Listen, Pause, Seen, Step, asking, following
from taxclient.link import Link
from taxclient.protocol import messages as m
from taxclient.protocol.errors import AuthError, ClientError, Closed
from taxclient.questions import Keep, Question

R = TypeVar("R")
S = TypeVar("S")


class Client(Caller):
    """A connection to an agent, for one thread.

    `timeout_ms` limits each answer, `connect_ms` the wait for a connection. A request that makes a job is
    sent under a key; `keep` is called with (key, sent_at, ttl_ms) before the send, so that the caller can
    store it and later ask `job_by_key`. All methods raise ClientError's children and nothing else of ours.
    """

    def _begin(self) -> None:
        self._link: Link | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _let_go(self) -> None:
        self._disconnect()

    # ---- what the agent is and has

    def hello(self) -> m.HelloResult:
        """Return who answers, its clock, its limits, and what role this process has there."""
        return self._ask(q.hello())

    def status(self) -> m.StatusResult:
        """Return devices, what is on the bus, and the live jobs."""
        return self._ask(q.status())

    def devices(self) -> m.DevicesResult:
        """Return the devices and what is on the bus."""
        return self._ask(q.devices())

    def device(self, device_no: str) -> m.DeviceResult:
        """Return one device, all that is known of it at once. Raises RemoteError("DEVICE_UNKNOWN")."""
        return self._ask(q.device(device_no))

    def release(self, device_no: str, *, minutes: int = 0, key: str = "") -> m.DeviceResult:
        """Have the agent leave a device to other programs, for so many minutes or until `hold`.

        What runs on it comes to its next safe point first; its jobs wait then.
        """
        return self._ask(q.release(device_no, minutes, key))

    def hold(self, device_no: str, *, key: str = "") -> m.DeviceResult:
        """Let the agent use a device again; its jobs go on."""
        return self._ask(q.hold(device_no, key))

    def retry(self, device_no: str, *, key: str = "") -> m.DeviceResult:
        """Have a device that hung, or is quarantined, tried again as it is plugged."""
        return self._ask(q.retry(device_no, key))

    def invoice(self, args: m.InvoiceArgs, *, timeout_ms: int = q.PREPARE_MS) -> m.InvoiceResult:
        """Have the device read, and return an invoice with its month's state.

        Raises RemoteError with INVOICE_UNKNOWN, QR_DIGITAL, QR_URL or QR_UNREADABLE.
        """
        return self._ask(q.invoice(args, timeout_ms))

    def explain_window(self, year: int = 0, device_no: str = "", at: str = "") -> m.WindowResult:
        """Return a year's filing deadlines and which windows are open `at` a moment (ISO 8601; "" = now)."""
        return self._ask(q.explain_window(year, device_no, at))

    def explain(self, what: str = "") -> m.ExplainResult:
        """Return what a code, a vendor's code or a prompt of the guide means; "" for the whole catalogue."""
        return self._ask(q.explain(what))

    def diagnose(self, device_no: str = "") -> m.DiagnoseResult:
        """Return whether invoices can be issued, by device and type, and why not ("" = all devices)."""
        return self._ask(q.diagnose(device_no))

    def doctor(self) -> m.DoctorResult:
        """Return what the agent finds of itself and of its computer; it may take some seconds."""
        return self._ask(q.doctor())

    # ---- clients with keys of their own (for an administrator)

    def open_pairing(self, name: str = "", role: str = "operator", *, key: str = "") -> m.PairOpenResult:
        """Let one client more come: its code counts for five minutes and three tries. "" = a name is found.

        Raises RemoteError: TCP_OFF, CLIENT_EXISTS.
        """
        return self._ask(q.pair_open(name, role, key))

    def redeem(self, public_key: str, *, key: str = "") -> m.ClientResult:
        """Be paired, by a connection that was made with a code's key (taxclient.pairing does all of it)."""
        return self._ask(q.pair_redeem(public_key, key))

    def clients(self) -> m.ClientsResult:
        """Return all clients that were ever paired."""
        return self._ask(q.clients())

    def set_client_role(self, name: str, role: str, *, key: str = "") -> m.ClientResult:
        """Give a client another role, from its next request on. Raises RemoteError("CLIENT_UNKNOWN")."""
        return self._ask(q.client_role(name, role, key))

    def revoke_client(self, name: str, *, key: str = "") -> m.ClientResult:
        """Take a client's key away, from its next request on. Raises RemoteError("CLIENT_UNKNOWN")."""
        return self._ask(q.client_revoke(name, key))

    def drain(self, boot: str, *, key: str = "") -> m.DrainResult:
        """Have the agent stop: it takes no new work, and what runs comes to its next safe point.

        `boot` is the start that is meant, as `hello` or `boot` told it: no later one is stopped by a request
        that is repeated. Raises RemoteError("BOOT_OVER") where that start is over already.
        """
        return self._ask(q.drain(boot, key))

    # ---- asking for work

    def prepare(self, args: m.PrepareArgs, *, timeout_ms: int = q.PREPARE_MS) -> m.PreparedResult:
        """Have the device read, and return what is to be confirmed, with the token that confirms it."""
        return self._ask(q.prepare(args, timeout_ms))

    def check(
        self, args: m.CheckArgs, *, key: str = "", ref: str = "", keep: Keep | None = None
    ) -> m.AcceptedResult:
        """Make a check job. Without `key` one is made."""
        return self._ask(q.check(args, key, ref, keep))

    def submit(
        self, args: m.SubmitArgs, *, key: str = "", ref: str = "", keep: Keep | None = None
    ) -> m.AcceptedResult:
        """Make a job. Without `key` one is made; a Timeout names it, and only it may repeat the request."""
        return self._ask(q.submit(args, key, ref, keep))

    # ---- jobs and records

    def job(self, job_id: str) -> m.JobView:
        """Return a job. Raises RemoteError("JOB_UNKNOWN")."""
        return self._ask(q.job(job_id))

    def job_by_key(self, key: str) -> m.JobView:
        """Return the job that a key made. Raises KeyUnknown."""
        return self._ask(q.job_by_key(key))

    def wait(
        self, job_id: str, *, rev: str = "", until: str = "change", timeout_ms: int = 20_000
    ) -> m.JobWaitResult:
        """Return the job once it is no longer at `rev`, or ended, or after `timeout_ms` (at most 60 s)."""
        return self._ask(q.wait(job_id, rev, until, timeout_ms))

    def follow(
        self,
        key: str,
        *,
        request: m.SubmitArgs | None = None,
        ref: str = "",
        limit_ms: int | None = None,
        away_ms: int = 60_000,
        seen: Seen | None = None,
    ) -> m.JobView:
        """Return the job of `key` once it has ended or needs a person, or as it is after `limit_ms`.

        Survives restarts of the agent, which may be away for `away_ms` at a time, and of the caller, who
        calls it again with the key that it stored. `request` is sent under the key where the agent does not
        know it, and only then. `seen` is called with the job as it is found and at each change.
        Raises KeyUnknown, and what other calls raise.
        """
        asked = q.submit(request, key, ref, None) if request is not None else None
        what = Follow(key=key, request=asked, limit_ms=limit_ms, away_ms=away_ms, seen=seen)
        return self._drive(following(what, self._conversation, time.monotonic))

    def jobs(self, args: m.JobListArgs = m.JobListArgs()) -> m.JobListResult:  # noqa: B008 - a frozen value
        """Return a page of jobs, newest first."""
        return self._ask(q.jobs(args))

    def cancel(self, job_id: str) -> m.JobView:
        """Ask a job to stop before its next irreversible step; return it as it then is."""
        return self._ask(q.cancel(job_id))

    def resume(self, job_id: str) -> m.JobView:
        """Let a job that needs a person go on; return it as it then is."""
        return self._ask(q.resume(job_id))

    def close_job(self, job_id: str, reason: str) -> m.JobView:
        """End a job that needs a person as it stands; return it with its outcome."""
        return self._ask(q.close_job(job_id, reason))

    def answer(self, job_id: str, challenge_id: str, text: str, *, key: str = "") -> m.JobView:
        """Answer the verification code that a job waits with (`wait.challenge`); return it as it goes on.

        A wrong answer shows in its next wait: CHALLENGE_WRONG with the bureau's words, and a new question.
        Raises RemoteError("CHALLENGE_OVER") where the job does not wait for this answer (any more).
        """
        return self._ask(q.answer(job_id, challenge_id, text, key))

    def record(self, job_id: str) -> m.RecordResult:
        """Return the record of an ended job. Raises RemoteError("RECORD_UNKNOWN")."""
        return self._ask(q.record(job_id))

    def records(self, args: m.RecordListArgs = m.RecordListArgs()) -> m.RecordListResult:  # noqa: B008
        """Return a page of records, newest first."""
        return self._ask(q.records(args))

    def verify_record(self, job_id: str, *, timeout_ms: int = q.VERIFY_MS) -> m.RecordVerifyResult:
        """Have a record looked at: its hash, its row, the chain around it, its back-ups.

        Raises RemoteError("RECORD_UNKNOWN").
        """
        return self._ask(q.verify_record(job_id, timeout_ms))

    def events_since(self, since: int, limit: int = 200) -> m.EventsResult:
        """Return the journal's events after `since`, oldest first."""
        return self._ask(q.events_since(since, limit))

    def events(self, since: int | None = None) -> EventStream:
        """Return the events after `since` (None: from now on), as they happen, without gaps.

        Close it (or use `with`) before the client; ask this client nothing in another thread meanwhile.
        """
        channel = Channel()
        socket = subscriber(self.context, self._events(self.hello().events), self._key)
        try:
            self._drive(channel.opening(since), socket)
        except BaseException:
            socket.close(linger=0)
            raise
        return EventStream(socket, self._drive, channel)

    # ---- the wire

    def _drive(self, flow: Flow[R], events: zmq.Socket[bytes] | None = None) -> R:
        def carry_out(step: Step) -> object:
            if isinstance(step, Question):
                return self._ask(step)
            if isinstance(step, Pause):
                time.sleep(step.ms / 1000)
                return None
            return _heard(events, step)

        return _driven(flow, carry_out)

    def _ask(self, question: Question[R]) -> R:
        return _driven(asking(self._conversation, question, self._timeout_ms, now_ms), self._exchange)

    def _exchange(self, step: Exchange) -> m.Message:
        if self._closed:
            raise Closed("the client is closed")
        call, timeout_ms = step.call, step.timeout_ms
        link = self._link = self._link or Link(self.context, self.endpoint, self._connect_ms, self._key)
        try:
            sent = link.send(call.frames)
        except AuthError:
            self._disconnect()
            raise
        if not sent:
            self._disconnect()
            raise self._conversation.unsent(self.endpoint)
        started = time.monotonic()
        waited_ms = 0
        while waited_ms < timeout_ms and not link.lost:
            frames = link.receive(timeout_ms - waited_ms)
            waited_ms = round((time.monotonic() - started) * 1000)
            result = self._conversation.match(call, frames) if frames is not None else None
            if result is not None:
                return result
        lost = link.lost
        self._disconnect()  # a late answer goes with the connection
        raise self._conversation.unanswered(call, waited_ms, lost=lost)

    def _disconnect(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def _driven(flow: Generator[S, Any, R], carry_out: Callable[[S], object]) -> R:
    """Carry out the flow's steps, one by one; return what it returns."""
    try:
        step = next(flow)
        while True:
            try:
                answer = carry_out(step)
            except ClientError as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result


def _heard(events: zmq.Socket[bytes] | None, step: Listen) -> list[bytes] | None:
    return (
        events.recv_multipart() if events is not None and events.poll(step.timeout_ms, zmq.POLLIN) else None
    )
