"""Why can this shop issue no invoices? Asked of a running agent, and without one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from taxagent.simulator.site import Site
from taxclient.cli.why import lines
from taxclient.cli.words import Speech
from tests.builders.site import DEVICE, TAXPAYER, client, identified, site, until

LATE = "2026-11-17T11:30:00+08:00"


def why(shop: Site, *words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "taxagent", "why", "--config", str(shop.config), "--json", *words]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60)
    found: dict[str, Any] = json.loads(ran.stdout)
    return ran.returncode, found


def test_a_locked_shop_is_told_so_with_the_command_that_mends_it() -> None:
    with site(LATE) as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            answer = next(each for each in one.diagnose().answers if each.invoice_type == "007")
            assert (answer.device_no, answer.taxpayer_id) == (DEVICE, TAXPAYER)
            assert (answer.verdict, answer.case_code[:6]) == ("cannot", "007-11")
            assert answer.causes[0].next == f"taxctl settle {DEVICE} --late"
            shown = "\n".join(lines(one.diagnose(DEVICE), Speech("zh")))
            assert "不能开票" in shown
            assert "Locked: the invoicing deadline 2026-11-16 has passed (11)" in shown


def test_without_an_agent_the_command_reads_the_device_itself() -> None:
    with site(LATE) as shop:
        code, found = why(shop)
        assert code == 0
        answer = found["answers"][0]
        assert (answer["device_no"], answer["verdict"]) == (DEVICE, "cannot")
        assert answer["causes"][0]["case"] == "LOCKED"


def test_a_wrong_password_is_tried_once_and_remembered() -> None:
    with site() as shop:
        (shop.folder / "secrets" / f"device-{DEVICE}").write_text("wrong")
        (first,) = why(shop)[1]["answers"]
        (second,) = why(shop)[1]["answers"]
        assert first["causes"][0]["case"] == second["causes"][0]["case"] == "PASSWORD_REFUSED"
        tries = [answer["causes"][0]["detail"]["tries_left"] for answer in (first, second)]
        assert tries[0] == tries[1]


def test_beside_a_running_agent_it_says_whom_to_ask() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            until(lambda: not one.status().verifying, "the agent is ready")
        code, found = why(shop)
        assert code == 75
        assert found["error"]["code"] == "INSTANCE_RUNNING"


@pytest.mark.parametrize("number, name", [("11", "LOCKED"), ("007-11", "LOCKED")])
def test_a_case_code_that_was_read_over_the_phone_is_explained(number: str, name: str) -> None:
    command = [sys.executable, "-m", "taxagent", "why", "--case", number, "--json"]
    (row,) = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert row["case"] == name
    assert row["remedy"]
