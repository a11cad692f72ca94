"""taxctl run in this process, and the one JSON object that it prints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from taxclient.cli.main import main
from tests.builders.ipc import House


def run(h: House, capsysbinary: pytest.CaptureFixture[bytes], *argv: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the object of `taxctl --json`, asked of the house's loop."""
    code = main(["--endpoint", h.endpoint, "--json", *argv])
    return code, the_object(capsysbinary.readouterr().out)


def the_object(out: bytes) -> dict[str, Any]:
    """The one line of JSON; the loop of these tests logs to the same place."""
    (line,) = [line for line in out.splitlines() if line.startswith(b"{")]
    found: dict[str, Any] = json.loads(line)
    return found
