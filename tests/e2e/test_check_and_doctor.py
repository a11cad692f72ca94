"""taxctl check and taxctl doctor at a real agent: lines with what to do, and an exit code that says it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from taxagent.simulator.site import Site
from tests.builders.site import DEVICE, client, identified, site, until


def taxctl(shop: Site, *words: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "taxclient.cli.main", "--endpoint", shop.endpoint, "--lang", lang]
    here = {**os.environ, "XDG_STATE_HOME": str(shop.folder / "taxctl")}
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, check=False, timeout=60, env=here
    )


def lines_of(ran: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    told = json.loads(ran.stdout)
    lines = told["job"]["lines"] if "job" in told else told["lines"]
    return {f"{line['line']}.{line['subject']}".strip("."): line for line in lines}


def test_a_check_lists_device_computer_and_bureau_and_exits_0_where_nothing_is_bad() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
        ran = taxctl(shop, "--json", "check")
        lines = lines_of(ran)
        shown = taxctl(shop, "check", lang="zh")
    assert ran.returncode == 0
    assert {"password", "clock.host", "clock.bureau", "window.off_peak", "sums.007"} <= set(lines)
    assert {"dns", "tcp", "tls", "http", "latency", "disk", "backup", "certificate"} <= set(lines)
    assert {line["state"] for line in lines.values()} <= {"ok", "warn"}
    assert lines["latency"]["detail"]["lost"] == "0"
    assert "库存平衡 007" in shown.stdout
    assert "怎么办" in shown.stdout


def test_without_a_bureau_the_check_says_where_the_way_ends_and_exits_11() -> None:
    with site() as shop:
        assert shop.bureau is not None
        shop.start_agent()
        with client(shop) as one:
            identified(one)
        shop.bureau.stop()
        ran = taxctl(shop, "--json", "--timeout", "30", "check")
        lines = lines_of(ran)
    assert ran.returncode == 11
    assert (lines["tcp"]["code"], lines["login"]["state"]) == ("TCP_FAILED", "unknown")
    assert (lines["latency"]["code"], lines["self_test"]["state"]) == ("LATENCY_ALL_LOST", "ok")
    assert "tls" not in lines


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_running_agent_looks_at_itself_and_names_whom_to_ask(lang: str) -> None:
    with site() as shop:
        text = shop.config.read_text(encoding="utf-8")
        text += '\n[access.users]\nno-such-user = "operator"\n[support]\ncontact = "0531-12345678"\n'
        shop.config.write_text(text, encoding="utf-8")
        (shop.folder / "secrets" / f"device-{DEVICE}").write_text("00000000")
        shop.start_agent()
        with client(shop) as one:
            until(lambda: any(device.problem for device in one.status().devices), "its password was refused")
        ran = taxctl(shop, "--json", "doctor", lang=lang)
        lines = lines_of(ran)
        shown = taxctl(shop, "doctor", lang=lang)
        logged = (shop.folder / "agent.log").read_text(encoding="utf-8")
    assert "role_of_nobody" in logged
    assert lines["access.no-such-user"]["code"] == "USER_UNKNOWN"
    assert {"socket", "journal", "usb", "tls", "latency", f"device.{DEVICE}"} <= set(lines)
    assert json.loads(ran.stdout)["contact"] == "0531-12345678"
    assert ran.returncode == shown.returncode == 1
    assert shown.stdout.rstrip().endswith("0531-12345678")


def test_what_a_check_shows_below_its_lines_is_what_it_has_read_itself() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
        with shop.device_orders() as orders:
            orders.order({"do": "clock", "device": DEVICE, "set": "2026-12-20T11:30:00"})
        shown = taxctl(shop, "check").stdout
    before, _, block = shown.partition(f"\n{DEVICE}")
    assert "clock" in before
    assert "2026-11" in block, "the month that is due by the clock as it stands now"
