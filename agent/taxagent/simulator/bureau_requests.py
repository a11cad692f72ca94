"""A call as it reached the simulated bureau, and its reply. Knows paths and forms, no rule and no socket."""

from __future__ import annotations

import re
from typing import TypeVar
from urllib.parse import unquote

import msgspec

from taxagent.bureau.messages import VERSION, ChallengeMessage, Code, ErrorAnswer, Missing, Op
from taxagent.model.period import Period
from taxagent.model.value import Value, from_json, to_json

B = TypeVar("B", bound=Value)

_DEVICE = r"(?P<device_no>[0-9]{12})/(?P<group>[0-9A-Za-z+]{1,64})/(?P<period>[0-9]{4}-(?:0[1-9]|1[0-2]))"
_TAXPAYER = r"(?P<taxpayer_id>[0-9A-Z]{15,20})/(?P<period>[0-9]{4}-(?:0[1-9]|1[0-2]))"
_ROUTES: tuple[tuple[str, re.Pattern[str], Op], ...] = (
    ("GET", re.compile(rf"/{VERSION}/status"), Op.STATUS),
    ("PUT", re.compile(rf"/{VERSION}/reports/{_DEVICE}"), Op.REPORT_PUT),
    ("GET", re.compile(rf"/{VERSION}/reports/{_DEVICE}"), Op.REPORT_GET),
    ("GET", re.compile(rf"/{VERSION}/declarations/{_TAXPAYER}"), Op.DECLARATION_GET),
    ("PUT", re.compile(rf"/{VERSION}/tickets/{_DEVICE}"), Op.TICKET_PUT),
    ("GET", re.compile(rf"/{VERSION}/tickets/{_DEVICE}"), Op.TICKET_GET),
    ("PUT", re.compile(rf"/{VERSION}/confirmations/{_DEVICE}"), Op.CONFIRM),
    (
        "POST",
        re.compile(rf"/{VERSION}/challenges/(?P<challenge_id>[0-9A-Za-z._-]{{1,64}})"),
        Op.CHALLENGE_ANSWER,
    ),
)
_KEY = re.compile(r"[0-9a-f]{64}")


class Request(Value, frozen=True, kw_only=True):
    """One call. Fields that the call is not about are empty."""

    op: Op
    device_no: str = ""
    group: str = ""
    period: Period = Period("")
    taxpayer_id: str = ""
    challenge_id: str = ""
    key: str = ""
    agent: str = ""  # its User-Agent
    body: bytes = b""

    @property
    def about(self) -> str:
        """Device, group and period as one text: how the bureau files it."""
        return f"{self.device_no}/{self.group}/{self.period}"


class Reply(Value, frozen=True, kw_only=True):
    """An answer: status and JSON body."""

    status: int
    body: bytes


class BureauSaysNo(Exception):
    """The call is answered with an error."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        retry_after_s: float | None = None,
        missing: tuple[Missing, ...] = (),
        challenge: ChallengeMessage | None = None,
        minimum_agent_version: str = "",
    ) -> None:
        super().__init__(code)
        self.status = status
        self.answer = ErrorAnswer(
            code=code,
            text=text,
            retry_after_s=retry_after_s,
            missing=missing,
            challenge=challenge,
            minimum_agent_version=minimum_agent_version,
        )

    def reply(self) -> Reply:
        """Return the error as an answer."""
        return Reply(status=self.status, body=to_json(self.answer))


class ConnectionDropped(Exception):
    """The connection is to be cut without an answer."""


def request_of(method: str, target: str, key: str, body: bytes, agent: str = "") -> Request:
    """Return the call that `method` and `target` name; BureauSaysNo where there is none such."""
    path = unquote(target.partition("?")[0])
    for wanted, pattern, op in _ROUTES:
        match = pattern.fullmatch(path)
        if match and method == wanted:
            if op.method == "PUT" and not _KEY.fullmatch(key):
                raise BureauSaysNo(400, Code.BAD_REQUEST, "a write needs an Idempotency-Key of 64 hex digits")
            facts = match.groupdict()
            return Request(
                op=op,
                device_no=facts.get("device_no", ""),
                group=facts.get("group", ""),
                period=Period(facts.get("period", "")),
                taxpayer_id=facts.get("taxpayer_id", ""),
                challenge_id=facts.get("challenge_id", ""),
                key=key if op.method == "PUT" else "",
                agent=agent,
                body=body,
            )
    raise BureauSaysNo(404, Code.BAD_REQUEST, f"没有这个接口：{method} {path}")


def body_of(request: Request, kind: type[B]) -> B:
    """Return the body as `kind`; BureauSaysNo where it is not one."""
    try:
        return from_json(request.body, kind)
    except msgspec.MsgspecError as error:
        raise BureauSaysNo(400, Code.BAD_REQUEST, f"the body is no {kind.__name__}: {error}") from error
