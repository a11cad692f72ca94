"""A token confirms what was shown: who names one type of a group means what `prepare` made of it."""

from __future__ import annotations

from typing import cast

import pytest
from msgspec.structs import replace

from taxagent.jobs.asks import Ask, Principal, Role
from taxagent.jobs.requests import redeemable
from taxagent.model.errors import Refusal
from taxagent.model.events import TokenIssued
from taxagent.model.job import Confirmed, JobKind, Scope
from taxagent.model.period import Period
from taxagent.ports import JournalTx
from taxagent.procedures.guard import confirmed_by
from tests.builders.journal import DEVICE_NO, seen_state
from tests.builders.model import monitor

OCTOBER = Period("2026-10")
PERSON = Principal(name="shop", role=Role.OPERATOR)


class Issued:
    """ports.JournalTx, as far as a token is looked up in it: for 004 and 007, which are one group."""

    def token(self, token_sha256: str) -> TokenIssued:
        state = seen_state().state
        rows = (
            monitor(invoice_type="004", group="004+007"),
            monitor(group="004+007"),
            monitor(invoice_type="026", group="026"),
        )
        types = ("004", "007")
        return TokenIssued(
            token_sha256=token_sha256,
            principal=PERSON.name,
            kind=JobKind.SETTLE,
            scope=Scope(
                device_no=DEVICE_NO, taxpayer_id=state.info.taxpayer_id, types=types, periods=(OCTOBER,)
            ),
            confirmed=Confirmed(
                types=confirmed_by(replace(state, monitor=rows), types, ()),
                by=PERSON.name,
                how="token",
                at_ms=0,
            ),
            expires_ms=1,
            at_ms=0,
        )


def redeem(*types: str) -> TokenIssued:
    ask = Ask(kind=JobKind.SETTLE, device_no=DEVICE_NO, types=types)
    return redeemable(cast("JournalTx", Issued()), "aa" * 32, PERSON, ask, 0)


@pytest.mark.parametrize("types", [(), ("004",), ("007",), ("004", "007"), ("007", "004")])
def test_the_group_and_each_type_of_it_are_what_was_shown(types: tuple[str, ...]) -> None:
    assert redeem(*types).scope.types == ("004", "007")


@pytest.mark.parametrize("types", [("026",), ("004", "026"), ("004", "007", "026"), ("025",)])
def test_another_type_was_not_shown(types: tuple[str, ...]) -> None:
    with pytest.raises(Refusal, match="TOKEN_MISMATCH"):
        redeem(*types)
