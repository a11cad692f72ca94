"""What holds for every call at the simulated bureau: maintenance, oldest version, log-in, certificate, pace.

Said in its scenario, changed by its control connection, and gone back to the scenario at the next start.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from taxagent.bureau.messages import Code, MaintenanceMessage, Op
from taxagent.model.bureau import is_older
from taxagent.model.simtime import SHANGHAI
from taxagent.model.value import Value
from taxagent.simulator.bureau_requests import BureauSaysNo, Request

LocalTime = Annotated[dt.datetime, Meta(tz=False)]
LONGEST_PACE_S = 120.0
Version = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)*$")]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_PACE_S)]
_AGENT = re.compile(r"taxagent/([0-9]+(?:\.[0-9]+)*)")


class Certificate(StrEnum):
    """What the bureau shows to who connects from now on."""

    RIGHT = "right"
    FOREIGN = "foreign"  # of another authority
    EXPIRED = "expired"  # of the right authority, and over since yesterday


class MaintenanceTime(Value, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A time without service, as a wall clock in Shanghai shows it."""

    from_: LocalTime
    until: LocalTime
    text: str = "系统升级维护"

    def message(self) -> MaintenanceMessage:
        """Return it as `status` tells it."""
        return MaintenanceMessage(from_ms=_ms(self.from_), until_ms=_ms(self.until), text=self.text)


class Conditions(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them; the defaults are a good day."""

    maintenance: MaintenanceTime | None = None
    notices: tuple[str, ...] = ()
    minimum_agent_version: Version = "0.1.0"
    refuses_login: bool = False  # 401 AUTH to every call
    certificate: Certificate = Certificate.RIGHT
    pace_s: Seconds = 0.0  # how long each answer takes

    def stop(self, request: Request, now_ms: int) -> None:
        """Raise BureauSaysNo where the call is not taken at all."""
        if self.refuses_login:
            raise BureauSaysNo(401, Code.AUTH, "无法登录：用户名或密码错误，或证书已被停用")
        if request.op is Op.STATUS:
            return
        if _is_older(request.agent, self.minimum_agent_version):
            raise BureauSaysNo(
                426,
                Code.AGENT_TOO_OLD,
                f"程序版本过低，最低为 {self.minimum_agent_version}",
                minimum_agent_version=self.minimum_agent_version,
            )
        if self.maintenance is not None:
            announced = self.maintenance.message()
            if announced.from_ms <= now_ms < announced.until_ms:
                left_s = (announced.until_ms - now_ms) / 1000
                raise BureauSaysNo(503, Code.MAINTENANCE, announced.text, retry_after_s=left_s)


def changed(conditions: Conditions, changes: dict[str, object]) -> Conditions:
    """Return `conditions` with those changes; ValueError where they make no sense."""
    after: Conditions = msgspec.structs.replace(conditions, **changes)
    pause = after.maintenance
    if pause is not None and pause.until <= pause.from_:
        raise ValueError("maintenance: until must lie after from")
    return after


def _is_older(user_agent: str, least: str) -> bool:
    """Whether it names itself as this agent in a version below `least`; who does not is served."""
    named = _AGENT.match(user_agent)
    return named is not None and is_older(named[1], least)


def _ms(local: dt.datetime) -> int:
    return round(local.replace(tzinfo=SHANGHAI).timestamp() * 1000)
