"""The log is one JSON object a line, and no secret is in it, whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from taxagent import logs

PASSWORD = "correct-horse"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


def opened(password: str) -> None:
    if password:
        raise ZeroDivisionError


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_one_object_with_level_and_utc(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info")
    log = structlog.get_logger("taxagent")
    log.debug("not_said")
    log.info("job_ended", job_id="01JOB", taxpayer="税控")
    (line,) = said(capsys)
    assert (line["event"], line["level"], line["job_id"]) == ("job_ended", "info", "01JOB")
    assert str(line["timestamp"]).endswith("Z")


def test_a_traceback_shows_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("debug")
    log = structlog.get_logger("taxagent")
    try:
        opened(PASSWORD)
    except ZeroDivisionError:
        log.exception("device_work_failed")
    text = capsys.readouterr().err
    assert "ZeroDivisionError" in text
    assert PASSWORD not in text


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_every_level_of_the_configuration_is_known(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(level)
    structlog.get_logger("taxagent").error("said")
    assert len(said(capsys)) == 1
