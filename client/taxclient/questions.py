"""What each op asks and what is taken from its answer, for both drivers. Knows no sockets and no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from taxclient.conversation import new_key
from taxclient.protocol import messages as m

R = TypeVar("R")
Keep = Callable[[str, int, int], None]  # (key, sent_at, ttl_ms), called before the send
PREPARE_MS = 90_000  # opening and reading a device takes up to 60 s
DOCTOR_MS = 60_000  # the way to the bureau is tried, and the journal read whole
VERIFY_MS = 120_000  # the back-ups of a year are read from a slow disk


class Question(msgspec.Struct, Generic[R], frozen=True):
    """A request with the part of its result that is asked for."""

    op: str
    args: m.Args
    take: Callable[[Any], R]
    timeout_ms: int = 0  # of the answer; 0 = the client's own
    longer_ms: int = 0  # added to the client's own
    key: str = ""
    ref: str = ""
    keep: Keep | None = None


def _whole(result: R) -> R:
    return result


def _job(result: m.JobResult) -> m.JobView:
    return result.job


def drain(boot: str, key: str) -> Question[m.DrainResult]:
    """An agent that is to stop."""
    return Question("drain", m.DrainArgs(boot=boot), _whole, key=key or new_key())


def pair_open(name: str, role: str, key: str) -> Question[m.PairOpenResult]:
    """One client more."""
    return Question("pair.open", m.PairOpenArgs(name=name, role=role), _whole, key=key or new_key())


def pair_redeem(public_key: str, key: str) -> Question[m.ClientResult]:
    """A code that is redeemed."""
    return Question("pair.redeem", m.PairRedeemArgs(public_key=public_key), _whole, key=key or new_key())


def clients() -> Question[m.ClientsResult]:
    """All clients."""
    return Question("client.list", m.NoArgs(), _whole)


def client_role(name: str, role: str, key: str) -> Question[m.ClientResult]:
    """A client that gets another role."""
    return Question("client.role", m.ClientRoleArgs(name=name, role=role), _whole, key=key or new_key())


def client_revoke(name: str, key: str) -> Question[m.ClientResult]:
    """A client whose key is taken away."""
    return Question("client.revoke", m.ClientArgs(name=name), _whole, key=key or new_key())


def hello() -> Question[m.HelloResult]:
    """Who answers."""
    return Question("hello", m.NoArgs(), _whole)


def status() -> Question[m.StatusResult]:
    """Devices, bus, live jobs."""
    return Question("status", m.NoArgs(), _whole)


def devices() -> Question[m.DevicesResult]:
    """Devices and bus."""
    return Question("device.list", m.NoArgs(), _whole)


def device(device_no: str) -> Question[m.DeviceResult]:
    """One device."""
    return Question("device.get", m.DeviceArgs(device_no=device_no), _whole)


def release(device_no: str, minutes: int, key: str) -> Question[m.DeviceResult]:
    """A device that is to be left to others."""
    args = m.ReleaseArgs(device_no=device_no, minutes=minutes)
    return Question("device.release", args, _whole, key=key or new_key())


def hold(device_no: str, key: str) -> Question[m.DeviceResult]:
    """A device that is to be used again."""
    return Question("device.hold", m.DeviceArgs(device_no=device_no), _whole, key=key or new_key())


def retry(device_no: str, key: str) -> Question[m.DeviceResult]:
    """A device that is to be tried again."""
    return Question("device.retry", m.DeviceArgs(device_no=device_no), _whole, key=key or new_key())


def invoice(args: m.InvoiceArgs, timeout_ms: int) -> Question[m.InvoiceResult]:
    """An invoice on its device."""
    return Question("device.invoices", args, _whole, timeout_ms=timeout_ms)


def explain_window(year: int, device_no: str, at: str) -> Question[m.WindowResult]:
    """Deadlines, and which windows are open."""
    return Question("window.explain", m.WindowArgs(year=year, device_no=device_no, at=at), _whole)


def explain(what: str) -> Question[m.ExplainResult]:
    """What a code or a prompt means."""
    return Question("explain", m.ExplainArgs(what=what), _whole)


def diagnose(device_no: str) -> Question[m.DiagnoseResult]:
    """Whether invoices can be issued."""
    return Question("diagnose", m.DiagnoseArgs(device_no=device_no), _whole)


def doctor() -> Question[m.DoctorResult]:
    """What the agent finds of itself."""
    return Question("doctor", m.NoArgs(), _whole, timeout_ms=DOCTOR_MS)


def prepare(args: m.PrepareArgs, timeout_ms: int) -> Question[m.PreparedResult]:
    """What is to be confirmed."""
    return Question("prepare", args, _whole, timeout_ms=timeout_ms)


def check(args: m.CheckArgs, key: str, ref: str, keep: Keep | None) -> Question[m.AcceptedResult]:
    """A check job."""
    return Question("check", args, _whole, key=key or new_key(), ref=ref, keep=keep)


def submit(args: m.SubmitArgs, key: str, ref: str, keep: Keep | None) -> Question[m.AcceptedResult]:
    """A job."""
    return Question("submit", args, _whole, key=key or new_key(), ref=ref, keep=keep)


def job(job_id: str) -> Question[m.JobView]:
    """A job by its id."""
    return Question("job.get", m.JobGetArgs(job_id=job_id), _job)


def job_by_key(key: str) -> Question[m.JobView]:
    """A job by its key."""
    return Question("job.get", m.JobGetArgs(key=key), _job)


def wait(job_id: str, rev: str, until: str, timeout_ms: int) -> Question[m.JobWaitResult]:
    """A job once it is another."""
    args = m.JobWaitArgs(job_id=job_id, rev=rev, until=until, timeout_ms=timeout_ms)
    return Question("job.wait", args, _whole, longer_ms=timeout_ms)


def jobs(args: m.JobListArgs) -> Question[m.JobListResult]:
    """A page of jobs."""
    return Question("job.list", args, _whole)


def cancel(job_id: str) -> Question[m.JobView]:
    """A job that is to stop."""
    return Question("job.cancel", m.JobArgs(job_id=job_id), _job)


def resume(job_id: str) -> Question[m.JobView]:
    """A job that is to go on."""
    return Question("job.resume", m.JobArgs(job_id=job_id), _job)


def close_job(job_id: str, reason: str) -> Question[m.JobView]:
    """A job that is to end as it stands."""
    return Question("job.close", m.JobCloseArgs(job_id=job_id, reason=reason), _job)


def answer(job_id: str, challenge_id: str, text: str, key: str) -> Question[m.JobView]:
    """A job that goes on with a person's answer."""
    args = m.JobAnswerArgs(job_id=job_id, challenge_id=challenge_id, answer=text)
    return Question("job.answer", args, _job, key=key or new_key())


def record(job_id: str) -> Question[m.RecordResult]:
    """A record."""
    return Question("record.get", m.JobArgs(job_id=job_id), _whole)


def verify_record(job_id: str, timeout_ms: int) -> Question[m.RecordVerifyResult]:
    """Whether a record still stands."""
    return Question("record.verify", m.JobArgs(job_id=job_id), _whole, timeout_ms=timeout_ms)


def records(args: m.RecordListArgs) -> Question[m.RecordListResult]:
    """A page of records."""
    return Question("record.list", args, _whole)


def events_since(since: int, limit: int = 200) -> Question[m.EventsResult]:
    """The journal's events after a seq."""
    return Question("events.since", m.EventsArgs(since=since, limit=limit), _whole)
