"""taxctl why: the verdict first, a line a type; then why, who, what to do, and what to type."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from taxclient.cli import why
from taxclient.cli.main import main
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m
from tests.builders.ipc import DEVICE, house

LOCKED = m.CauseView(
    case="LOCKED",
    number="11",
    blocks="yes",
    title="Locked",
    message="October is not settled.",
    who="here",
    remedy="Report, file, clear.",
    next=f"taxctl settle {DEVICE}",
)


def answer(**changes: object) -> m.AnswerView:
    plain = m.AnswerView(
        device_no=DEVICE,
        location="usb:1-2#7",
        taxpayer_id="91440300123456789A",
        taxpayer_name="测试商店",
        simulated=False,
        as_of_ms=1_795_561_200_000,
        stale=False,
        invoice_type="007",
        verdict="can",
        hours_left=None,
        case_code="007-00",
        causes=(),
    )
    return msgspec.structs.replace(plain, **changes)


def shown(*answers: m.AnswerView, lang: str = "en") -> list[str]:
    return list(why.lines(m.DiagnoseResult(answers=answers), Speech(lang)))


def test_a_type_that_can_is_one_line() -> None:
    assert shown(answer()) == [
        f"{DEVICE}  91440300123456789A 测试商店  read 2026-11-25 07:00:00",
        "  CAN issue invoices  007 general VAT invoice  case 007-00",
    ]


def test_a_cause_has_its_fact_who_what_and_the_next_command() -> None:
    lines = shown(answer(verdict="cannot", case_code="007-11", causes=(LOCKED,)))
    assert lines[1].startswith("  CANNOT issue invoices  007")
    assert [line.strip() for line in lines[2:]] == [
        "! Locked (11)",
        "October is not settled.",
        "who can mend it: you, here",
        "what to do: Report, file, clear.",
        f"next: taxctl settle {DEVICE}",
    ]


def test_types_with_the_same_causes_stand_together_and_the_causes_once() -> None:
    locked = {"verdict": "cannot", "causes": (LOCKED,)}
    lines = shown(
        answer(invoice_type="004", **locked), answer(invoice_type="026"), answer(invoice_type="007", **locked)
    )
    assert [line.split("  ")[2][:3] for line in lines if "issue invoices" in line] == ["004", "007", "026"]
    assert sum("Locked" in line for line in lines) == 1


def test_a_cause_that_was_told_for_another_type_is_told_short() -> None:
    other = msgspec.structs.replace(LOCKED, case="UPLOAD_NEAR", number="32", title="Soon", blocks="no")
    lines = shown(
        answer(verdict="cannot", causes=(LOCKED,)),
        answer(invoice_type="004", verdict="cannot", causes=(LOCKED, other)),
    )
    assert sum("October is not settled." in line for line in lines) == 2  # of LOCKED, and of the other
    assert "    ! Locked (11), as above" in lines


def test_the_hours_that_are_left_stand_in_the_types_line() -> None:
    assert "locks in 34 hours" in shown(answer(hours_left=34))[1]
    assert "再过 34 小时锁死" in shown(answer(hours_left=34), lang="zh")[1]


def test_what_is_not_known_is_not_called_a_no() -> None:
    first, second = shown(
        answer(
            device_no="",
            location="",
            taxpayer_id="",
            taxpayer_name="",
            as_of_ms=0,
            invoice_type="",
            verdict="unknown",
        ),
        lang="zh",
    )
    assert first == "没有税控设备  还没有读到"
    assert "无法判断" in second
    assert "不能" not in second


def test_a_device_that_does_not_tell_its_number_is_named_by_its_place() -> None:
    lines = shown(
        answer(device_no="", invoice_type="", verdict="unknown"),
        answer(device_no="", location="usb:1-3#8", invoice_type="", verdict="unknown"),
    )
    assert [line.split("  ")[0] for line in lines if "issue" not in line] == ["usb:1-2#7", "usb:1-3#8"]


def test_an_old_reading_and_a_simulation_say_so() -> None:
    assert shown(answer(stale=True, simulated=True))[0].endswith("may be out of date (SIMULATION)")


def test_a_later_versions_words_are_shown_as_they_are() -> None:
    (_, line) = shown(answer(verdict="maybe", invoice_type="099"))
    assert line.startswith("  maybe  099  ")


@pytest.mark.parametrize("argv", [["why"], ["why", DEVICE]])
def test_the_command_asks_the_agent(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], argv: list[str]
) -> None:
    with house(tmp_path) as h:
        assert main(["--endpoint", h.endpoint, "--json", *argv]) == 0
    (line,) = [line for line in capsysbinary.readouterr().out.splitlines() if line.startswith(b"{")]
    assert json.loads(line) == {"answers": [], "contact": ""}
