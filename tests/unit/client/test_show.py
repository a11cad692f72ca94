"""Words for people: nothing is claimed that the protocol did not say."""

from __future__ import annotations

import string

import msgspec
import pytest

from taxagent.ipc.views import job_view
from taxclient.cli import show, words
from taxclient.cli.columns import plain
from taxclient.cli.words import Speech, language
from taxclient.protocol import messages as m
from tests.builders.ipc import job

EN, ZH = Speech("en"), Speech("zh")


@pytest.mark.parametrize(
    "code, text",
    [
        ("SEAL:007:2026-10", "seal period 2026-10 of invoice types 007; this cannot be undone"),
        ("SUBMIT:004+007:2026-10", "submit the summary of 004+007, 2026-10, to the tax bureau"),
        ("CLEAR:007:", "clear 007; the bureau sets the new invoicing deadline; this cannot be undone"),
        (
            "CLEAR:007:2026-12-15",
            "clear 007; the invoicing deadline becomes 2026-12-15; this cannot be undone",
        ),
        ("DREAM:007", "DREAM:007"),
    ],
)
def test_consequences_in_words(code: str, text: str) -> None:
    assert show.consequence(code, EN) == text


@pytest.mark.parametrize(
    "fen, text", [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-17_28751, "-17,287.51"), (100, "1.00")]
)
def test_money_is_exact(fen: int, text: str) -> None:
    assert show.yuan(fen) == text


def test_a_moment_is_chinas_wall_clock() -> None:
    assert show.moment(1_795_561_200_000) == "2026-11-25 07:00:00"


def test_a_word_that_is_not_known_is_shown_as_it_is() -> None:
    assert EN.word(words.STATE, "dreaming") == "dreaming"


def test_a_step_says_what_it_is_about() -> None:
    step = m.StepView(
        step="backup", group="seal", period="2026-10", outcome="executed", begun_ms=1, ended_ms=2
    )
    assert show.step_line(step, EN).strip() == "back-up before: seal 2026-10: executed"
    assert show.step_line(step, ZH).strip() == "备份（抄税之前） 2026-10：已执行"


def test_both_languages_use_the_same_facts() -> None:
    def holes(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for table in (words.TEXT, words.CONSEQUENCE):
        for code, (zh, en) in table.items():
            assert holes(zh) == holes(en), code


@pytest.mark.parametrize(
    "choice, environment, expected",
    [
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ("", {}, "en"),
        ("zh", {"LANG": "de_DE"}, "zh"),
    ],
)
def test_the_language_is_the_callers(choice: str, environment: dict[str, str], expected: str) -> None:
    assert language(choice, environment) == expected


def device(**changes: object) -> m.DeviceView:
    plain: dict[str, object] = {
        "device_no": "661234567890",
        "location": "",
        "kind": "control_disk",
        "simulated": True,
        "firmware": "1.0",
        "taxpayer_id": "",
        "taxpayer_name": "",
        "terminal_no": 0,
        "held_by": "",
        "held_since_ms": 0,
        "as_of_ms": 0,
        "stale": True,
        "clock": "",
        "tries_left": None,
        "types": (),
        "problem": None,
    }
    return msgspec.convert({**plain, **changes}, m.DeviceView)


PROBLEM = {
    "code": "DEVICE_ABSENT",
    "title": "Not plugged in",
    "message": "It was not found.",
    "outcome": "not_executed",
    "who": "here",
    "remedy": "Plug it in.",
}


def test_a_device_that_is_not_there_says_so_and_what_to_do() -> None:
    lines = list(show.device(device(problem=PROBLEM), EN))
    assert lines == [
        "661234567890  control disk, not plugged in (SIMULATION)",
        "  ! Not plugged in [DEVICE_ABSENT]",
        "    who can mend it: you, here",
        "    what to do: Plug it in.",
    ]


def test_a_live_job_says_in_its_line_what_it_waits_for() -> None:
    waits = m.WaitView(
        reason="declaration",
        code="NOT_DECLARED",
        title="No return is filed",
        message="",
        remedy="",
        who="here",
        since_ms=0,
        next_ms=None,
        until_ms=None,
    )
    view = msgspec.structs.replace(job_view(job(1), "en"), state="waiting", wait=waits)
    assert show.live_line(view, EN).endswith("waiting: No return is filed")
    ended = msgspec.structs.replace(view, state="done", ended=True)
    assert "No return" not in show.live_line(ended, EN)


def test_what_was_read_long_ago_says_when_and_who_holds_the_device() -> None:
    view = device(location="1-1", held_by="开票软件", as_of_ms=1_795_561_200_000)
    (line,) = show.device(view, EN)
    assert line.endswith("1-1, held by 开票软件, 2026-11-25 07:00:00, may be out of date (SIMULATION)")


def test_a_type_that_reports_with_others_says_its_group() -> None:
    view = m.TypeView(
        invoice_type="004",
        group="004+007",
        invoicing_deadline="2026-12-15",
        last_report="2026-11-01",
        pending_uploads=0,
        locked=False,
        overdue=False,
        periods=(),
    )
    assert show.type_line(view, EN).startswith("004 (004+007)  invoicing until 2026-12-15")


def test_a_locked_type_with_pending_uploads_says_both() -> None:
    view = m.TypeView(
        invoice_type="007",
        group="007",
        invoicing_deadline="2026-11-16",
        last_report="2026-09-30",
        pending_uploads=3,
        locked=True,
        overdue=True,
        periods=(m.PeriodView(period="2026-10", state="clear_due"),),
    )
    assert show.type_line(view, EN) == (
        "007  invoicing until 2026-11-16, last report 2026-09-30; 2026-10 to be cleared; 3 not uploaded; "
        "LOCKED; more than 90 days overdue"
    )


def test_status_names_what_is_plugged_and_not_driven_and_why_nothing_is_seen() -> None:
    result = m.StatusResult(
        version="0.1.0",
        started_ms=1,
        simulated=False,
        verifying=True,
        draining=True,
        devices=(),
        seen=(
            m.SeenView(location="1-2", usb_id="1432:07dc", recognised="vendor", name="NISEC"),
            m.SeenView(location="1-3", usb_id="0781:5567", recognised="other", name="a flash disk"),
        ),
        live_jobs=(),
        live_count=3,
        trouble=msgspec.convert(PROBLEM, m.ProblemView),
    )
    text = "\n".join(show.status(result, EN))
    assert "1432:07dc NISEC (1-2)" in text
    assert "flash disk" not in text
    assert "the journal is being verified" in text
    assert "the agent is stopping" in text
    assert "3 more: taxctl job list --live" in text
    assert "! Not plugged in [DEVICE_ABSENT]" in text


def totals(invoice_type: str, month: str = "2026-10", **figures: int) -> m.TotalsView:
    plain = {field.name: 0 for field in msgspec.structs.fields(m.TotalsView)}
    given = {"invoice_type": invoice_type, "date_from": f"{month}-01", "date_to": f"{month}-28", **figures}
    return msgspec.convert({**plain, **given}, m.TotalsView)


def test_a_months_totals_are_a_table_with_the_sum_over_the_types() -> None:
    rows = [
        totals("004", positive=2, positive_amount=1_000_00, positive_tax=130_00, positive_voided=1),
        totals(
            "007", positive=10, positive_amount=234_50, positive_tax=30_49, negative=1, negative_amount=-50
        ),
    ]
    lines = [line.split() for line in plain(show.totals("2026-10", rows, ZH))]
    assert lines[0] == ["2026-10", "的发票（金额单位：元）"]
    assert lines[1] == ["发票类型", "正数", "金额", "税额", "负数", "金额", "税额", "作废"]
    assert lines[-1] == ["合计", "12", "1,234.50", "160.49", "1", "-0.50", "0.00", "1"]


def test_one_type_needs_no_sum() -> None:
    assert len(list(plain(show.totals("2026-10", [totals("007", positive=1)], EN)))) == 3


@pytest.mark.parametrize(
    "taken, expected, zh, en",
    [
        (3_000, None, "已 3 秒", "3 s"),
        (3_000, 4_000, "已 3 秒，通常 4 秒，正常", "3 s, usually 4 s, still normal"),
        (7_900, 4_000, "已 7 秒，通常 4 秒，正常", "7 s, usually 4 s, still normal"),
        (8_100, 4_000, "已 8 秒，通常 4 秒，比平时久", "8 s, usually 4 s, longer than usual"),
        (1_500, 20, "已 1 秒，通常 1 秒，正常", "1 s, usually 1 s, still normal"),
        (-500, 4_000, "已 0 秒，通常 4 秒，正常", "0 s, usually 4 s, still normal"),
    ],
)
def test_a_running_step_says_whether_its_time_is_normal(
    taken: int, expected: int | None, zh: str, en: str
) -> None:
    step = m.StepView(
        step="seal",
        group="007",
        period="2026-10",
        outcome="unknown",
        begun_ms=10_000,
        ended_ms=None,
        expected_ms=expected,
    )
    assert show.running_line(step, 10_000 + taken, ZH) == f"  ... 抄税 007 2026-10（{zh}）"
    assert show.running_line(step, 10_000 + taken, EN) == f"  ... seal 007 2026-10 ({en})"
