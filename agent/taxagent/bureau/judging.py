"""What an answer that is not 200 means, as an error of the agent (docs/bureau-gateway.md, "Errors").

Knows no retry. The rule: a 4xx, a 429 and a 503 with the gateway's own error body were certainly not carried
out; any other answer to a write leaves it unknown.
"""

from __future__ import annotations

import email.utils
import math

import msgspec

from taxagent import __version__
from taxagent.bureau.exchange import Call, RawAnswer
from taxagent.bureau.messages import ChallengeMessage, Code, ErrorAnswer
from taxagent.model.bureau import Machine
from taxagent.model.errors import AgentError, AnswerLost, BureauDown, BureauRefused, ChallengeAsked
from taxagent.model.value import from_json
from taxagent.ports import Clock

# A refusal whose code is a fault of our own catalogue; any other is BUREAU_REFUSED with the code beside it.
_OWN_FAULT: dict[str, str] = {
    Code.NOT_REPORTED: "NOT_REPORTED",
    Code.MACHINE_NOT_REPORTED: "MACHINE_NOT_REPORTED",
    Code.NOT_DECLARED: "NOT_DECLARED",
    Code.DECLARATION_MISMATCH: "DECLARATION_MISMATCH",
    Code.PERIOD_NOT_ENDED: "PERIOD_NOT_ENDED",
    Code.DEVICE_UNKNOWN: "DEVICE_UNREGISTERED",
    Code.AGENT_TOO_OLD: "BUREAU_VERSION",
    Code.AUTH: "BUREAU_AUTH",
    Code.CHALLENGE_WRONG: "CHALLENGE_WRONG",
}
_NOT_NOW: dict[str, str] = {
    Code.MAINTENANCE: "BUREAU_MAINTENANCE",
    Code.CHALLENGE: "CHALLENGE",
}

MOST_AWAY_S = 3600.0  # a slip of the gateway must not cost a shop its filing window


def error_of(call: Call, raw: RawAnswer, retry_after_s: float | None) -> AgentError:
    """Return the error that an answer with a status other than 200 stands for."""
    answer = _error_answer(raw)
    if answer is None:
        return _without_body(call, raw, retry_after_s)
    detail = _detail(answer)
    if raw.status in (429, 503):
        if answer.code == Code.CHALLENGE and answer.challenge is not None:
            return _asked(answer.challenge, retry_after_s)
        return _not_now(_NOT_NOW.get(answer.code, "BUREAU_BUSY"), retry_after_s, detail)
    if 400 <= raw.status < 500:
        fault = "BUREAU_AUTH" if raw.status == 401 else _OWN_FAULT.get(answer.code, "BUREAU_REFUSED")
        return BureauRefused(fault, **detail)
    return AnswerLost("ANSWER_LOST", **detail)


def _asked(challenge: ChallengeMessage, retry_after_s: float | None) -> ChallengeAsked:
    return ChallengeAsked(
        challenge.challenge_id,
        challenge.text,
        challenge.image,
        image_type=challenge.image_type,
        retry_after_s=retry_after_s,
    )


def garbled(call: Call, what: str) -> AgentError:
    """Return the error for an answer that cannot be used: after a write it leaves unknown what was done."""
    kind = AnswerLost if call.op.writes else BureauDown
    return kind("BUREAU_GARBLED", what=f"{call.op}: {what}")


def retry_after_s(raw: RawAnswer, clock: Clock) -> float | None:
    """Return for how many seconds the bureau asks us to stay away: its body's word, else the header's.

    At most MOST_AWAY_S; what is no such time counts as not said.
    """
    answer = _error_answer(raw)
    if answer is not None and answer.retry_after_s is not None:
        return _bounded(answer.retry_after_s)
    if raw.retry_after.isascii() and raw.retry_after.isdigit():
        return _bounded(float(raw.retry_after))
    try:
        when = email.utils.parsedate_to_datetime(raw.retry_after)
        return _bounded(when.timestamp() - clock.utc_ms() / 1000)
    except (ValueError, OverflowError):  # OverflowError: a date whose zone puts it before year 1
        return None


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), MOST_AWAY_S)


def _without_body(call: Call, raw: RawAnswer, retry_after_s: float | None) -> AgentError:
    """Return the error for an answer that some box between us and the gateway may have made."""
    what = f"{call.op}: status {raw.status} without the gateway's error body"
    if raw.status == 429:  # whoever says it: it is said instead of carrying out
        return _not_now("BUREAU_BUSY", retry_after_s, {"what": what})
    if 400 <= raw.status < 500:  # not carried out, by the meaning of 4xx; the address or a proxy is wrong
        return BureauDown("BUREAU_GARBLED", what=what)
    if raw.status >= 500:
        return AnswerLost("ANSWER_LOST", what=what)
    return garbled(call, what)


def _not_now(fault: str, retry_after_s: float | None, detail: dict[str, str]) -> BureauDown:
    error = BureauDown(fault, retry_after_s=retry_after_s, **detail)
    if retry_after_s is not None:
        error.detail["retry_after_s"] = str(math.ceil(retry_after_s))  # for the catalogue's words
    return error


def _error_answer(raw: RawAnswer) -> ErrorAnswer | None:
    try:
        return from_json(raw.body, ErrorAnswer)
    except msgspec.MsgspecError:
        return None


def _detail(answer: ErrorAnswer) -> dict[str, str]:
    """Return the facts for the catalogue's words; lists are comma-separated, each name once."""
    detail = {"bureau_code": answer.code}
    if answer.text:
        detail["bureau_text"] = detail["what"] = answer.text
    groups = dict.fromkeys(item.group for item in answer.missing if item.group and not item.device_no)
    machines = dict.fromkeys(
        str(Machine(device_no=item.device_no, terminal_no=item.terminal_no or 0))
        for item in answer.missing
        if item.device_no
    )
    periods = dict.fromkeys(item.period for item in answer.missing)
    if groups:
        detail["groups"] = ",".join(groups)
        detail["types"] = detail["groups"].replace("+", ",")
    if answer.minimum_agent_version:
        detail["expected"], detail["found"] = answer.minimum_agent_version, __version__
    if machines:
        detail["machines"] = ", ".join(machines)
    if periods:
        detail["period"] = ",".join(periods)
    return detail
