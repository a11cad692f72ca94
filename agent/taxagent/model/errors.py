"""The agent's errors. Each knows its code in the fault catalogue and whether the thing was done.

AgentError
├── Refusal              a rule, the device or the bureau says no; nothing was changed by the refused step
│   ├── DeviceRefused    the device answered with a refusal (vendor code kept)
│   │   └── PasswordRefused
│   ├── BureauRefused    the bureau answered with a refusal (its words kept)
│   ├── ClaimTaken       a live job works on the same device, group and period
│   ├── KeyTaken         the key belongs to another job
│   └── TokenSpent       the token was never issued, or was redeemed before
├── Unavailable          not now; certainly not executed; the job waits
│   ├── DeviceAbsent
│   ├── DeviceInUse
│   │   └── DeviceLent  given up for others, until somebody lets the agent use it again
│   └── BureauDown
│       └── ChallengeAsked
├── AnswerLost           the request may have been executed: unknown until read
├── NeedsHuman           facts disagree; nothing more is done by itself
├── Interrupted          the agent stops before the next irreversible step (drain, cancel)
├── InstanceRunning      another agent owns the state directory
├── StateDirUnwritable   the state directory cannot be made or written
└── JournalError
    ├── JournalFull      nothing was written
    ├── JournalUnknown   a commit raised: it may be durable; the process must end
    └── JournalRefused   the file is not ours, newer, broken, or owned by another process
        └── JournalBroken  a row is missing, changed or out of place
"""

from __future__ import annotations

from taxagent.model.job import Outcome, Problem


class AgentError(Exception):
    """Root of all errors of the agent. `fault` is a code of the fault catalogue."""

    outcome: Outcome = Outcome.NOT_EXECUTED

    def __init__(self, fault: str, *, device_code: str = "", **detail: str) -> None:
        super().__init__(fault, detail)
        self.fault = fault
        self.device_code = device_code
        self.detail = detail

    def problem(self) -> Problem:
        """Return the error as a value for the journal and the wire."""
        return Problem(
            fault=self.fault,
            outcome=self.outcome,
            detail=self.detail,
            device_code=self.device_code,
        )

    def __str__(self) -> str:
        facts = " ".join(f"{key}={value}" for key, value in self.detail.items())
        return f"{self.fault} {facts}".strip()


class Refusal(AgentError):
    """A rule, the device or the bureau says no; the refused step changed nothing."""


class DeviceRefused(Refusal):
    """The device answered with a refusal; `device_code` is its code in hex."""


class PasswordRefused(DeviceRefused):
    """The device refused the password. Never tried again until the password is changed."""

    def __init__(self, tries_left: int, *, device_code: str = "") -> None:
        super().__init__("PASSWORD_WRONG", device_code=device_code, tries_left=str(tries_left))
        self.tries_left = tries_left


class BureauRefused(Refusal):
    """The bureau answered with a refusal; detail["bureau_text"] has its words."""


class ClaimTaken(Refusal):
    """A live job holds the claim; `job_id` is that job."""

    def __init__(self, job_id: str, *, group: str = "", period: str = "") -> None:
        super().__init__("JOB_IN_PROGRESS", job_id=job_id, group=group, period=period)
        self.job_id = job_id


class KeyTaken(Refusal):
    """The principal's key belongs to the job `job_id`."""

    def __init__(self, job_id: str) -> None:
        super().__init__("KEY_CONFLICT", job_id=job_id)
        self.job_id = job_id


class TokenSpent(Refusal):
    """The token was never issued, or was redeemed before."""

    def __init__(self) -> None:
        super().__init__("TOKEN_INVALID")


class Unavailable(AgentError):
    """Not now, and certainly not executed: the job waits."""


class DeviceAbsent(Unavailable):
    """The device is not plugged (any more); the command was not sent."""


class DeviceInUse(Unavailable):
    """Another program or driver holds the device; detail["holder"] says which, where known."""


class DeviceLent(DeviceInUse):
    """A person had the agent leave the device to others; `until_ms` is when it takes it again, or None."""

    def __init__(self, *, until_ms: int | None = None, **detail: str) -> None:
        super().__init__("DEVICE_RELEASED", **detail)
        self.until_ms = until_ms


class BureauDown(Unavailable):
    """The bureau cannot be reached, or is in maintenance; the request was not carried out.

    `retry_after_s` is the bureau's own Retry-After in seconds, or None.
    """

    def __init__(self, fault: str, *, retry_after_s: float | None = None, **detail: str) -> None:
        super().__init__(fault, **detail)
        self.retry_after_s = retry_after_s


class ChallengeAsked(BureauDown):
    """The bureau wants a verification code (验证码) first; the request was not carried out.

    A person reads the question, `Bureau.answer_challenge` takes the answer, then the same call is made again.
    """

    def __init__(
        self,
        challenge_id: str,
        question: str,
        image: bytes = b"",
        *,
        image_type: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        """`image` is empty where the question is text alone; `image_type` is its MIME type."""
        super().__init__(
            "CHALLENGE", retry_after_s=retry_after_s, challenge_id=challenge_id, bureau_text=question
        )
        self.challenge_id = challenge_id
        self.question = question
        self.image = image
        self.image_type = image_type


class AnswerLost(AgentError):
    """The request was sent and may have been executed; only reading tells."""

    outcome = Outcome.UNKNOWN


class NeedsHuman(AgentError):
    """Facts disagree: detail holds them. Nothing more is done until a person decides."""

    outcome = Outcome.UNKNOWN


class Interrupted(AgentError):
    """The agent stops before the next irreversible step; the job goes on later or ends STOPPED."""


class InstanceRunning(AgentError):
    """Another agent owns the state directory; detail: pid, boot, since (ms UTC), host, config, path."""

    def __init__(self, **owner: str) -> None:
        super().__init__("INSTANCE_RUNNING", **owner)


class StateDirUnwritable(AgentError):
    """The state directory cannot be made or written; detail: path, what, remedy."""

    def __init__(self, path: str, what: str, remedy: str) -> None:
        super().__init__("STATE_DIR_UNWRITABLE", path=path, what=what, remedy=remedy)


class JournalError(AgentError):
    """Root of the journal's errors."""


class JournalFull(JournalError):
    """Nothing was written: JOURNAL_FULL (disk full or read-only) or JOURNAL_UNWRITABLE (another cause).

    detail: path, and as `what` and `reason` SQLite's name of the error, or "reserve" where the last free
    space is spared.
    """


class JournalUnknown(JournalError):
    """A commit raised and may be durable all the same. The process commits nothing more and ends."""

    outcome = Outcome.UNKNOWN


class JournalRefused(JournalError):
    """The journal cannot be used: missing, not ours, of a newer schema, unreadable or broken.

    detail: reason ("missing", "headless", "foreign", "newer", "unreadable", "no_wal", "broken"), what, path
    and remedy.
    """


class JournalBroken(JournalRefused):
    """The journal contradicts itself; `seq` is the first bad row, 0 where no row can be named."""

    def __init__(self, what: str, *, seq: int = 0) -> None:
        super().__init__("JOURNAL_REFUSED", reason="broken", what=what, seq=str(seq))
        self.seq = seq
