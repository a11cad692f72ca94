"""Why can this shop issue no invoices? Asked of a running agent, and without one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from taxagent.simulator.site import Site
from taxclient.cli.why import lines
from taxclient.cli.words import Speech
from tests.builders.site import DEVICE, TAXPAYER, client, identified, site, until

LATE = "2026-11-17T11:30:00+08:00"
PENDING = """
[[types.invoices]]
code = "3700221320"
number = "00000001"
issued_at = 2026-10-28T10:15:00
amount = 128000
tax = 16640
uploaded = false
"""
STOCK = """
[[types.stock]]
code = "3700221320"
number_from = "00000001"
count = 50
"""
# what is wrong -> (the device's own lines, its type's lines, what follows the type)
SICK = {
    "LOCKED": ("", "invoicing_deadline = 2026-11-02\nlast_report = 2026-09-30", STOCK),
    "OFFLINE_HOURS": ("", "offline_hours = 72", STOCK + PENDING),
    "OFFLINE_AMOUNT": ("", "offline_hours = 9000\noffline_amount = 100000", STOCK + PENDING),
    "UPLOAD_DEADLINE": ("", "offline_hours = 9000\nupload_deadline = 2026-11-02", STOCK + PENDING),
    "STOCK_EMPTY": ("", "", ""),
    "MEMORY_FULL": ("capacity = 1", "offline_hours = 9000", STOCK + PENDING),
    "CERTIFICATE_EXPIRED": ("certificate_to = 2026-11-02", "", STOCK),
    "CERTIFICATE_7_DAYS": ("certificate_to = 2026-11-09", "", STOCK),
    "UNREGISTERED": ("registered = false", "", STOCK),
    "CLOCK_WRONG": ("", "", STOCK + "[clock]\nerror_s = 50000\n"),
    "PASSWORD_MISSING": ("", "", STOCK),
}


def scenario(folder: Path, number: int, device: str, of_type: str, after: str) -> Path:
    """Write a device whose October is done, apart from what is wrong with it."""
    lines = {
        "device_no": f'"66170000{number:04d}"',
        "kind": '"control_disk"',
        "taxpayer_id": f'"{TAXPAYER}"',
        "taxpayer_name": '"济南明湖文具有限公司"',
        "password": '"88888888"',
        "certificate_from": "2024-03-01",
        "certificate_to": "2029-02-28",
    }
    kind = {"invoice_type": '"007"', "last_report": "2026-10-31", "invoicing_deadline": "2026-12-15"}
    for told, extra in ((lines, device), (kind, of_type)):
        told.update({key: value for key, _, value in (line.partition(" = ") for line in extra.splitlines())})
    text = "\n".join(
        [
            *(f"{k} = {v}" for k, v in lines.items()),
            "[[types]]",
            *(f"{k} = {v}" for k, v in kind.items()),
            after,
        ]
    )
    path = folder / f"sick-{number}.toml"
    path.write_text(text, encoding="utf-8")
    return path


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
            assert "Locked: the invoicing deadline 2026-11-16 has passed（11）" in shown


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


def test_each_sick_device_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    scenarios = [scenario(tmp_path, number, *sick) for number, sick in enumerate(SICK.values())]
    numbers = {f"66170000{number:04d}": name for number, name in enumerate(SICK)}
    with site() as shop:
        assert shop.devices is not None
        shop.devices.stop()
        shop.start_devices(scenarios)
        shop.write_config()
        (unknown,) = [number for number, name in numbers.items() if name == "PASSWORD_MISSING"]
        (shop.folder / "secrets" / f"device-{unknown}").unlink()
        answers = why(shop)[1]["answers"]
    found = {numbers[answer["device_no"]]: answer["causes"][0]["case"] for answer in answers}
    assert found == {name: name for name in SICK}
