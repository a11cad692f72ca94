"""SIGHUP to the real agent: windows, consent, roles and patience of the new configuration hold at its work.

Which keys are taken over is shown elsewhere; here each is seen in what the agent then does.
"""

from __future__ import annotations

import os
import pwd
import signal

import pytest

from taxagent.simulator.site import Site
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import RemoteError
from tests.builders.site import (
    DEVICE,
    PERIOD,
    TAXPAYER,
    client,
    ended,
    identified,
    prepared,
    settle,
    site,
    submitted,
    until,
    waits,
    writes,
)

LAST_DAY = "2026-11-16T11:30:00+08:00"  # November's filing window ends with it
SHUT = "\n[windows]\nreport_until_hour = 10\n"
CONTACT = '\n[support]\ncontact = "Wang"\n'


def reloaded(shop: Site, one: Client, changes: str = "", *, old: str = "", new: str = "") -> None:
    """Have the agent take over more, or other, lines; it says so by the contact that comes with them."""
    text = shop.config.read_text(encoding="utf-8").replace(old, new)
    shop.config.write_text(text + changes + CONTACT, encoding="utf-8")
    assert shop.agent is not None
    shop.agent.child.send_signal(signal.SIGHUP)
    until(lambda: one.diagnose().contact == "Wang", "it has reloaded")


def test_a_job_that_was_confirmed_before_keeps_to_the_deadline_of_now() -> None:
    with site(LAST_DAY) as shop:
        shop.file_return(TAXPAYER, PERIOD)
        shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            reloaded(shop, one, SHUT)
            job = ended(one, submitted(one, token).job_id)
            assert job.outcome == "not_executed"
            assert job.problem is not None
            assert job.problem.code == "WINDOW_CLOSED"
        assert writes(shop) == []


def test_who_asks_what_would_be_done_hears_the_deadline_of_now() -> None:
    with site(LAST_DAY) as shop:
        shop.start_agent()
        with client(shop) as one:
            assert prepared(one)
            reloaded(shop, one, SHUT)
            with pytest.raises(RemoteError, match="WINDOW_CLOSED"):
                prepared(one)


def test_a_standing_consent_counts_from_now_on() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            asked = m.SubmitArgs(kind="settle", device_no=DEVICE)
            with pytest.raises(RemoteError, match="TOKEN_NEEDED"):
                one.submit(asked)
            who = one.hello().principal
            reloaded(shop, one, f'\n[consent]\nkinds = ["settle"]\nprincipals = ["{who}"]\n')
            assert one.submit(asked).job.state != "refused"


def test_who_asks_is_known_by_the_table_of_now() -> None:
    login = pwd.getpwuid(os.geteuid()).pw_name
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            assert one.hello().principal == f"uid:{os.geteuid()}"
            reloaded(shop, one, f'\n[access.users]\n{login} = "viewer"\n')
            assert one.hello().principal == login


def test_a_waiting_job_looks_again_as_often_as_is_wanted_now() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            reloaded(shop, one, old="declaration_s = 0.2", new="declaration_s = 3000.0\nmost_s = 3600.0")
            wait = waits(one, settle(one).job_id, "declaration").wait
            assert wait is not None
            assert wait.next_ms is not None
            assert wait.next_ms - one.hello().now > 1_000_000
