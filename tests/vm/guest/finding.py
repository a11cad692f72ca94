"""`taxagent doctor` and `taxctl doctor` on a real host: what is broken on purpose is named."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from taxclient.protocol.results import DoctorResult
from taxclient.protocol.views import CheckLineView
from tests.vm.guest.forks import ran
from tests.vm.guest.machine import done, node, out, until
from tests.vm.guest.report import Report
from tests.vm.guest.shop import MEMBER, STRANGER, Shop

DEVICES = {"doctor": "control_disk"}
_RULES = tuple(Path(f"/{place}/udev/rules.d/70-taxagent.rules") for place in ("etc", "usr/lib"))
_CONFIG = Path("/etc/taxagent/taxagent.toml")
_WELL = {"DNS_OK", "TCP_OK", "TLS_OK", "HTTP_OK", "JOURNAL_OK", "CERTIFICATE_OK", "RTC_AGREES"}
Found = Mapping[str, CheckLineView]


def checks(report: Report, shop: Shop) -> None:
    """The service runs before, and is stopped at the end."""
    number = shop.numbers["doctor"]
    report.check("a host that is well, by root and through the agent", partial(well, shop, number))
    report.check("a second program has the device: its pid and name", partial(rival, shop, number))
    report.check("the agent's user is not in the devices' group", partial(no_member, shop, number))
    report.check("the udev rule is missing, then not applied", partial(no_rule, shop, number))
    report.check("a stranger learns which group lets them in", partial(shut, shop))
    shop.away(number)
    report.check("the service is stopped, or its configuration refused", stopped)


def well(shop: Shop, number: str) -> str:
    """Both look at the same, and say the same."""
    shop.plug(number)
    place = shop.view(number).location
    shop.given_back(number)
    by_root, asked = doctor(), through_the_agent(shop)
    for found in (by_root, asked):
        unit, door, driver = found["UNIT_RUNS"], found["SOCKET_OK"], found["KERNEL_DRIVER"]
        assert unit.detail["active"] == "active", unit
        rights = [door.detail[each] for each in ("owner", "group", "mode")]
        assert rights == ["taxagent", "taxagent", "0660"], rights
        assert driver.detail["driver"] == "usb-storage", driver
        assert MEMBER in found["ACCESS_GROUP"].detail["names"], found["ACCESS_GROUP"]
        assert "libusb 1." in found["VERSIONS"].fact, found["VERSIONS"]
        assert found["NODE_OPEN"].detail["user"] == "taxagent"
        assert set(found) >= _WELL, sorted(found)
    assert {"ABOUT_COMMAND"} == {"ABOUT_COMMAND", "HOLDERS_HIDDEN"} & set(by_root), sorted(by_root)
    assert "ABOUT_AGENT" in asked, sorted(asked)
    return f"{place} by usb-storage; {by_root['SOCKET_OK'].fact}"


def rival(shop: Shop, number: str) -> str:
    """Root sees who it is; the agent's own user is told that it cannot see everybody."""
    with Path(node(number)).open("rb") as held:
        program = subprocess.Popen(["sleep", "900"], stdin=held)
    try:
        line = doctor()["HELD_BY_PROGRAM"]
        told = [line.detail[each] for each in ("pid", "program", "user")]
        assert told == [str(program.pid), "sleep", "root"], line
        asked = through_the_agent(shop)
        assert "HOLDERS_HIDDEN" in asked, sorted(asked)
    finally:
        program.kill()
        program.wait()
    return line.fact


def no_member(_: Shop, number: str) -> str:
    """The agent that runs has its groups from its start: the next start would have failed."""
    out("gpasswd", "-d", "taxagent", "taxdev")
    try:
        line = doctor()["NODE_SHUT_NO_MEMBER"]
    finally:
        out("gpasswd", "-a", "taxagent", "taxdev")
    assert "usermod -aG taxdev taxagent" in line.remedy, line
    assert line.detail["path"] == node(number)
    return line.remedy


def no_rule(_: Shop, number: str) -> str:
    """As where an installation by hand forgot it; then with the rule, but not for this device."""
    rule = next(each for each in _RULES if each.exists())
    path, aside = Path(node(number)), rule.with_suffix(".aside")
    shutil.move(rule, aside)
    shutil.chown(path, "root", "root")
    try:
        missing = doctor()["NODE_SHUT_NO_RULE"]
    finally:
        shutil.move(aside, rule)
    late = doctor()["NODE_SHUT_NOT_APPLIED"]
    assert "70-taxagent.rules" in missing.fact, missing
    out("udevadm", "control", "--reload")  # the remedy, word by word
    out("udevadm", "trigger", "--subsystem-match=usb", "--action=add")
    out("udevadm", "settle")
    until(lambda: "NODE_OPEN" in doctor(), "the remedy helps")
    return f"{missing.code}, {late.code}, then NODE_OPEN"


def stopped() -> str:
    """Stopped by a person; then started with a configuration that it refuses."""
    out("systemctl", "stop", "taxagent")
    found = doctor()
    assert set(found) >= {"UNIT_STOPPED", "NO_AGENT"}, sorted(found)
    with _wrong_configuration():
        done("systemctl", "start", "taxagent")
        failed = doctor()
    assert failed["UNIT_FAILED_CONFIG"].detail["status"] == "2", failed["UNIT_FAILED_CONFIG"]
    assert "CONFIG_INVALID" in failed
    out("systemctl", "reset-failed", "taxagent")
    return f"{found['UNIT_STOPPED'].fact} {failed['UNIT_FAILED_CONFIG'].fact}"


def shut(shop: Shop) -> str:
    """Neither of the two says that no agent runs."""
    ended = shop.ask_here("doctor", user=STRANGER)
    assert ended.returncode == 77, f"{ended.returncode} {ended.stdout}{ended.stderr}"
    line = doctor(user=STRANGER)["SOCKET_SHUT"]
    assert f"usermod -aG taxagent {STRANGER}" in line.remedy, line
    return line.remedy


def doctor(user: str = "") -> Found:
    """Return the lines of `taxagent doctor --json` by their code."""
    return _by_code(ran("taxagent", "--lang", "en", "doctor", "--json", user=user))


def through_the_agent(shop: Shop) -> Found:
    """Return the lines of `taxctl doctor --json` by their code."""
    return _by_code(shop.ask_here("--json", "--lang", "en", "--timeout", "60", "doctor"))


def _by_code(ended: subprocess.CompletedProcess[str]) -> Found:
    assert ended.returncode in (0, 1), f"{ended.returncode} {ended.stdout}{ended.stderr}"
    result = msgspec.convert(json.loads(ended.stdout), DoctorResult)
    return {line.code: line for line in result.lines}


@contextmanager
def _wrong_configuration() -> Iterator[None]:
    text = _CONFIG.read_text("utf-8")
    _CONFIG.write_text(text + "\n[nonsense]\n", encoding="utf-8")
    try:
        yield
    finally:
        _CONFIG.write_text(text, encoding="utf-8")
