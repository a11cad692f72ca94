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


def test_the_demo_settles_three_devices_of_three_kinds_in_under_30_seconds() -> None:
    started = time.monotonic()
    command = [sys.executable, "-m", "taxagent", "--lang", "en", "demo", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert time.monotonic() - started < 30
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["devices"] == 3
    assert {each["kind"]: each["periods"] for each in said["settled"]} == {
        "control_disk": ["2026-10"],
        "golden_disk": ["2026-09", "2026-10"],
        "ukey": ["2026-10"],
    }
    assert len({each["device_no"] for each in said["settled"]}) == 3
    assert len({record["sha256"] for record in said["records"]}) == 3
    assert said["journal_verified"] is True
