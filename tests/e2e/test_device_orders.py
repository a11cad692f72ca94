"""A device is left to the shop's program and taken again, under the real agent; taxctl says so."""

from __future__ import annotations

import json

import pytest

from taxclient import Client
from taxclient.cli.main import main
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
    site,
    submitted,
    until,
    waits,
    writes,
)


def verified(one: Client) -> None:
    """Wait until the agent has read its journal: before that it does not know how a device stands."""
    until(lambda: not one.status().verifying, "the journal is verified")


def test_a_released_device_keeps_its_jobs_waiting_until_it_is_taken_again() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            released = one.release(DEVICE, key="release-for-the-shop")
            assert released.released_by
            assert released.device.problem is not None
            assert released.device.problem.code == "DEVICE_RELEASED"
            job = submitted(one, token)
            waiting = waits(one, job.job_id, "device_in_use")
            assert waiting.wait is not None
            assert waiting.wait.code == "DEVICE_RELEASED"
            assert waiting.wait.detail["holder"] == released.released_by
            assert one.release(DEVICE, key="release-for-the-shop").known
            assert writes(shop) == []
            agent.kill()
            shop.start_agent()
        with client(shop) as one:
            verified(one)
            assert one.job(job.job_id).state == "waiting"
            assert one.device(DEVICE).released_by == released.released_by
            shop.file_return(TAXPAYER, PERIOD)
            one.hold(DEVICE)
            assert ended(one, job.job_id).state == "done"


def test_a_kept_device_is_held_by_the_agent_since_it_came() -> None:
    with site(config='[device]\nhold = "always"\n') as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            assert one.device(DEVICE).device.held_by == "agent"
            assert 0 < one.device(DEVICE).device.held_since_ms <= one.hello().now
            one.release(DEVICE)
            until(lambda: one.device(DEVICE).device.held_by == "", "it is given back")
            job = one.check(m.CheckArgs(device_no=DEVICE)).job
            waits(one, job.job_id, "device_in_use")
            one.hold(DEVICE)
            assert ended(one, job.job_id).state == "done"


def test_a_device_of_which_nothing_is_known_has_no_details() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            verified(one)
            with pytest.raises(RemoteError, match="DEVICE_UNKNOWN"):
                one.device("000000000000")


def test_taxctl_shows_a_device_and_orders_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)

            def taxctl(*words: str) -> str:
                capsys.readouterr()
                assert main(["--endpoint", shop.endpoint, "--lang", "en", *words]) == 0
                return capsys.readouterr().out

            assert "certificate valid from" in taxctl("device", "get", DEVICE)
            assert DEVICE in taxctl("device", "list")
            said = taxctl("device", "release", DEVICE, "--minutes", "30")
            assert f"Afterwards: taxctl device hold {DEVICE}" in said
            assert "used again from" in said
            assert "DEVICE_RELEASED" in taxctl("status")
            assert "uses device" in taxctl("device", "hold", DEVICE)
            shown = json.loads(taxctl("--json", "device", "retry", DEVICE))
            assert (shown["hung"], shown["released_by"]) == (0, "")


def test_a_password_that_is_set_while_the_agent_runs_is_used_at_once() -> None:
    with site() as shop:
        secret = shop.folder / "secrets" / f"device-{DEVICE}"
        kept = secret.read_text()
        secret.unlink()
        shop.start_agent()
        with client(shop) as one:

            def fault() -> str:
                problems = [view.problem.code for view in one.status().devices if view.problem]
                return problems[0] if problems else ""

            until(lambda: fault() == "PASSWORD_MISSING", "the password is missed")
            secret.write_text(kept)
            secret.chmod(0o600)
            identified(one)
            assert fault() == ""
