"""The unit as systemd sees it: its files, its score, the fields of its log."""

from __future__ import annotations

import json
import re

from tests.vm.guest.machine import done, out, unit
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop

DEVICES: dict[str, str] = {}
_SCORE = 1.8


def checks(report: Report, _: Shop) -> None:
    """Of the unit as it is installed and runs."""
    report.check("systemd-analyze verify finds nothing", verified)
    report.check(f"systemd-analyze security is {_SCORE} or better", scored)
    report.check("journalctl -o json has a field for each fact", fields)


def verified() -> None:
    """Of the unit as it is installed."""
    ended = done("systemd-analyze", "verify", unit("FragmentPath")["FragmentPath"])
    said = [line for line in ended.stderr.splitlines() if "taxagent" in line]
    assert ended.returncode == 0, ended.stderr
    assert not said, said


def scored() -> str:
    """0 is locked up, 10 is open."""
    told = out("systemd-analyze", "security", "--no-pager", "taxagent.service")
    found = re.search(r"level for taxagent.service: ([0-9.]+)", told)
    assert found, told[-300:]
    assert float(found[1]) <= _SCORE, found[1]
    return found[1]


def fields() -> str:
    """`journalctl -o json` shows more than a text."""
    lines = out("journalctl", "-u", "taxagent", "-q", "--no-pager", "-o", "json").splitlines()
    names = {name for line in lines for name in json.loads(line) if name.startswith("TAXAGENT_")}
    assert names, f"{len(lines)} entries without fields of ours"
    return ", ".join(sorted(names)[:6])
