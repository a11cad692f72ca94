"""The unit: its score, its watchdog, a second instance, a reload, a stop in a job, a full disk."""

from __future__ import annotations

import json
import os
import re
import signal
from functools import partial
from pathlib import Path

from tests.vm.guest.machine import done, journal, main_pid, out, restarted, unit, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import BIN, Shop
from tests.vm.guest.trouble import begun, stopped_in_a_job

_SCORE = 1.8
_STATE = Path("/var/lib/taxagent")
_CONFIG = Path("/etc/taxagent/taxagent.toml")
DROP_IN = Path("/etc/systemd/system/taxagent.service.d/stage.conf")
SHORT = "[Service]\nWatchdogSec=20s\n"


def unit_itself(report: Report) -> None:
    """What systemd thinks of the files."""
    report.check("systemd-analyze verify finds nothing", verified)
    report.check(f"systemd-analyze security is {_SCORE} or better", scored)


def checks(report: Report, shop: Shop, numbers: dict[str, str]) -> None:
    """What a person does to the service, and what befalls it."""
    report.check("the journal has entries with fields", fields)
    report.check("a second instance ends with 75 and disturbs nothing", partial(second, shop))
    report.check("reload: a new role counts at once", partial(reloaded, shop))
    report.check("reload: a bad configuration is refused and the old one holds", partial(not_reloaded, shop))
    report.check(
        "stopped in a seal: it waits for it; the next start does the rest",
        partial(stopped_in_a_job, shop, numbers["stop"]),
    )
    report.check(
        "full disk: new work is not executed, reads go on, room mends it",
        partial(full, shop, numbers["full"]),
    )
    report.check(
        "a loop that stands still: the watchdog ends it, systemd starts it again", partial(watchdog, shop)
    )


def shortened() -> None:
    """A drop-in, as a person would change the unit."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(SHORT, encoding="ascii")
    out("systemctl", "daemon-reload")
    out("systemctl", "restart", "taxagent")


def verified() -> None:
    """Of the unit as it is installed."""
    ended = done("systemd-analyze", "verify", "/etc/systemd/system/taxagent.service")
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


def second(shop: Shop) -> str:
    """By hand, as the agent's user."""
    before = main_pid()
    ended = done(f"{BIN}/taxagent", "run", "--config", str(_CONFIG), user="taxagent")
    assert ended.returncode == 75, f"{ended.returncode} {ended.stderr[-300:]}"
    assert main_pid() == before
    assert shop.answers()
    return ended.stderr.strip().splitlines()[-1][:120]


def reloaded(shop: Shop) -> None:
    """The member is no operator any more, and is one again."""
    before = main_pid()
    shop.configure(role="viewer")
    out("systemctl", "reload", "taxagent")
    number = next(iter(shop.kinds))
    until(lambda: shop.ask("backup", number).returncode == 77, "a viewer may not")
    shop.configure()
    out("systemctl", "reload", "taxagent")
    assert main_pid() == before


def not_reloaded(shop: Shop) -> str:
    """`systemctl` says that it failed; the agent goes on."""
    before = main_pid()
    shop.configure(role="king")
    ended = done("systemctl", "reload", "taxagent")
    assert ended.returncode != 0
    assert main_pid() == before
    assert shop.ask("status").returncode == 0
    shop.configure()
    out("systemctl", "reload", "taxagent")
    return journal("-n", "3").splitlines()[-1][:100]


def full(shop: Shop, number: str) -> str:
    """The state directory is a disk of its own here."""
    begun(shop, number)
    token = shop.token(number)
    ballast = _STATE / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        except OSError:
            pass
    ended = shop.ask("--json", "settle", number, "--token", token, "--no-wait")
    told = json.loads(ended.stdout or ended.stderr)
    assert told["error"]["outcome"] == "not_executed", told
    assert shop.ask("status").returncode == 0
    ballast.unlink()
    shop.settled(shop.submitted(number), number)
    return str(told["error"]["code"])


def watchdog(shop: Shop) -> str:
    """SIGSTOP: no sign of life comes any more. The unit's minute is shortened to 20 s."""
    shortened()
    until(shop.answers, "the agent answers")
    before = main_pid()
    os.kill(before, signal.SIGSTOP)
    until(restarted(before), "the watchdog strikes")
    until(shop.answers, "the agent answers")
    said = [line for line in journal("-n", "60").splitlines() if "watchdog" in line.lower()]
    assert said, journal("-n", "60")
    return f"{said[0][:80]}; restarts {unit('NRestarts')['NRestarts']}"
