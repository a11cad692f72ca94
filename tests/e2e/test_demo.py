"""The demo does what it promises, and the READMEs show what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tools.transcript import demo, shown


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_readme_shows_what_the_demo_prints(lang: str) -> None:
    assert shown(lang) == demo(lang), "renew it: .venv/bin/python -m tools.transcript"


def test_the_demo_ends_with_one_line_of_json_in_under_20_seconds() -> None:
    started = time.monotonic()
    command = [sys.executable, "-m", "taxagent", "--lang", "en", "demo", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert time.monotonic() - started < 20
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["devices"] == 1
    assert [settled["period"] for settled in said["settled"]] == ["2026-10"]
    assert len(said["records"]) == 1
    assert said["journal_verified"] is True
