"""An invoice is looked up by number and by QR code, from taxctl's arguments to the device and back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from taxagent.simulator.site import Site
from taxclient.protocol import messages as m
from tests.builders.site import DEVICE, TAXPAYER, client, ended, identified, settle, site

CODE, NUMBER = "3700221320", "04310401"
SCAN = f"０１,04,{CODE},{NUMBER},1280.00,20261012,66061234567890123456,0a1f,"


@pytest.fixture(scope="module")
def shop() -> Iterator[Site]:
    with site() as running:
        running.start_agent()
        with client(running) as one:
            identified(one)
        yield running


def taxctl(shop: Site, *words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "taxclient.cli.main", "--endpoint", shop.endpoint, "--json", "invoice"]
    ran = subprocess.run([*command, *words], capture_output=True, check=False, timeout=60)
    found: dict[str, Any] = json.loads(ran.stdout)
    return ran.returncode, found


@pytest.mark.parametrize("words", [(CODE, NUMBER), ("--qr", SCAN), (CODE, NUMBER, "--device", DEVICE)])
def test_a_found_invoice_is_told_with_its_month(shop: Site, words: tuple[str, ...]) -> None:
    code, found = taxctl(shop, *words)
    assert (code, found["device_no"], found["taxpayer_id"]) == (0, DEVICE, TAXPAYER)
    assert found["invoice"] == {
        "invoice_type": "007",
        "code": CODE,
        "number": NUMBER,
        "issued_at": "2026-10-12T10:15:00",
        "mark": "positive",
        "amount": 128_000,
        "tax": 16_640,
        "buyer": "泉城贸易有限公司",
        "uploaded": True,
    }
    assert (found["period"], found["differs"], found["pending"]) == ("2026-10", [], [])


@pytest.mark.parametrize(
    ("words", "code", "fault"),
    [
        ((CODE, "99999999"), 10, "INVOICE_UNKNOWN"),
        (("--qr", "01,32,,26372000000012345678,1280.00,20261012,,5C8A,"), 11, "QR_DIGITAL"),
        (("26372000000012345678",), 11, "QR_DIGITAL"),
        (("--qr", "https://bcfp.example.invalid/verify/scan?hash=00"), 11, "QR_URL"),
        (("--qr", "hello"), 2, "QR_UNREADABLE"),
        ((), 2, "BAD_REQUEST"),
    ],
)
def test_what_is_on_no_device_is_told_apart(
    shop: Site, words: tuple[str, ...], code: int, fault: str
) -> None:
    exit_code, found = taxctl(shop, *words)
    assert (exit_code, found["error"]["code"]) == (code, fault)
    assert found["error"]["outcome"] == "not_executed"


def test_once_its_month_is_settled_the_invoice_names_the_record() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            asked = m.InvoiceArgs(device_no=DEVICE, code=CODE, number=NUMBER)
            before = one.invoice(asked)
            assert (before.period_state, before.record_job_id) == ("report_due", "")
            job = settle(one)
            shop.file_return(TAXPAYER, "2026-10")
            assert ended(one, job.job_id).state == "done"
            after = one.invoice(asked)
            assert (after.period_state, after.record_job_id) == ("settled", job.job_id)
