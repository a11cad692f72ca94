"""doctor over the wire: the findings in the asker's language, whom to ask, and how the devices stand."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from taxagent.ipc.doctor import device_lines
from taxagent.ipc.views import job_view
from taxagent.model.job import JobState, Outcome, Problem
from taxagent.model.lines import CheckState
from taxclient.cli import exits
from taxclient.cli.lines import listed
from taxclient.cli.main import main
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m
from taxclient.sync import Client
from tests.builders.ipc import DEVICE, FakeDesk, house, job


def test_the_findings_come_in_the_askers_language_with_whom_to_ask(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint, lang="zh") as zh, Client(h.endpoint, lang="en") as en:
        (chinese,), (english,) = zh.doctor().lines, en.doctor().lines
        assert en.doctor().contact == "0531-12345678"
    assert (chinese.name, english.name) == ("时钟", "clock")
    assert (english.code, english.state, english.who, english.remedy) == ("CLOCK_OK", "ok", "", "")


def test_taxctl_doctor_is_0_where_nothing_is_bad(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        assert main(["--endpoint", h.endpoint, "--json", "doctor"]) == exits.DONE
    (line,) = [row for row in capsysbinary.readouterr().out.splitlines() if row.startswith(b"{")]
    assert json.loads(line)["lines"][0]["line"] == "clock"


def test_a_device_with_trouble_is_a_line_and_so_is_one_that_is_gone() -> None:
    status = FakeDesk().status()
    (view, *_) = status.devices
    missing = Problem(fault="PASSWORD_MISSING", outcome=Outcome.NOT_EXECUTED, detail={"device_no": DEVICE})
    ill = msgspec.structs.replace(view, problem=missing)
    away = msgspec.structs.replace(view, location="", problem=None)
    line, gone = device_lines(msgspec.structs.replace(status, devices=(ill, away)))
    assert (line.line, line.subject, line.code, line.state) == (
        "device",
        view.device_no,
        "PASSWORD_MISSING",
        CheckState.FAIL,
    )
    assert (gone.subject, gone.code, gone.state) == (view.device_no, "DEVICE_ABSENT", CheckState.WARN)


def a_line(state: str, **changes: str) -> m.CheckLineView:
    plain = m.CheckLineView(
        line="window",
        subject="filing_window",
        name="inside the filing window",
        state=state,
        code="WINDOW_CLOSED",
        fact="It is shut.",
        who="bureau",
        remedy="Wait.",
    )
    return msgspec.structs.replace(plain, **changes)


def test_under_what_is_not_well_stands_when_it_opens_who_mends_it_and_how() -> None:
    shown = list(listed([a_line("fail", opens="2026-12-01T00:05:00")], Speech("en")))
    assert shown == [
        "✗ BAD  inside the filing window: It is shut.",
        "    opens 2026-12-01 00:05:00",
        "    who can mend it: the tax bureau",
        "    what to do: Wait.",
        "1 lines: 1 bad, 0 not known, 0 to note",
    ]
    assert len(list(listed([a_line("ok"), a_line("not_asked")], Speech("zh")))) == 3


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (("ok", "warn", "not_asked"), exits.DONE),
        (("ok", "unknown", "warn"), exits.UNKNOWN),
        (("unknown", "fail", "ok"), exits.REFUSED),
        ((), exits.DONE),
    ],
)
def test_a_check_ends_by_its_worst_line(states: tuple[str, ...], code: int) -> None:
    done = job_view(job(1, state=JobState.DONE), "en")
    lines = tuple(a_line(state) for state in states)
    assert exits.of_job(msgspec.structs.replace(done, lines=lines)) == code
