"""The ops: who may, what it does to the world, and how each is answered from desk, journal and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from taxagent.ipc.calls import Call, packed, request_sha256
from taxagent.ipc.devices import DeviceOps
from taxagent.ipc.errands import Errands
from taxagent.ipc.explain import explained
from taxagent.ipc.gate import KeysInFlight
from taxagent.ipc.invoices import invoice_result, newest_record
from taxagent.ipc.notices import notice
from taxagent.ipc.snapshots import LiveViews, devices_result, prepared_result, status_result
from taxagent.ipc.views import job_view, line_view, proof_result, record_row, short_view
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
from taxagent.model.evidence import RecordProof
from taxagent.model.faults import Lang
from taxagent.model.job import Effect, Job, JobKind, Outcome
from taxagent.model.lines import CheckLine
from taxagent.model.period import period
from taxagent.model.value import Value
from taxagent.ports import JournalReader
from taxclient.protocol import messages as m

T = TypeVar("T")
Hello = Callable[[Call], m.HelloResult]
Explain = Callable[[m.WindowArgs, DeskStatus, Lang, Role], m.WindowResult]
Diagnose = Callable[[m.DiagnoseArgs, DeskStatus, Lang], m.DiagnoseResult]
Examine = Callable[[DeskStatus], tuple[CheckLine, ...]]
Page = Callable[[bytes, Lang], str]
Verify = Callable[[str], RecordProof | None]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What is asked outside the loop's thread: window.explain, diagnose, doctor, a page, a proof."""

    explain: Explain
    diagnose: Diagnose
    examine: Examine
    contact: str  # whom to ask for help
    page: Page
    verify: Verify


class Operation(Value, frozen=True, kw_only=True):
    """An op as the agent sees it. `effect` is of the request itself, not of the job that it may make."""

    role: Role
    effect: Effect
    serve: Callable[[Call, Any], None]


class Operations:
    """Answers calls that passed the gate. Every method runs in the loop's thread and returns at once."""

    def __init__(
        self,
        *,
        desk: Desk,
        reader: JournalReader,
        errands: Errands,
        proofs: Errands,
        waits: Waits,
        keys: KeysInFlight,
        hello: Hello,
        answers: Answers,
    ) -> None:
        self._desk = desk
        self._reader = reader
        self._errands = errands
        self._proofs = proofs
        self._waits = waits
        self._keys = keys
        self._hello = hello
        self._answers = answers
        self._live = LiveViews()
        self._one_device = DeviceOps(desk)
        self._ready: dict[Lang, tuple[DeskStatus, msgspec.Raw]] = {}
        self.table: Mapping[str, Operation] = self._operations()

    def _operations(self) -> dict[str, Operation]:
        def op(role: Role, effect: Effect, serve: Callable[[Call, Any], None]) -> Operation:
            return Operation(role=role, effect=effect, serve=serve)

        return {
            "hello": op(Role.VIEWER, Effect.READ, self._say_hello),
            "status": op(Role.VIEWER, Effect.READ, self._status),
            "device.list": op(Role.VIEWER, Effect.READ, self._devices),
            "device.get": op(Role.VIEWER, Effect.READ, self._one_device.get),
            "device.release": op(ROLES["release"], Effect.REPEATABLE, self._one_device.ordering("release")),
            "device.hold": op(ROLES["hold"], Effect.REPEATABLE, self._one_device.ordering("hold")),
            "device.retry": op(ROLES["retry"], Effect.REPEATABLE, self._one_device.ordering("retry")),
            "device.invoices": op(Role.VIEWER, Effect.READ, self._invoice),
            "check": op(Role.OPERATOR, Effect.REPEATABLE, self._check),
            "prepare": op(Role.OPERATOR, Effect.READ, self._prepare),
            "submit": op(Role.OPERATOR, Effect.REPEATABLE, self._submit),
            "job.get": op(Role.VIEWER, Effect.READ, self._job_get),
            "job.wait": op(Role.VIEWER, Effect.READ, self._job_wait),
            "job.list": op(Role.VIEWER, Effect.READ, self._job_list),
            "job.cancel": op(Role.OPERATOR, Effect.REPEATABLE, self._job_cancel),
            "job.resume": op(Role.TECHNICIAN, Effect.REPEATABLE, self._job_resume),
            "job.close": op(Role.TECHNICIAN, Effect.REPEATABLE, self._job_close),
            "job.answer": op(Role.OPERATOR, Effect.REPEATABLE, self._job_answer),
            "record.get": op(Role.VIEWER, Effect.READ, self._record_get),
            "record.list": op(Role.VIEWER, Effect.READ, self._record_list),
            "record.verify": op(Role.VIEWER, Effect.READ, self._record_verify),
            "events.since": op(Role.VIEWER, Effect.READ, self._events_since),
            "window.explain": op(Role.VIEWER, Effect.READ, self._window_explain),
            "explain": op(Role.VIEWER, Effect.READ, self._explain),
            "diagnose": op(Role.VIEWER, Effect.READ, self._answer_why),
            "doctor": op(Role.VIEWER, Effect.READ, self._doctor),
            "drain": op(Role.ADMIN, Effect.REPEATABLE, self._drain),
        }

    def role_for(self, call: Call) -> Role:
        """Return the role that this very request needs: `late` asks for more than its op."""
        late = isinstance(call.args, m.PrepareArgs | m.SubmitArgs) and call.args.late
        return Role.TECHNICIAN if late else self.table[call.request.op].role

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
            found = answer
            self._read(call, lambda: invoice_result(found, newest_record(self._reader, found)), call.ok)

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
        self._desk.answer(call.who, answer, self._told(call))

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
            lambda: self._read(call, lambda: self._reader.job_by_key(name, key), found, unknown),
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
            unknown = Refusal("JOB_UNKNOWN", job_id=job_id)
            self._read(call, lambda: self._reader.job(job_id), found, unknown)

    # ---- from the journal

    def _job_list(self, call: Call, args: m.JobListArgs) -> None:
        def work() -> m.JobListResult:
            jobs = self._reader.jobs(
                device_no=args.device_no, live=args.live, before=args.before, limit=args.limit
            )
            following = jobs[-1].job_id if len(jobs) == args.limit else ""
            return m.JobListResult(jobs=tuple(short_view(job, call.lang) for job in jobs), next=following)

        self._read(call, work, call.ok)

    def _record_get(self, call: Call, args: m.JobArgs) -> None:
        def work() -> m.RecordResult | None:
            job, record = self._reader.job(args.job_id), self._reader.record(args.job_id)
            if job is None or record is None:
                return None
            return m.RecordResult(
                job_id=job.job_id,
                sha256=job.record_sha256,
                json=record.decode(),
                page=self._answers.page(record, call.lang),
            )

        self._read(call, work, call.ok, Refusal("RECORD_UNKNOWN", job_id=args.job_id))

    def _record_list(self, call: Call, args: m.RecordListArgs) -> None:
        def work() -> m.RecordListResult:
            jobs = self._reader.jobs(device_no=args.device_no, before=args.before, limit=args.limit)
            following = jobs[-1].job_id if len(jobs) == args.limit else ""
            rows = tuple(record_row(job) for job in jobs if job.record_sha256)
            return m.RecordListResult(records=rows, next=following)

        self._read(call, work, call.ok)

    def _record_verify(self, call: Call, args: m.JobArgs) -> None:
        def work() -> m.RecordVerifyResult | None:
            proof = self._answers.verify(args.job_id)
            return proof_result(proof) if proof is not None else None

        # Back-ups are read whole, in a thread of their own: no other question waits for that.
        self._read(call, work, call.ok, Refusal("RECORD_UNKNOWN", job_id=args.job_id), self._proofs)

    def _events_since(self, call: Call, args: m.EventsArgs) -> None:
        def work() -> m.EventsResult:
            last = self._reader.last_seq()
            rows = self._reader.events(args.since, args.limit)
            following = rows[-1][0] if rows else max(args.since, last)
            return m.EventsResult(
                events=tuple(notice(seq, event) for seq, event in rows),
                next=following,
                last=max(last, following),
            )

        self._read(call, work, call.ok)

    def _window_explain(self, call: Call, args: m.WindowArgs) -> None:
        status, role = self._desk.status(), call.who.role
        # The holiday tables are loaded at the first question: not in the loop.
        self._read(call, lambda: self._answers.explain(args, status, call.lang, role), call.ok)

    def _explain(self, call: Call, args: m.ExplainArgs) -> None:
        self._read(call, lambda: explained(args, call.lang), call.ok)

    def _answer_why(self, call: Call, args: m.DiagnoseArgs) -> None:
        status = self._desk.status()
        self._read(call, lambda: self._answers.diagnose(args, status, call.lang), call.ok)

    def _doctor(self, call: Call, args: m.NoArgs) -> None:
        status = self._desk.status()

        def work() -> m.DoctorResult:
            lines = self._answers.examine(status)
            return m.DoctorResult(
                lines=tuple(line_view(line, call.lang) for line in lines), contact=self._answers.contact
            )

        # The way to the bureau is tried, and the journal read whole: where no other question waits for it.
        self._read(call, work, call.ok, thread=self._proofs)

    def _read(
        self,
        call: Call,
        work: Callable[[], T | None],
        found: Callable[[T], None],
        missing: AgentError | None = None,
        thread: Errands | None = None,
    ) -> None:
        def done(answer: T | Exception | None) -> None:
            if isinstance(answer, AgentError):
                call.fail(answer)
            elif isinstance(answer, Exception):
                raise answer
            elif answer is None:
                call.fail(missing or AgentError("INTERNAL"))
            else:
                found(answer)

        (thread or self._errands).run(work, call.guarded(done))


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
