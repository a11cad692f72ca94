"""The asyncio client: the same calls as sync.Client, awaited. It decides nothing either.

Each call that is under way has a connection of its own, so calls may overlap (asyncio.gather); a call that is
cancelled closes its connection, and a late answer goes with it. On Windows asyncio needs its
SelectorEventLoop (asyncio.WindowsSelectorEventLoopPolicy): the default loop cannot watch ZeroMQ's sockets.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Self, TypeVar

from taxclient import places
from taxclient import questions as q
from taxclient.caller import Caller, now_ms
from taxclient.events import Channel, subscriber
from taxclient.flows import Exchange, Flow, Follow, Pause, Seen, Step, asking, following
from taxclient.protocol import messages as m
from taxclient.protocol.errors import ClientError, Closed, RemoteError
from taxclient.protocol.messages import EventView
from taxclient.questions import Keep, Question
from taxclient.watching import AsyncLink, Heard

R = TypeVar("R")
S = TypeVar("S")


class AsyncClient(Caller):
    """A connection to an agent, for one event loop. Arguments, results and errors are those of Client.

    A call that is cancelled may have reached the agent: with a key it is then unknown, as after a Timeout.
    `close` ends the calls that are under way with Closed.
    """

    def _begin(self) -> None:
        self._idle: list[AsyncLink] = []
        self._busy: set[AsyncLink | Heard] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _let_go(self) -> None:
        for each in (*self._busy, *self._idle):
            each.close()

    # ---- what the agent is and has

    async def hello(self) -> m.HelloResult:
        """Return who answers, its clock, its limits, and what role this process has there."""
        return await self._ask(q.hello())

    async def status(self) -> m.StatusResult:
        """Return devices, what is on the bus, and the live jobs."""
        return await self._ask(q.status())

    async def devices(self) -> m.DevicesResult:
        """Return the devices and what is on the bus."""
        return await self._ask(q.devices())

    async def device(self, device_no: str) -> m.DeviceResult:
        """Return one device, all that is known of it at once. Raises RemoteError("DEVICE_UNKNOWN")."""
        return await self._ask(q.device(device_no))

    async def release(self, device_no: str, *, minutes: int = 0, key: str = "") -> m.DeviceResult:
        """Have the agent leave a device to other programs, for so many minutes or until `hold`.

        What runs on it comes to its next safe point first; its jobs wait then.
        """
        return await self._ask(q.release(device_no, minutes, key))

    async def hold(self, device_no: str, *, key: str = "") -> m.DeviceResult:
        """Let the agent use a device again; its jobs go on."""
        return await self._ask(q.hold(device_no, key))

    async def retry(self, device_no: str, *, key: str = "") -> m.DeviceResult:
        """Have a device that hung, or is quarantined, tried again as it is plugged."""
        return await self._ask(q.retry(device_no, key))

    async def invoice(self, args: m.InvoiceArgs, *, timeout_ms: int = q.PREPARE_MS) -> m.InvoiceResult:
        """Have the device read, and return an invoice with its month's state.

        Raises RemoteError with INVOICE_UNKNOWN, QR_DIGITAL, QR_URL or QR_UNREADABLE.
        """
        return await self._ask(q.invoice(args, timeout_ms))

    async def explain_window(self, year: int = 0, device_no: str = "", at: str = "") -> m.WindowResult:
        """Return a year's filing deadlines and which windows are open `at` a moment (ISO 8601; "" = now)."""
        return await self._ask(q.explain_window(year, device_no, at))

    async def explain(self, what: str = "") -> m.ExplainResult:
        """Return what a code, a vendor's code or a prompt of the guide means; "" for the whole catalogue."""
        return await self._ask(q.explain(what))

    async def diagnose(self, device_no: str = "") -> m.DiagnoseResult:
        """Return whether invoices can be issued, by device and type, and why not ("" = all devices)."""
        return await self._ask(q.diagnose(device_no))

    async def doctor(self) -> m.DoctorResult:
        """Return what the agent finds of itself and of its computer; it may take some seconds."""
        return await self._ask(q.doctor())

    async def open_pairing(
        self, name: str = "", role: str = "operator", *, key: str = ""
    ) -> m.PairOpenResult:
        """Let one client more come, as with Client.open_pairing."""
        return await self._ask(q.pair_open(name, role, key))

    async def redeem(self, public_key: str, *, key: str = "") -> m.ClientResult:
        """Be paired, by a connection that was made with a code's key."""
        return await self._ask(q.pair_redeem(public_key, key))

    async def clients(self) -> m.ClientsResult:
        """Return all clients that were ever paired."""
        return await self._ask(q.clients())

    async def set_client_role(self, name: str, role: str, *, key: str = "") -> m.ClientResult:
        """Give a client another role, from its next request on. Raises RemoteError("CLIENT_UNKNOWN")."""
        return await self._ask(q.client_role(name, role, key))

    async def revoke_client(self, name: str, *, key: str = "") -> m.ClientResult:
        """Take a client's key away, from its next request on. Raises RemoteError("CLIENT_UNKNOWN")."""
        return await self._ask(q.client_revoke(name, key))

    async def drain(self, boot: str, *, key: str = "") -> m.DrainResult:
        """Have the agent stop: it takes no new work, and what runs comes to its next safe point.

        `boot` is the start that is meant, as `hello` or `boot` told it: no later one is stopped by a request
        that is repeated. Raises RemoteError("BOOT_OVER") where that start is over already.
        """
        return await self._ask(q.drain(boot, key))

    # ---- asking for work

    async def prepare(self, args: m.PrepareArgs, *, timeout_ms: int = q.PREPARE_MS) -> m.PreparedResult:
        """Have the device read, and return what is to be confirmed, with the token that confirms it."""
        return await self._ask(q.prepare(args, timeout_ms))

    async def check(
        self, args: m.CheckArgs, *, key: str = "", ref: str = "", keep: Keep | None = None
    ) -> m.AcceptedResult:
        """Make a check job. Without `key` one is made."""
        return await self._ask(q.check(args, key, ref, keep))

    async def submit(
        self, args: m.SubmitArgs, *, key: str = "", ref: str = "", keep: Keep | None = None
    ) -> m.AcceptedResult:
        """Make a job. Without `key` one is made; a Timeout names it, and only it may repeat the request."""
        return await self._ask(q.submit(args, key, ref, keep))

    # ---- jobs and records

    async def job(self, job_id: str) -> m.JobView:
        """Return a job. Raises RemoteError("JOB_UNKNOWN")."""
        return await self._ask(q.job(job_id))

    async def job_by_key(self, key: str) -> m.JobView:
        """Return the job that a key made. Raises KeyUnknown."""
        return await self._ask(q.job_by_key(key))

    async def wait(
        self, job_id: str, *, rev: str = "", until: str = "change", timeout_ms: int = 20_000
    ) -> m.JobWaitResult:
        """Return the job once it is no longer at `rev`, or ended, or after `timeout_ms` (at most 60 s)."""
        return await self._ask(q.wait(job_id, rev, until, timeout_ms))

    async def follow(
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

        All is as with Client.follow; `seen` is called in the event loop.
        """
        asked = q.submit(request, key, ref, None) if request is not None else None
        what = Follow(key=key, request=asked, limit_ms=limit_ms, away_ms=away_ms, seen=seen)
        return await self._drive(following(what, self._conversation, time.monotonic))

    async def jobs(self, args: m.JobListArgs = m.JobListArgs()) -> m.JobListResult:  # noqa: B008 - frozen
        """Return a page of jobs, newest first."""
        return await self._ask(q.jobs(args))

    async def cancel(self, job_id: str) -> m.JobView:
        """Ask a job to stop before its next irreversible step; return it as it then is."""
        return await self._ask(q.cancel(job_id))

    async def resume(self, job_id: str) -> m.JobView:
        """Let a job that needs a person go on; return it as it then is."""
        return await self._ask(q.resume(job_id))

    async def close_job(self, job_id: str, reason: str) -> m.JobView:
        """End a job that needs a person as it stands; return it with its outcome."""
        return await self._ask(q.close_job(job_id, reason))

    async def answer(self, job_id: str, challenge_id: str, text: str, *, key: str = "") -> m.JobView:
        """Answer the verification code that a job waits with (`wait.challenge`); return it as it goes on.

        A wrong answer shows in its next wait: CHALLENGE_WRONG with the bureau's words, and a new question.
        Raises RemoteError("CHALLENGE_OVER") where the job does not wait for this answer (any more).
        """
        return await self._ask(q.answer(job_id, challenge_id, text, key))

    async def record(self, job_id: str) -> m.RecordResult:
        """Return the record of an ended job. Raises RemoteError("RECORD_UNKNOWN")."""
        return await self._ask(q.record(job_id))

    async def records(
        self,
        args: m.RecordListArgs = m.RecordListArgs(),  # noqa: B008 - a frozen value
    ) -> m.RecordListResult:
        """Return a page of records, newest first."""
        return await self._ask(q.records(args))

    async def verify_record(self, job_id: str, *, timeout_ms: int = q.VERIFY_MS) -> m.RecordVerifyResult:
        """Have a record looked at: its hash, its row, the chain around it, its back-ups.

        Raises RemoteError("RECORD_UNKNOWN").
        """
        return await self._ask(q.verify_record(job_id, timeout_ms))

    async def events_since(self, since: int, limit: int = 200) -> m.EventsResult:
        """Return the journal's events after `since`, oldest first."""
        return await self._ask(q.events_since(since, limit))

    async def events(self, since: int | None = None) -> AsyncEventStream:
        """Return the events after `since` (None: from now on), as they happen, without gaps.

        Close it (or use `async with`) before the client.
        """
        channel = Channel()
        heard = Heard(subscriber(self.context, self._events((await self.hello()).events), self._key))
        self._busy = {each for each in self._busy if isinstance(each, AsyncLink) or not each.closed} | {heard}
        try:
            await self._drive(channel.opening(since), heard)
        except BaseException:
            heard.close()
            raise
        return AsyncEventStream(heard, self._drive, channel)

    # ---- the wire

    async def _drive(self, flow: Flow[R], events: Heard | None = None) -> R:
        async def carry_out(step: Step) -> object:
            if isinstance(step, Question):
                return await self._ask(step)
            if isinstance(step, Pause):
                await asyncio.sleep(step.ms / 1000)
                return None
            frames = await events.received(step.timeout_ms) if events is not None else None
            if events is not None and events.closed:
                raise Closed("the stream is closed")
            return frames

        return await _driven(flow, carry_out)

    async def _ask(self, question: Question[R]) -> R:
        return await _driven(asking(self._conversation, question, self._timeout_ms, now_ms), self._exchange)

    async def _exchange(self, step: Exchange) -> m.Message:
        if self._closed:
            raise Closed("the client is closed")
        link = self._idle.pop() if self._idle else self._linked()
        self._busy.add(link)
        answered = False
        try:
            result = await self._answer(link, step)
            answered = True
        except RemoteError:
            answered = True
            raise
        finally:
            self._busy.discard(link)
            if answered and not self._closed:
                self._idle.append(link)
            else:
                link.close()  # a late answer goes with the connection
        return result

    def _linked(self) -> AsyncLink:
        return AsyncLink(self.context, self.endpoint, self._connect_ms, self._key)

    async def _answer(self, link: AsyncLink, step: Exchange) -> m.Message:
        call, timeout_ms = step.call, step.timeout_ms
        sent = await link.sent(call.frames, self._connect_ms)
        started = time.monotonic()
        waited_ms = 0
        while sent and waited_ms < timeout_ms and not link.lost and not self._closed:
            frames = await link.received(timeout_ms - waited_ms)
            waited_ms = round((time.monotonic() - started) * 1000)
            result = self._conversation.match(call, frames) if frames is not None else None
            if result is not None:
                return result
        if self._closed:
            raise Closed("the client was closed")
        if not sent:
            raise self._conversation.unsent(self.endpoint)
        raise self._conversation.unanswered(call, waited_ms, lost=link.lost)


def connect(
    endpoint: str = "",
    *,
    key_file: str | os.PathLike[str] = "",
    timeout_ms: int = 10_000,
    connect_ms: int = 2_000,
    lang: str = "",
) -> AsyncClient:
    """Return a client of the agent at `endpoint`, found as by taxclient.connect. Raises AuthError."""
    return AsyncClient(
        endpoint or places.endpoint(os.environ),
        key_file=key_file,
        timeout_ms=timeout_ms,
        connect_ms=connect_ms,
        lang=lang,
    )


class AsyncEventStream:
    """Events in the journal's order. A `next` that is cancelled loses none."""

    def __init__(
        self,
        heard: Heard,
        drive: Callable[[Flow[EventView | None], Heard], Awaitable[EventView | None]],
        channel: Channel,
    ) -> None:
        self._heard = heard
        self._drive = drive
        self._channel = channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def last(self) -> int:
        """Seq of the newest event given out or known."""
        return self._channel.last

    def close(self) -> None:
        """End the subscription; a `next` that is under way raises Closed."""
        self._heard.close()

    async def next(self, timeout_ms: int) -> EventView | None:
        """Return the next event, or None where none came in time. Raises what the client raises."""
        return await self._drive(self._channel.following(timeout_ms), self._heard)


async def _driven(flow: Generator[S, Any, R], carry_out: Callable[[S], Awaitable[object]]) -> R:
    """Carry out the flow's steps, one by one; return what it returns."""
    try:
        step = next(flow)
        while True:
            try:
                answer = await carry_out(step)
            except ClientError as error:
                step = flow.throw(error)
            else:
                step = flow.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result
