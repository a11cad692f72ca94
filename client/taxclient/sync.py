"""The blocking client: one DEALER, a time limit on everything, nothing sent twice by itself.

Use one `Client` in one thread. It decides nothing about calls; conversation.py does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar, cast

import zmq

from taxclient.conversation import Call, Conversation, new_key
from taxclient.events import EventStream
from taxclient.link import Link
from taxclient.protocol import messages as m
from taxclient.protocol.errors import Closed, RemoteError

R = TypeVar("R", bound=m.Message)
DEFAULT_ENDPOINT = "ipc:///run/taxagent/agent.sock"
_CLOCK_CODES = frozenset({"CLOCK_SKEW", "EXPIRED"})


class Client:
    """A connection to an agent.

    `timeout_ms` limits each answer, `connect_ms` the wait for a connection. A request that makes a job is
    sent under a key; `keep` is called with (key, sent_at, ttl_ms) before the send, so that the caller can
    store it and later ask `job_by_key`. All methods raise ClientError's children and nothing else of ours.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        timeout_ms: int = 10_000,
        connect_ms: int = 2_000,
        lang: str = "",
    ) -> None:
        self.endpoint = endpoint
        self._timeout_ms = timeout_ms
        self._connect_ms = connect_ms
        self._conversation = Conversation(lang=lang)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._link: Link | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A context that is collected with an open socket hangs for ever.
        if not getattr(self, "_closed", True):
            self.close()

    def close(self) -> None:
        """Close all sockets; unsent messages are dropped. May be called again."""
        if not self._closed:
            self._closed = True
            self._disconnect()
            self.context.destroy(linger=0)

    @property
    def boot(self) -> str:
        """The agent's boot id as last heard, "" before the first answer."""
        return self._conversation.boot

    @property
    def restarts(self) -> int:
        """How often the agent was found restarted: what was read before is to be read again."""
        return self._conversation.restarts

    # ---- what the agent is and has

    def hello(self) -> m.HelloResult:
        """Return who answers, its clock, its limits, and what role this process has there."""
        return self._read("hello", m.NoArgs(), m.HelloResult)

    def status(self) -> m.StatusResult:
        """Return devices, what is on the bus, and the live jobs."""
        return self._read("status", m.NoArgs(), m.StatusResult)

    def devices(self) -> m.DevicesResult:
        """Return the devices and what is on the bus."""
        return self._read("device.list", m.NoArgs(), m.DevicesResult)

    def explain_window(self, year: int = 0, device_no: str = "") -> m.WindowResult:
        """Return a year's filing deadlines (0 = this year's) and what stands in the way now."""
        return self._read("window.explain", m.WindowArgs(year=year, device_no=device_no), m.WindowResult)

    def diagnose(self, device_no: str = "") -> m.DiagnoseResult:
        """Return whether invoices can be issued, by device and type, and why not ("" = all devices)."""
        return self._read("diagnose", m.DiagnoseArgs(device_no=device_no), m.DiagnoseResult)

    # ---- asking for work

    def prepare(self, args: m.PrepareArgs, *, timeout_ms: int = 90_000) -> m.PreparedResult:
        """Have the device read, and return what is to be confirmed, with the token that confirms it."""
        return self._read("prepare", args, m.PreparedResult, timeout_ms=timeout_ms)

    def check(
        self,
        args: m.CheckArgs,
        *,
        key: str = "",
        ref: str = "",
        keep: Callable[[str, int, int], None] | None = None,
    ) -> m.AcceptedResult:
        """Make a check job. Without `key` one is made."""
        return self._make("check", args, key, ref, keep)

    def submit(
        self,
        args: m.SubmitArgs,
        *,
        key: str = "",
        ref: str = "",
        keep: Callable[[str, int, int], None] | None = None,
    ) -> m.AcceptedResult:
        """Make a job. Without `key` one is made; a Timeout names it, and only it may repeat the request."""
        return self._make("submit", args, key, ref, keep)

    # ---- jobs and records

    def job(self, job_id: str) -> m.JobView:
        """Return a job. Raises RemoteError("JOB_UNKNOWN")."""
        return self._read("job.get", m.JobGetArgs(job_id=job_id), m.JobResult).job

    def job_by_key(self, key: str) -> m.JobView:
        """Return the job that a key made. Raises KeyUnknown."""
        return self._read("job.get", m.JobGetArgs(key=key), m.JobResult).job

    def wait(
        self, job_id: str, *, rev: str = "", until: str = "change", timeout_ms: int = 20_000
    ) -> m.JobWaitResult:
        """Return the job once it is no longer at `rev`, or ended, or after `timeout_ms` (at most 60 s)."""
        args = m.JobWaitArgs(job_id=job_id, rev=rev, until=until, timeout_ms=timeout_ms)
        return self._read("job.wait", args, m.JobWaitResult, timeout_ms=timeout_ms + self._timeout_ms)

    def jobs(self, args: m.JobListArgs = m.JobListArgs()) -> m.JobListResult:  # noqa: B008 - a frozen value
        """Return a page of jobs, newest first."""
        return self._read("job.list", args, m.JobListResult)

    def cancel(self, job_id: str) -> m.JobView:
        """Ask a job to stop before its next irreversible step; return it as it then is."""
        return self._read("job.cancel", m.JobArgs(job_id=job_id), m.JobResult).job

    def resume(self, job_id: str) -> m.JobView:
        """Let a job that needs a person go on; return it as it then is."""
        return self._read("job.resume", m.JobArgs(job_id=job_id), m.JobResult).job

    def close_job(self, job_id: str, reason: str) -> m.JobView:
        """End a job that needs a person as it stands; return it with its outcome."""
        return self._read("job.close", m.JobCloseArgs(job_id=job_id, reason=reason), m.JobResult).job

    def record(self, job_id: str) -> m.RecordResult:
        """Return the record of an ended job. Raises RemoteError("RECORD_UNKNOWN")."""
        return self._read("record.get", m.JobArgs(job_id=job_id), m.RecordResult)

    def records(self, args: m.RecordListArgs = m.RecordListArgs()) -> m.RecordListResult:  # noqa: B008
        """Return a page of records, newest first."""
        return self._read("record.list", args, m.RecordListResult)

    def events_since(self, since: int, limit: int = 200) -> m.EventsResult:
        """Return the journal's events after `since`, oldest first."""
        return self._read("events.since", m.EventsArgs(since=since, limit=limit), m.EventsResult)

    def events(self, since: int | None = None) -> EventStream:
        """Return the events after `since` (None: from now on), as they happen, without gaps.

        Close it (or use `with`) before the client; ask this client nothing in another thread meanwhile.
        """
        return EventStream(self, self.context, since)

    # ---- the wire

    def _make(
        self,
        op: str,
        args: m.Args,
        key: str,
        ref: str,
        keep: Callable[[str, int, int], None] | None,
    ) -> m.AcceptedResult:
        key = key or new_key()

        def before(call: Call) -> None:
            if keep is not None:
                keep(call.key, call.sent_at, call.ttl_ms)

        return self._ask(op, args, m.AcceptedResult, self._timeout_ms, before, key=key, ref=ref)

    def _read(self, op: str, args: m.Args, kind: type[R], *, timeout_ms: int = 0) -> R:
        return self._ask(op, args, kind, timeout_ms or self._timeout_ms, lambda _: None)

    def _ask(
        self,
        op: str,
        args: m.Args,
        kind: type[R],
        timeout_ms: int,
        before: Callable[[Call], None],
        *,
        key: str = "",
        ref: str = "",
    ) -> R:
        def call() -> Call:
            made = self._conversation.begin(
                op, args, now_ms=_now_ms(), ttl_ms=self._ttl(timeout_ms), key=key, ref=ref
            )
            before(made)
            return made

        try:
            return cast("R", self._exchange(call(), timeout_ms))
        except RemoteError as error:
            # Refused for its time alone, so not executed: with the agent's clock it may be asked again.
            if error.code not in _CLOCK_CODES or op == "hello":
                raise
            self._conversation.learn_clock(self.hello().now, _now_ms())
            return cast("R", self._exchange(call(), timeout_ms))

    def _ttl(self, timeout_ms: int) -> int:
        return min(max(timeout_ms, self._timeout_ms), m.TTL_MAX_MS)

    def _exchange(self, call: Call, timeout_ms: int) -> m.Message:
        if self._closed:
            raise Closed("the client is closed")
        link = self._link = self._link or Link(self.context, self.endpoint, self._connect_ms)
        if not link.send(call.frames):
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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
