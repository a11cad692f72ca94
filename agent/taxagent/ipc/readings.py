"""What is read for an answer where no loop may wait: the journal, holiday tables, the catalogue, files.

The work runs in a thread of its own; the answer is given in the loop's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from taxagent.ipc.calls import Call
from taxagent.ipc.errands import Errands
from taxagent.ipc.explain import explained
from taxagent.ipc.invoices import invoice_result, newest_record
from taxagent.ipc.notices import notice
from taxagent.ipc.views import line_view, proof_result, record_row, short_view
from taxagent.jobs.asks import DeskStatus, FoundInvoice, Role
from taxagent.model.errors import AgentError, Refusal
from taxagent.model.evidence import RecordProof
from taxagent.model.faults import Lang
from taxagent.model.job import Job
from taxagent.model.lines import CheckLine
from taxagent.ports import JournalReader
from taxclient.protocol import messages as m

T = TypeVar("T")
Explain = Callable[[m.WindowArgs, DeskStatus, Lang, Role], m.WindowResult]
Diagnose = Callable[[m.DiagnoseArgs, DeskStatus, Lang], m.DiagnoseResult]
Examine = Callable[[DeskStatus], tuple[CheckLine, ...]]
Page = Callable[[bytes, Lang], str]
Verify = Callable[[str], RecordProof | None]


@dataclass(kw_only=True)
class Answers:
    """What is asked outside the loop's thread: window.explain, diagnose, doctor, a page, a proof.

    `explain`, `diagnose` and `contact` are replaced where the configuration is read anew.
    """

    explain: Explain
    diagnose: Diagnose
    examine: Examine
    contact: str  # whom to ask for help
    page: Page
    verify: Verify


class Readings:
    """Serves what is read. `errands` is for short reads, `proofs` for those that may take seconds."""

    def __init__(
        self,
        reader: JournalReader,
        status: Callable[[], DeskStatus],
        answers: Answers,
        *,
        errands: Errands,
        proofs: Errands,
    ) -> None:
        self._reader = reader
        self._status = status
        self._answers = answers
        self._errands = errands
        self._proofs = proofs

    def job(self, call: Call, job_id: str, found: Callable[[Job], None]) -> None:
        """A job by its id."""
        self._read(call, lambda: self._reader.job(job_id), found, Refusal("JOB_UNKNOWN", job_id=job_id))

    def job_by_key(self, call: Call, key: str, found: Callable[[Job], None], unknown: AgentError) -> None:
        """The job of the caller's own key."""
        name = call.who.name
        self._read(call, lambda: self._reader.job_by_key(name, key), found, unknown)

    def invoice(self, call: Call, found: FoundInvoice) -> None:
        """An invoice, with the newest record that covers it."""
        self._read(call, lambda: invoice_result(found, newest_record(self._reader, found)), call.ok)

    def jobs(self, call: Call, args: m.JobListArgs) -> None:
        """A page of jobs."""

        def work() -> m.JobListResult:
            jobs = self._reader.jobs(
                device_no=args.device_no, live=args.live, before=args.before, limit=args.limit
            )
            following = jobs[-1].job_id if len(jobs) == args.limit else ""
            return m.JobListResult(jobs=tuple(short_view(job, call.lang) for job in jobs), next=following)

        self._read(call, work, call.ok)

    def record(self, call: Call, args: m.JobArgs) -> None:
        """A record, as JSON and as a page."""

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

    def records(self, call: Call, args: m.RecordListArgs) -> None:
        """A page of records."""

        def work() -> m.RecordListResult:
            jobs = self._reader.jobs(device_no=args.device_no, before=args.before, limit=args.limit)
            following = jobs[-1].job_id if len(jobs) == args.limit else ""
            rows = tuple(record_row(job) for job in jobs if job.record_sha256)
            return m.RecordListResult(records=rows, next=following)

        self._read(call, work, call.ok)

    def proof(self, call: Call, args: m.JobArgs) -> None:
        """Whether a record still stands."""

        def work() -> m.RecordVerifyResult | None:
            proof = self._answers.verify(args.job_id)
            return proof_result(proof) if proof is not None else None

        # Back-ups are read whole, in a thread of their own: no other question waits for that.
        self._read(call, work, call.ok, Refusal("RECORD_UNKNOWN", job_id=args.job_id), self._proofs)

    def events(self, call: Call, args: m.EventsArgs) -> None:
        """Rows of the journal as events."""

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

    def window(self, call: Call, args: m.WindowArgs) -> None:
        """What the windows allow."""
        status, role = self._status(), call.who.role
        # The holiday tables are loaded at the first question: not in the loop.
        self._read(call, lambda: self._answers.explain(args, status, call.lang, role), call.ok)

    def meaning(self, call: Call, args: m.ExplainArgs) -> None:
        """What a code or prompt means."""
        self._read(call, lambda: explained(args, call.lang), call.ok)

    def diagnosis(self, call: Call, args: m.DiagnoseArgs) -> None:
        """Why no invoices can be issued."""
        status = self._status()
        self._read(call, lambda: self._answers.diagnose(args, status, call.lang), call.ok)

    def doctor(self, call: Call, args: m.NoArgs) -> None:
        """What the agent finds of itself and its computer."""
        status = self._status()

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
