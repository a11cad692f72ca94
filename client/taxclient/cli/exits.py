"""taxctl's exit codes (docs/protocol.md, "taxctl"). Pure."""

from __future__ import annotations

from taxclient.protocol.errors import AgentUnavailable, ClientError, ProtocolError, RemoteError, Timeout
from taxclient.protocol.messages import JobView, Outcome, Retry

DONE = 0
DIFFERS = 1  # `record verify`: something is not what it was; `doctor`: something is bad
USAGE = 2
NOT_EXECUTED = 10
REFUSED = 11  # by a rule, the device or the bureau
UNKNOWN = 20
PARTLY = 21
WAITING = 30  # the job goes on by itself
NO_AGENT = 69
OUTPUT = 74  # done, but what was to be shown could not be written
NOT_ALLOWED = 77
INTERRUPTED = 130

_USAGE_CODES = frozenset(
    {"BAD_REQUEST", "UNKNOWN_OP", "TOO_LARGE", "KEY_CONFLICT", "QR_UNREADABLE", "MEANING_UNKNOWN"}
)
# Not done, and no rule, device or bureau said no: the request did not get that far.
_NO_RULE = frozenset(
    {
        *("RATE_LIMITED", "EXPIRED", "CLOCK_SKEW", "DRAINING", "VERIFYING", "JOURNAL_FULL", "INTERNAL"),
        *("DEVICE_ABSENT", "DEVICE_IN_USE", "DEVICE_UNKNOWN", "BUREAU_DOWN", "BUREAU_MAINTENANCE"),
        *(
            "JOB_UNKNOWN",
            "RECORD_UNKNOWN",
            "INVOICE_UNKNOWN",
            "JOB_ENDED",
            "CHALLENGE_OVER",
            "STATE_DIR_UNWRITABLE",
        ),
    }
)


class NotSent(ClientError):
    """taxctl sent nothing: no confirmation, no device named, the key not stored.

    `text` and `remedy` name sentences of words.TEXT.
    """

    retry = Retry.AFTER_FIX

    def __init__(self, code: str, text: str, remedy: str, detail: str = "", example: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.detail = detail
        self.remedy = remedy
        self.example = example  # the command that the remedy names


def of_job(job: JobView) -> int:
    """Return the code for a job as it stands."""
    if job.state == "done":
        return _of_lines(job)
    if job.state in ("accepted", "running", "waiting"):
        return WAITING
    if job.outcome == Outcome.UNKNOWN or job.state in ("unknown", "needs_human"):
        return UNKNOWN
    if job.outcome == Outcome.PARTLY_EXECUTED:
        return PARTLY
    if job.outcome == Outcome.EXECUTED:
        return DONE
    return REFUSED if job.state == "refused" else NOT_EXECUTED


def _of_lines(job: JobView) -> int:
    """Return the code for a check by its worst line; a job of another kind has none and is done."""
    states = {line.state for line in job.lines}
    return REFUSED if "fail" in states else UNKNOWN if "unknown" in states else DONE


def of_error(error: ClientError) -> int:
    """Return the code for a request that failed."""
    if malformed(error):
        return USAGE
    if isinstance(error, AgentUnavailable):
        return NO_AGENT
    if isinstance(error, Timeout) and not error.key:
        return NO_AGENT
    if error.outcome in (Outcome.UNKNOWN, Outcome.PARTLY_EXECUTED):
        return UNKNOWN if error.outcome == Outcome.UNKNOWN else PARTLY
    if not isinstance(error, RemoteError | NotSent):
        return NOT_EXECUTED
    if error.code == "NOT_ALLOWED":
        return NOT_ALLOWED
    if error.code in _USAGE_CODES or (isinstance(error, NotSent) and error.code == "TOKEN_NEEDED"):
        return USAGE  # the agent's own TOKEN_NEEDED is a rule's no
    return NOT_EXECUTED if error.code in _NO_RULE else REFUSED


def malformed(error: ClientError) -> bool:
    """Whether our own checks found the request out of form, before anything was sent."""
    return isinstance(error, ProtocolError) and error.code != ProtocolError.code
