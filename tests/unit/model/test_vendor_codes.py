"""The vendors' codes: each is a fault of ours, in both languages, as the drivers raise it."""

from __future__ import annotations

import pytest

from taxagent.device.refusals import REFUSALS
from taxagent.model.device import DeviceKind
from taxagent.model.faults import codes, text
from taxagent.model.job import Outcome, Problem
from taxagent.model.vendor_codes import met, of_fault, vendor_codes

DISK = (DeviceKind.CONTROL_DISK, DeviceKind.UKEY)
OWN = "09f"  # the profile's own codes are no vendor's


def test_each_is_a_fault_of_ours_and_stands_once() -> None:
    rows = [(kind, row.code) for row in vendor_codes() for kind in row.kinds]
    assert len(set(rows)) == len(rows)
    assert {row.fault for row in vendor_codes()} <= set(codes())


def test_a_device_that_gives_the_code_raises_the_same_fault() -> None:
    raised = {row.code: row.fault for row in REFUSALS if not row.code.startswith(OWN)}
    assert raised == {row.code: row.fault for row in vendor_codes() if row.kinds == DISK}


@pytest.mark.parametrize("code", ["09d118", "09D118", "0x09d118", "09 d1 18"])
def test_a_code_is_found_as_people_write_it(code: str) -> None:
    (row,) = met(code)
    assert (row.fault, row.words("zh"), row.words("en")) == ("ALREADY_CLEARED", "已经清卡", "already cleared")


@pytest.mark.parametrize(
    ("code", "left", "words"),
    [
        ("0963c3", 3, "certificate PIN wrong, 3 tries left"),
        ("09d1ca", 10, "the device's password is wrong, 10 tries left"),
        ("09d1c0", 0, "the device's password is wrong, 0 tries left"),
        ("09d1cx", None, "the device's password is wrong"),
    ],
)
def test_the_tries_left_are_read_out_of_the_code(code: str, left: int | None, words: str) -> None:
    (row,) = met(code)
    assert (row.fault, row.code, row.tries_left, row.words("en")) == ("PASSWORD_WRONG", code, left, words)


def test_a_golden_disks_codes_are_decimal_and_its_own() -> None:
    assert [row.fault for row in met("195", DeviceKind.GOLDEN_DISK)] == ["NOTHING_DUE"]
    assert met("195", DeviceKind.UKEY) == ()


@pytest.mark.parametrize("code", ["", " ", "x", "09d1cg", "999999", "九"])
def test_what_no_vendor_says_is_nothing(code: str) -> None:
    assert met(code) == ()


def test_a_fault_knows_what_the_vendors_call_it() -> None:
    assert [row.code for row in of_fault("NOTHING_DUE")] == ["09d11b", "195"]
    assert of_fault("DRAINING") == ()


@pytest.mark.parametrize(
    ("fault", "code", "meaning", "chinese"),
    [
        ("DEVICE_FAULTY", "04", "hardware error", "硬件故障"),
        ("DEVICE_UNREGISTERED", "09c005", "no registration code", "没有注册码"),
        ("DEVICE_REFUSED", "092403", "bad date", "日期不正确"),
    ],
)
def test_what_a_device_said_is_told_in_the_readers_language(
    fault: str, code: str, meaning: str, chinese: str
) -> None:
    said = Problem(fault=fault, outcome=Outcome.NOT_EXECUTED, device_code=code, detail={"what": meaning})
    zh, en = (f"{w.title}\n{w.cause}" for w in (text(said, "zh"), text(said, "en")))
    assert chinese in zh
    assert meaning not in zh
    assert meaning in en
