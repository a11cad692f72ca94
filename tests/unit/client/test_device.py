"""taxctl device: what it asks and what it shows, in both languages."""

from __future__ import annotations

import msgspec
import pytest

from taxclient.cli.device import details
from taxclient.cli.main import main
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m
from tests.builders.ipc import DEVICE

VIEW = m.DeviceView(
    device_no="661234567890",
    location="usb:1-2#7",
    kind="control_disk",
    simulated=False,
    firmware="1.0",
    taxpayer_id="91440300MA5DA1234X",
    taxpayer_name="测试商店",
    terminal_no=0,
    held_by="",
    held_since_ms=0,
    as_of_ms=1795561200000,
    stale=False,
    clock="2026-11-03T09:30:00",
    tries_left=5,
    types=(),
    problem=None,
)
LIMIT = m.LimitView(
    invoice_type="007",
    single_limit=9_999_99,
    month_limit=0,
    month_limit_left=0,
    offline_hours=72,
    offline_hours_left=10,
    offline_amount=100_000_00,
    offline_amount_left=40_000_00,
    upload_deadline="2026-11-10",
    capacity_left=900,
    blanks=42,
)
FOUND = m.DeviceResult(
    device=VIEW,
    usb_id="1432:07dc",
    name="NISEC",
    registered=True,
    certificate_from="2024-01-01",
    certificate_to="2029-01-01",
    limits=(LIMIT,),
    live_jobs=(),
    hung=2,
    hung_ms=1795561200000,
    quarantined=True,
    released_by="shop",
    released_ms=1795561200000,
    released_until_ms=1795563000000,
)


def test_all_of_a_device_is_shown_in_english() -> None:
    text = "\n".join(details(FOUND, Speech("en")))
    assert "shop asked for it at 2026-11-25 07:00:00, used again from 2026-11-25 07:30:00" in text
    assert "hung 2 times" in text
    assert "USB 1432:07dc NISEC" in text
    assert "certificate valid from 2024-01-01 to 2029-01-01" in text
    assert "007 at most 9,999.99 yuan an invoice; offline 10 hours and 40,000.00 yuan left" in text
    assert "42 blank invoices; room for 900 more" in text


def test_all_of_a_device_is_shown_in_chinese() -> None:
    text = "\n".join(details(FOUND, Speech("zh")))
    assert "到 2026-11-25 07:30:00 自动恢复" in text
    assert "没有反应 2 次" in text
    assert "空白发票 42 张" in text


def test_what_is_not_known_is_left_out() -> None:
    bare = msgspec.structs.replace(
        FOUND, usb_id="", registered=None, certificate_to="", limits=(), hung=0, released_by=""
    )
    assert len(list(details(bare, Speech("en")))) == 2


def test_a_number_beyond_its_limit_is_told_in_the_language(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "zh", "device", "release", DEVICE, "--minutes", "10081"]) == 2
    err = capfd.readouterr().err
    assert "请求的格式不对（minutes：最大是 10080）" in err
    assert "谁能处理：本单位" in err
