"""The journal's event rows, typed, and how each moves a job. Pure: rows in, values out.

A row is stored as canonical JSON with the tag `event`; a released event type never changes its meaning
and never loses a field (docs/operations.md, "Journal").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from taxagent.model.bureau import Ticket
from taxagent.model.device import TriedPassword
from taxagent.model.job import (
    Backup,
    Baseline,
    Confirmed,
    Job,
    JobKind,
    JobState,
    Outcome,
    Problem,
    Reading,
    Scope,
    StepId,
    StepRun,
    StoredTicket,
    Wait,
)
from taxagent.model.lines import CheckLine


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """A row of the journal. `at_ms` is real UTC; `sim_ms` the simulated time where there is one."""

    at_ms: int
    sim_ms: int | None = None


class JobEvent(Event, frozen=True, kw_only=True):
    """An event of one job."""

    job_id: str


class AgentStarted(Event, frozen=True, kw_only=True, tag="agent.started"):
    """The process took the journal."""

    boot: str
    version: str
    pid: int
    simulated: bool


class AgentStopped(Event, frozen=True, kw_only=True, tag="agent.stopped"):
    """The process gave the journal back in good order; `principal` asked for it, "" where a signal did."""

    boot: str
    reason: str
    principal: str = ""
    key: str = ""


class AgentReloaded(Event, frozen=True, kw_only=True, tag="agent.reloaded"):
    """The configuration was read anew: `changed` are the keys that took effect, or it was `refused`."""

    boot: str
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()  # keys that differ and hold until then
    refused: str = ""  # the fault's code; the old configuration holds
    at_key: str = ""  # the key that it was refused for, where it is known


class TokenIssued(Event, frozen=True, kw_only=True, tag="token.issued"):
    """`prepare` showed a state and gave a token for it; only the token's hash is kept."""

    token_sha256: str
    principal: str
    kind: JobKind
    scope: Scope
    confirmed: Confirmed
    expires_ms: int


class PasswordTried(Event, frozen=True, kw_only=True, tag="password.tried"):
    """A password is about to be tried on a device, was accepted, or was refused."""

    device_no: str
    tried: TriedPassword


class DeviceEvent(Event, frozen=True, kw_only=True):
    """An event of one device, whichever jobs there are. standing.py says what each does to it."""

    device_no: str


class DeviceHung(DeviceEvent, frozen=True, kw_only=True, tag="device.hung"):
    """A command to the device did not return within `limit_s` seconds; its thread was given up."""

    location: str
    command: str
    limit_s: int
    arrival: str = ""  # which plugging it was (SeenDevice.arrival)


class DeviceQuarantined(DeviceEvent, frozen=True, kw_only=True, tag="device.quarantined"):
    """It hung `times` times: it is not touched again at this place until a person has been there."""

    location: str
    times: int
    arrival: str = ""


class DeviceFreed(DeviceEvent, frozen=True, kw_only=True, tag="device.freed"):
    """What is known of its hanging counts no more: it came anew, or a person wants it tried again."""

    how: Literal["replugged", "retry"]
    principal: str = ""
    key: str = ""
    request_sha256: str = ""


class DeviceReleased(DeviceEvent, frozen=True, kw_only=True, tag="device.released"):
    """A person has the agent leave the device alone, until `until_ms` (UTC) or until it is taken again."""

    location: str
    until_ms: int | None
    principal: str
    key: str
    request_sha256: str
    arrival: str = ""


class DeviceHeld(DeviceEvent, frozen=True, kw_only=True, tag="device.held"):
    """A person lets the agent use the device again."""

    principal: str
    key: str
    request_sha256: str


class ClientEvent(Event, frozen=True, kw_only=True):
    """An event of the clients that come by TCP with a key of their own; `name` is the client's."""

    name: str


class PairingOpened(ClientEvent, frozen=True, kw_only=True, tag="pairing.opened"):
    """One client more may come, with a code that is written nowhere, until `expires_ms`."""

    role: str
    principal: str
    key: str
    expires_ms: int


class PairingClosed(ClientEvent, frozen=True, kw_only=True, tag="pairing.closed"):
    """The code counts no more; a restart closes it without a row."""

    how: Literal["redeemed", "expired", "tries", "replaced"]


class ClientPaired(ClientEvent, frozen=True, kw_only=True, tag="client.paired"):
    """A client redeemed its code with its own public key (Z85). `principal` had opened the pairing."""

    role: str
    public_key: str
    principal: str
    key: str


class ClientRoleChanged(ClientEvent, frozen=True, kw_only=True, tag="client.role_changed"):
    """The client's role from now on."""

    role: str
    principal: str
    key: str
    request_sha256: str


class ClientRevoked(ClientEvent, frozen=True, kw_only=True, tag="client.revoked"):
    """The client's key counts no more, on a live connection neither."""

    principal: str
    key: str
    request_sha256: str


class ClientRefused(ClientEvent, frozen=True, kw_only=True, tag="client.refused"):
    """Someone was not let in, told once a key and start; `name` where the key is a revoked client's."""

    reason: Literal["unknown", "revoked", "wrong_code", "not_local", "plain", "server_key", "broken_off"]
    address: str = ""
    public_key: str = ""


class JobAccepted(JobEvent, frozen=True, kw_only=True, tag="job.accepted"):
    """The job is durable; the key belongs to it for ever."""

    kind: JobKind
    scope: Scope
    claims: tuple[tuple[str, str], ...]  # (group, period); empty for kinds that write nothing
    principal: str
    key: str
    request_sha256: str  # of the canonical decoded {op, args without token}
    ref: str = ""
    late: bool = False
    token_sha256: str = ""  # redeemed here, "" under consent
    confirmed: Confirmed | None = None


class JobRunning(JobEvent, frozen=True, kw_only=True, tag="job.running"):
    """A thread took the job (first, after a wait, after a restart)."""

    boot: str


class JobWaiting(JobEvent, frozen=True, kw_only=True, tag="job.waiting"):
    """The job gave its thread back."""

    wait: Wait


class JobUnknown(JobEvent, frozen=True, kw_only=True, tag="job.unknown"):
    """The job was interrupted; it is settled by reading device and bureau."""

    problem: Problem


class JobNeedsHuman(JobEvent, frozen=True, kw_only=True, tag="job.needs_human"):
    """Reading did not settle it: the facts disagree."""

    problem: Problem


class CancelRequested(JobEvent, frozen=True, kw_only=True, tag="job.cancel_requested"):
    """Someone asked to stop before the next irreversible step."""

    principal: str


class JobResumed(JobEvent, frozen=True, kw_only=True, tag="job.resumed"):
    """A person lets a job that needed one, or that waits, go on now."""

    principal: str


class ChallengeAnswered(JobEvent, frozen=True, kw_only=True, tag="challenge.answered"):
    """A person answered the bureau's verification code (what is nowhere); the job goes on with it."""

    challenge_id: str
    principal: str
    key: str


class StepBegun(JobEvent, frozen=True, kw_only=True, tag="step.begun"):
    """Committed before the act. `baseline` for irreversible steps."""

    id: StepId
    baseline: Baseline | None = None
    facts: dict[str, str] = {}


class StepEnded(JobEvent, frozen=True, kw_only=True, tag="step.ended"):
    """Committed after the act, with what is known of it."""

    id: StepId
    outcome: Outcome
    note: str = ""
    facts: dict[str, str] = {}


class StateRead(JobEvent, frozen=True, kw_only=True, tag="state.read"):
    """The device's state for the record: `when` is "before" (once) or "after" (the newest counts)."""

    when: Literal["before", "after"]
    reading: Reading


class CheckMade(JobEvent, frozen=True, kw_only=True, tag="check.made"):
    """What a check found, line by line; a later one of the same job stands instead."""

    lines: tuple[CheckLine, ...]


class BackupWritten(JobEvent, frozen=True, kw_only=True, tag="backup.written"):
    """A back-up was written, renamed into place and read back."""

    backup: Backup


class TicketStored(JobEvent, frozen=True, kw_only=True, tag="ticket.stored"):
    """A ticket, durable before it is used. A later one of the same group supersedes it."""

    group: str
    ticket: Ticket


class JobEnded(JobEvent, frozen=True, kw_only=True, tag="job.ended"):
    """The job's one end, with its record (JSON of records.ClearingRecord)."""

    state: JobState
    outcome: Outcome
    problem: Problem | None
    record: msgspec.Raw
    record_sha256: str


AnyJobEvent = (
    JobAccepted
    | JobRunning
    | JobWaiting
    | JobUnknown
    | JobNeedsHuman
    | JobResumed
    | ChallengeAnswered
    | CancelRequested
    | StepBegun
    | StepEnded
    | StateRead
    | CheckMade
    | BackupWritten
    | TicketStored
    | JobEnded
)
AnyDeviceEvent = DeviceHung | DeviceQuarantined | DeviceFreed | DeviceReleased | DeviceHeld
AnyClientEvent = (
    PairingOpened | PairingClosed | ClientPaired | ClientRoleChanged | ClientRevoked | ClientRefused
)
AnyAgentEvent = AgentStarted | AgentStopped | AgentReloaded
AnyEvent = AnyAgentEvent | TokenIssued | PasswordTried | AnyDeviceEvent | AnyClientEvent | AnyJobEvent


def encode_event(event: AnyEvent) -> bytes:
    """Return the bytes that are stored and chained."""
    return msgspec.json.encode(event)


def decode_event(data: bytes) -> AnyEvent:
    """Return the event that `data` holds; raises msgspec.ValidationError for an unknown one."""
    return _DECODER.decode(data)


_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def accepted(event: JobAccepted) -> Job:
    """Return the job that an accept makes."""
    return Job(
        job_id=event.job_id,
        kind=event.kind,
        scope=event.scope,
        principal=event.principal,
        key=event.key,
        ref=event.ref,
        late=event.late,
        accepted_ms=event.at_ms,
        state=JobState.ACCEPTED,
        confirmed=event.confirmed,
    )


def applied(job: Job, event: AnyJobEvent) -> Job:
    """Return `job` after `event`. The one place that says what an event does to a job."""
    change = msgspec.structs.replace
    match event:
        case JobAccepted():
            return accepted(event)
        case JobRunning():
            return change(job, state=JobState.RUNNING, wait=None, problem=None, outcome=job.outcome_so_far)
        case JobWaiting(wait=wait):
            return change(job, state=JobState.WAITING, wait=wait)
        case JobUnknown(problem=problem):
            return change(job, state=JobState.UNKNOWN, problem=problem, wait=None, outcome=Outcome.UNKNOWN)
        case JobNeedsHuman(problem=problem):
            stuck = JobState.NEEDS_HUMAN
            return change(job, state=stuck, problem=problem, wait=None, outcome=problem.outcome)
        case JobResumed():
            state = JobState.UNKNOWN if job.open_steps else JobState.ACCEPTED
            return change(job, state=state, problem=None, wait=None, cancel_requested=False)
        case ChallengeAnswered():
            state = JobState.UNKNOWN if job.open_steps else JobState.ACCEPTED
            return change(job, state=state, wait=None)
        case CancelRequested():
            return change(job, cancel_requested=True)
        case StepBegun():
            return _told(change(job, steps=_with(job.steps, _begun(event))))
        case StepEnded():
            return _told(change(job, steps=_with(job.steps, _ended(job, event))))
        case StateRead(when="before", reading=reading):
            return change(job, before=job.before or reading)
        case StateRead(reading=reading):
            return change(job, after=reading)
        case CheckMade(lines=lines):
            return change(job, lines=lines)
        case BackupWritten(backup=backup):
            return change(job, backups=(*job.backups, backup))
        case TicketStored(group=group, ticket=ticket):
            others = tuple(t for t in job.tickets if t.group != group)
            return change(job, tickets=(*others, StoredTicket(group=group, ticket=ticket)))
        case JobEnded():
            return change(
                job,
                state=event.state,
                outcome=event.outcome,
                problem=event.problem,
                wait=None,
                ended_ms=event.at_ms,
                record_sha256=event.record_sha256,
            )


def _told(job: Job) -> Job:
    """Keep the outcome true while steps begin and end."""
    return msgspec.structs.replace(job, outcome=job.outcome_so_far)


def replayed(events: Iterable[AnyJobEvent]) -> Job:
    """Return the job that its events, oldest first, make. ValueError if the first is no accept."""
    stream = iter(events)
    first = next(stream, None)
    if not isinstance(first, JobAccepted):
        msg = "a job's first event is its accept"
        raise ValueError(msg)  # noqa: TRY004 - the order of values is wrong, not a type
    job = accepted(first)
    for event in stream:
        job = applied(job, event)
    return job


def _begun(event: StepBegun) -> StepRun:
    return StepRun(
        id=event.id,
        outcome=Outcome.UNKNOWN,
        begun_ms=event.at_ms,
        baseline=event.baseline,
        facts=event.facts,
    )


def _ended(job: Job, event: StepEnded) -> StepRun:
    begun = job.run_of(event.id)
    return StepRun(
        id=event.id,
        outcome=event.outcome,
        begun_ms=begun.begun_ms if begun else event.at_ms,
        ended_ms=event.at_ms,
        baseline=begun.baseline if begun else None,
        note=event.note,
        facts={**(begun.facts if begun else {}), **event.facts},
    )


def _with(steps: tuple[StepRun, ...], run: StepRun) -> tuple[StepRun, ...]:
    if any(old.id == run.id for old in steps):
        return tuple(run if old.id == run.id else old for old in steps)
    return (*steps, run)
