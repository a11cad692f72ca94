"""The ops: who may, what it does to the world, and how each is answered from desk, journal and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from taxagent.ipc.calls import Call, packed, request_sha256
from taxagent.ipc.client_ops import ClientOps
from taxagent.ipc.devices import DeviceOps
from taxagent.ipc.gate import KeysInFlight
from taxagent.ipc.readings import Readings
from taxagent.ipc.snapshots import LiveViews, devices_result, prepared_result, status_result
from taxagent.ipc.views import job_view, short_view
from taxagent.ipc.waits import Waits
from taxagent.jobs.asks import (
    Accepted,
    Answer,
    Ask,
    Desk,
    DeskStatus,
    Drained,
    FoundInvoice,
    InvoiceAsk,
    Prepared,
    Role,
)
from taxagent.jobs.device_orders import ROLES
from taxagent.model.errors import AgentError, Refusal
from taxagent.model.faults import Lang
from taxagent.model.job import Effect, Job, JobKind, Outcome
from taxagent.model.period import period
from taxagent.model.value import Value
from taxclient.protocol import messages as m

T = TypeVar("T")
Hello = Callable[[Call], m.HelloResult]
Serve = Callable[[Call, Any], None]


class Operation(Value, frozen=True, kw_only=True):
    """An op as the agent sees it. `effect` is of the request itself, not of the job that it may make.

    `at_desk`: its answer waits for the journal or a device; `reads_device`: for a device.
    """

    role: Role
    effect: Effect
    serve: Serve
    at_desk: bool = False
    reads_device: bool = False


class Operations:
    """Answers calls that passed the gate. Every method runs in the loop's thread and returns at once."""

    def __init__(
        self,
        *,
        desk: Desk,
        readings: Readings,
        waits: Waits,
        keys: KeysInFlight,
        hello: Hello,
        clients: ClientOps,
    ) -> None:
        self._desk = desk
        self._clients = clients
        self._readings = readings
        self._waits = waits
        self._keys = keys
        self._hello = hello
        self._live = LiveViews()
        self._one_device = DeviceOps(desk)
        self._ready: dict[Lang, tuple[DeskStatus, msgspec.Raw]] = {}
        self.table: Mapping[str, Operation] = self._operations()

    def _operations(self) -> dict[str, Operation]:
        def op(role: Role, effect: Effect, serve: Serve, *, reads_device: bool = False) -> Operation:
            at_desk = reads_device or effect is not Effect.READ
            return Operation(
                role=role, effect=effect, serve=serve, at_desk=at_desk, reads_device=reads_device
            )

        read = self._readings
        return {
            "hello": op(Role.VIEWER, Effect.READ, self._say_hello),
            "status": op(Role.VIEWER, Effect.READ, self._status),
            "device.list": op(Role.VIEWER, Effect.READ, self._devices),
            "device.get": op(Role.VIEWER, Effect.READ, self._one_device.get),
            "device.release": op(ROLES["release"], Effect.REPEATABLE, self._one_device.ordering("release")),
            "device.hold": op(ROLES["hold"], Effect.REPEATABLE, self._one_device.ordering("hold")),
            "device.retry": op(ROLES["retry"], Effect.REPEATABLE, self._one_device.ordering("retry")),
            "device.invoices": op(Role.VIEWER, Effect.READ, self._invoice, reads_device=True),
            "check": op(Role.OPERATOR, Effect.REPEATABLE, self._check),
            "prepare": op(Role.OPERATOR, Effect.READ, self._prepare, reads_device=True),
            "submit": op(Role.OPERATOR, Effect.REPEATABLE, self._submit),
            "job.get": op(Role.VIEWER, Effect.READ, self._job_get),
            "job.wait": op(Role.VIEWER, Effect.READ, self._job_wait),
            "job.list": op(Role.VIEWER, Effect.READ, read.jobs),
            "job.cancel": op(Role.OPERATOR, Effect.REPEATABLE, self._job_cancel),
            "job.resume": op(Role.TECHNICIAN, Effect.REPEATABLE, self._job_resume),
            "job.close": op(Role.TECHNICIAN, Effect.REPEATABLE, self._job_close),
            "job.answer": op(Role.OPERATOR, Effect.REPEATABLE, self._job_answer),
            "record.get": op(Role.VIEWER, Effect.READ, read.record),
            "record.list": op(Role.VIEWER, Effect.READ, read.records),
            "record.verify": op(Role.VIEWER, Effect.READ, read.proof),
            "events.since": op(Role.VIEWER, Effect.READ, read.events),
            "window.explain": op(Role.VIEWER, Effect.READ, read.window),
            "explain": op(Role.VIEWER, Effect.READ, read.meaning),
            "diagnose": op(Role.VIEWER, Effect.READ, read.diagnosis),
            "doctor": op(Role.VIEWER, Effect.READ, read.doctor),
            "drain": op(Role.ADMIN, Effect.REPEATABLE, self._drain),
            "pair.open": op(Role.ADMIN, Effect.REPEATABLE, self._clients.open),
            "pair.redeem": op(Role.VIEWER, Effect.REPEATABLE, self._clients.redeem),
            "client.list": op(Role.ADMIN, Effect.READ, self._clients.list),
            "client.role": op(Role.ADMIN, Effect.REPEATABLE, self._clients.role),
            "client.revoke": op(Role.ADMIN, Effect.REPEATABLE, self._clients.revoke),
        }

    def role_for(self, call: Call) -> Role:
        """Return the role that this very request needs: `late` asks for more than its op."""
        late = isinstance(call.args, m.PrepareArgs | m.SubmitArgs) and call.args.late
        return Role.TECHNICIAN if late else self.table[call.request.op].role

    def done_under_key(self, call: Call) -> bool | None:
        """Return whether what memory knows the keys of was done under this one; None: that cannot be told.

        Keys of jobs and of answers are the journal's to know.
        """
        who, key, args = call.who.name, call.request.key, call.args
        if isinstance(args, m.DrainArgs):
            return self._desk.knows_drain(who, args.boot, key)
        if isinstance(args, m.PairOpenArgs | m.PairRedeemArgs | m.ClientArgs):
            return self._clients.knows(call)
        return self._desk.knows_order(who, key) if call.op.keyed else False

    # ---- from memory

    def _say_hello(self, call: Call, args: m.NoArgs) -> None:
        call.ok(self._hello(call))

    def _status(self, call: Call, args: m.NoArgs) -> None:
        status = self._desk.status()
        known = self._ready.get(call.lang)
        if known is None or known[0] is not status:
            known = (status, packed(status_result(status, call.lang, self._live)))
            self._ready[call.lang] = known
        call.ok(known[1])

    def _devices(self, call: Call, args: m.NoArgs) -> None:
        call.ok(devices_result(self._desk.status(), call.lang))

    # ---- by the desk

    def _check(self, call: Call, args: m.CheckArgs) -> None:
        self._accept(call, _ask(call, args, JobKind.CHECK))

    def _submit(self, call: Call, args: m.SubmitArgs) -> None:
        kind = JobKind(args.kind)
        self._accept(call, _ask(call, args, kind, late=args.late, token=args.token))

    def _accept(self, call: Call, ask: Ask) -> None:
        end = self._keys.begin(call.who.name, ask.key)

        def done(answer: Accepted | AgentError) -> None:
            end()
            if isinstance(answer, AgentError):
                call.fail(answer)
            else:
                call.accepted(m.AcceptedResult(job=job_view(answer.job, call.lang), known=answer.known))

        try:
            self._desk.accept(call.who, ask, call.guarded(done))
        except BaseException:
            end()
            raise

    def _prepare(self, call: Call, args: m.PrepareArgs) -> None:
        def done(answer: Prepared | AgentError) -> None:
            if isinstance(answer, AgentError):
                call.fail(answer)
            else:
                call.ok(prepared_result(answer, call.lang))

        self._desk.prepare(call.who, _ask(call, args, JobKind(args.kind), late=args.late), call.guarded(done))

    def _invoice(self, call: Call, args: m.InvoiceArgs) -> None:
        def done(answer: FoundInvoice | AgentError) -> None:
            if isinstance(answer, AgentError):
                call.fail(answer)
                return
            self._readings.invoice(call, answer)

        ask = InvoiceAsk(
            device_no=args.device_no,
            code=args.code,
            number=args.number,
            qr=args.qr,
            sent_at_ms=call.request.sent_at,
            ttl_ms=call.request.ttl_ms,
        )
        self._desk.invoice(ask, call.guarded(done))

    def _job_cancel(self, call: Call, args: m.JobArgs) -> None:
        self._desk.cancel(call.who, args.job_id, self._told(call))

    def _job_resume(self, call: Call, args: m.JobArgs) -> None:
        self._desk.resume(call.who, args.job_id, self._told(call))

    def _job_close(self, call: Call, args: m.JobCloseArgs) -> None:
        self._desk.close(call.who, args.job_id, args.reason, self._told(call))

    def _job_answer(self, call: Call, args: m.JobAnswerArgs) -> None:
        answer = Answer(
            job_id=args.job_id, challenge_id=args.challenge_id, text=args.answer, key=call.request.key
        )
        end, told = self._keys.begin(call.who.name, answer.key), self._told(call)

        def done(result: Job | AgentError) -> None:
            end()
            told(result)

        try:
            self._desk.answer(call.who, answer, call.guarded(done))
        except BaseException:
            end()
            raise

    def _job(self, call: Call, job: Job) -> m.JobResult:
        return m.JobResult(job=self._waits.view(call, job))

    def _told(self, call: Call) -> Callable[[Job | AgentError], None]:
        def done(answer: Job | AgentError) -> None:
            if isinstance(answer, AgentError):
                call.fail(answer)
            else:
                call.ok(self._job(call, answer))

        return call.guarded(done)

    def _drain(self, call: Call, args: m.DrainArgs) -> None:
        def done(answer: Drained | AgentError) -> None:
            if isinstance(answer, AgentError):
                call.fail(answer)
            else:
                running = tuple(short_view(job, call.lang) for job in answer.running)
                call.ok(m.DrainResult(boot=args.boot, running=running, left=answer.left))

        self._desk.drain(call.who, args.boot, call.request.key, call.guarded(done))

    # ---- jobs, from memory first

    def _job_get(self, call: Call, args: m.JobGetArgs) -> None:
        if bool(args.job_id) == bool(args.key):
            call.fail(Refusal("BAD_REQUEST", what="form_one_of", field="job_id, key"))
            return

        def found(job: Job) -> None:
            call.ok(self._job(call, self._desk.live(job.job_id) or job))

        if args.job_id:
            self._with_job(call, args.job_id, found)
            return
        name, key, unknown = call.who.name, args.key, _KeyUnknown("KEY_UNKNOWN", key=args.key)
        # A request under this key may be at the desk just now: its answer is waited for.
        self._keys.after(
            name,
            key,
            lambda: self._readings.job_by_key(call, key, found, unknown),
        )

    def _job_wait(self, call: Call, args: m.JobWaitArgs) -> None:
        def found(job: Job) -> None:
            self._waits.park(call, args, self._desk.live(job.job_id) or job)

        self._with_job(call, args.job_id, found)

    def _with_job(self, call: Call, job_id: str, found: Callable[[Job], None]) -> None:
        job = self._desk.live(job_id)
        if job is not None:
            found(job)
        else:
            self._readings.job(call, job_id, found)


class _KeyUnknown(AgentError):
    """No job has the key now. The request may still be on its way until its ttl is over: not yet proved."""

    outcome = Outcome.UNKNOWN


def _ask(call: Call, args: m.CheckArgs, kind: JobKind, *, late: bool = False, token: str = "") -> Ask:
    request = call.request
    return Ask(
        kind=kind,
        device_no=args.device_no,
        taxpayer_id=args.taxpayer_id,
        types=args.types,
        periods=tuple(period(month) for month in args.periods),
        late=late,
        token=token,
        key=request.key,
        ref=request.ref,
        request_sha256=request_sha256(request.op, args),
        sent_at_ms=request.sent_at,
        ttl_ms=request.ttl_ms,
    )
