"""Each probe of the doctor, good and bad; whatever happens to one, it is a finding."""

from __future__ import annotations

import datetime as dt
import os
import socket
import string
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import get_args

import pytest

from taxagent.host.probes import certificates, places, rights, software, usb
from taxagent.host.probes.findings import looked
from taxagent.host.probes.users import User, own_user, user_of
from taxagent.host.secret_files import SecretFiles
from taxagent.model import checks
from taxagent.model.checks import made, of_problem
from taxagent.model.errors import DeviceAbsent, JournalBroken, JournalRefused, Refusal
from taxagent.model.faults import Lang
from taxagent.model.job import Outcome, Problem
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.model.workdays import Day, day
from tests.builders.probes import ME, STRANGER, cases, certificate

NOW = dt.datetime(2026, 11, 3, 1, 30, tzinfo=dt.UTC)
LANGS: tuple[Lang, ...] = get_args(Lang)


def thing(recognised: Recognised, name: str = "", location: str = "usb:1-2#7") -> SeenDevice:
    return SeenDevice(
        location=location, vendor_id=0x1432, product_id=0x07DC, recognised=recognised, name=name
    )


# ---- findings


def test_a_probe_that_raises_is_a_finding_and_keeps_what_it_found_before() -> None:
    def breaks() -> Iterator[CheckLine]:
        yield made("x", "CLOCK_OK", now="now")
        raise ZeroDivisionError("boom")

    good, bad = looked("x", breaks)
    assert (good.code, bad.code, bad.state) == ("CLOCK_OK", "PROBE_FAILED", CheckState.UNKNOWN)
    assert bad.facts["what"] == "ZeroDivisionError: boom"


def test_what_this_user_may_not_look_at_is_no_defect() -> None:
    def denied() -> Iterator[CheckLine]:
        yield from places.state(Path("/"), ME, lambda _: shut())

    def shut() -> int:
        raise PermissionError(13, "Permission denied", "/var/lib/taxagent")

    finding = looked("state", denied)[-1]
    assert (finding.code, finding.state, finding.facts["path"]) == (
        "MAY_NOT_LOOK",
        CheckState.WARN,
        "/var/lib/taxagent",
    )


def test_our_own_errors_keep_their_words() -> None:
    def refuses() -> Iterator[CheckLine]:
        yield from usb.bus(absent, lambda: None)

    def absent() -> tuple[SeenDevice, ...]:
        raise DeviceAbsent("DEVICE_ABSENT", location="usb:1-2#7")

    (finding,) = looked("usb", refuses)
    assert finding.code == "DEVICE_ABSENT"
    assert "usb:1-2#7" in checks.text(finding, "en").fact
    assert checks.text(finding, "en").remedy


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("case", checks.codes())
def test_each_case_has_words_and_a_remedy_where_it_is_not_well(case: str, lang: Lang) -> None:
    finding = made("p", case, **dict.fromkeys(checks.facts_of(case), "X"))
    words = checks.text(finding, lang)
    level = made("p", case).state
    assert words.fact
    assert bool(words.remedy) is (level is not CheckState.OK)
    assert not set("{}") & set(words.fact + words.remedy)
    assert "[[" not in words.remedy
    assert words.fact.translate(str.maketrans("", "", string.whitespace))


# ---- USB


def test_devices_are_named_ours_and_the_vendors() -> None:
    things = (
        thing(Recognised.PROFILE, "taxagent simulated"),
        thing(Recognised.VENDOR, "税控盘（NISEC） / tax-control disk (NISEC)"),
        thing(Recognised.OTHER, "mouse"),
    )
    ours, vendors, others = usb.bus(lambda: things, lambda: None)
    assert (others.code, others.facts) == ("USB_OTHERS", {"count": "1", "names": "1432:07dc mouse"})
    assert (ours.code, vendors.code, vendors.state) == ("DEVICE_OURS", "DEVICE_VENDORS", CheckState.WARN)
    assert "NISEC" in checks.text(vendors, "en").fact
    assert "does not drive it" in checks.text(vendors, "en").fact


def test_a_bus_without_a_tax_control_device_is_bad() -> None:
    finding, _ = usb.bus(lambda: (thing(Recognised.OTHER),), lambda: None)
    assert (finding.code, finding.facts["count"]) == ("NO_DEVICE", "1")


def test_why_nothing_can_be_seen_is_told() -> None:
    trouble = Problem(fault="USB_LIBRARY_MISSING", outcome=Outcome.NOT_EXECUTED)
    (finding,) = usb.bus(tuple, lambda: trouble)
    assert (finding.code, finding.state) == ("USB_LIBRARY_MISSING", CheckState.FAIL)
    assert "libusb" in checks.text(finding, "zh").fact


def node_of(root: Path, mode: int) -> Path:
    """Make the node of the device at usb:1-2#7 below a root."""
    node = root / "dev/bus/usb/001/007"
    node.parent.mkdir(parents=True)
    node.touch()
    node.chmod(mode)
    return node


def rule(root: Path) -> None:
    """Install the rule below a root."""
    path = root / "usr/lib/udev/rules.d/70-taxagent.rules"
    path.parent.mkdir(parents=True)
    path.touch()


OURS = (thing(Recognised.PROFILE), thing(Recognised.VENDOR, location="usb:1-3#8"))


def test_what_the_agents_user_may_open_is_well(tmp_path: Path) -> None:
    node_of(tmp_path, 0o660)
    assert cases(rights.nodes(lambda: OURS, ME, tmp_path)) == ["NODE_OPEN"]


def test_of_a_node_that_is_shut_the_first_that_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*, group: bool = True) -> CheckLine:
        (line,) = rights.nodes(lambda: OURS, STRANGER, tmp_path, lambda _: group)
        return line

    node_of(tmp_path, 0o660)
    assert told(group=False).code == "NODE_SHUT_NO_GROUP"
    assert told().code == "NODE_SHUT_NO_RULE"
    assert "70-taxagent.rules" in checks.text(told(), "en").fact
    rule(tmp_path)
    assert told().code == "NODE_SHUT_NOT_APPLIED"
    monkeypatch.setattr(rights, "group_name", lambda _: "taxdev")
    assert told().code == "NODE_SHUT_NO_MEMBER"
    assert "usermod -aG taxdev stranger" in checks.text(told(), "zh").remedy


def test_without_a_device_a_missing_rule_or_group_is_told_where_udev_is(tmp_path: Path) -> None:
    def told(*, group: bool) -> list[str]:
        return cases(rights.nodes(tuple, ME, tmp_path, lambda _: group))

    assert told(group=False) == []
    (tmp_path / "run/udev").mkdir(parents=True)
    assert told(group=False) == ["GROUP_MISSING", "RULE_MISSING"]
    rule(tmp_path)
    assert told(group=True) == []


def test_a_node_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert cases(rights.nodes(lambda: OURS, ME, tmp_path)) == ["NODE_MISSING"]


def test_a_simulated_device_has_no_node(tmp_path: Path) -> None:
    simulated = thing(Recognised.PROFILE, location="usbip:1-1#1")
    assert list(rights.nodes(lambda: (simulated,), ME, tmp_path)) == []


def test_a_group_that_may_write_is_enough(tmp_path: Path) -> None:
    tmp_path.chmod(0o660)
    there = tmp_path.stat()
    member = User(name="member", uid=54_321, groups=frozenset({there.st_gid}))
    assert member.may_write(there)
    assert User(name="root", uid=0, groups=frozenset()).may_write(there)
    tmp_path.chmod(0o700)


def test_users_are_known_by_number() -> None:
    assert own_user().uid == os.geteuid()
    assert user_of(54_321).name == "54321"


# ---- places


def test_an_agent_that_listens_is_well(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        path.chmod(0o660)
        door.listen()
        assert cases(places.door(path, ME)) == ["SOCKET_OK"]
        path.chmod(0o666)
        assert cases(places.door(path, ME)) == ["SOCKET_MODE"]
    assert cases(places.door(path, ME)) == ["NO_AGENT"]


def test_a_socket_that_is_none_and_folders_that_are_not_safe_are_bad(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    path.touch()
    assert cases(places.door(path, ME)) == ["SOCKET_NO_SOCKET"]
    tmp_path.chmod(0o777)
    assert cases(places.door(tmp_path / "none", ME)) == ["SOCKET_FOLDER_OPEN", "NO_AGENT"]
    tmp_path.chmod(0o700)
    assert cases(places.door(tmp_path / "no" / "where", ME)) == ["NO_AGENT"]


def test_a_folder_of_someone_else_is_bad(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root's folders are trusted
        os.chown(tmp_path, 54_322, -1)
    assert cases(places.door(tmp_path / "none", STRANGER)) == ["SOCKET_FOLDER_OWNER", "NO_AGENT"]


def test_the_state_directory_is_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert cases(places.state(tmp_path, ME, lambda _: 1 << 40)) == ["STATE_OK", "DISK_OK"]
    tmp_path.chmod(0o755)
    assert cases(places.state(tmp_path, ME, lambda _: 1 << 40)) == ["STATE_OPEN", "DISK_OK"]


def test_a_state_directory_that_is_missing_or_a_file_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "a" / "b"
    found = list(places.state(missing, ME, lambda _: 1 << 40))
    assert cases(found) == ["STATE_MISSING", "DISK_OK"]
    assert found[1].facts["path"] == str(tmp_path)
    (tmp_path / "file").touch()
    assert cases(places.state(tmp_path / "file", ME)) == ["STATE_NO_FOLDER"]


@pytest.mark.parametrize("free, case", [(1 << 20, "DISK_FULL"), (1 << 29, "DISK_LOW"), (1 << 31, "DISK_OK")])
def test_the_disk_is_measured(tmp_path: Path, free: int, case: str) -> None:
    assert cases(places.state(tmp_path, ME, lambda _: free))[-1] == case


def test_the_real_disk_can_be_measured(tmp_path: Path) -> None:
    assert cases(places.state(tmp_path, ME))[-1].startswith("DISK_")


def test_secrets_are_counted_and_exposed_ones_told(tmp_path: Path) -> None:
    store = SecretFiles(tmp_path)
    assert cases(places.secrets(tmp_path, store.get)) == ["SECRETS_NONE"]
    handed_in = tmp_path / "credentials"
    handed_in.mkdir()
    (handed_in / "secret_device-661234567891").touch()
    (line,) = places.secrets(tmp_path / "none", store.get, handed_in)
    assert (line.code, line.facts["count"]) == ("SECRETS_STORED", "1")
    path = store.set("device-661234567890", "secret")
    assert cases(places.secrets(tmp_path, store.get)) == ["SECRETS_STORED"]
    path.chmod(0o644)
    (finding,) = looked("secrets", lambda: places.secrets(tmp_path, store.get))
    assert finding.code == "SECRET_EXPOSED"


def test_a_journal_holds_is_missing_or_is_broken(tmp_path: Path) -> None:
    def missing() -> places.Chain:
        raise JournalRefused("JOURNAL_REFUSED", reason="missing", what="there is no journal")

    def broken() -> places.Chain:
        raise JournalBroken("a row was changed", seq=7)

    path = tmp_path / "journal.db"
    path.write_bytes(bytes(2048))
    (well,) = places.journal(path, lambda: places.Chain(rows=12, verified=12, schema=3))
    assert well.facts == {"path": str(path), "rows": "12", "schema": "3", "size": "2.0 KiB"}
    (long,) = places.journal(path, lambda: places.Chain(rows=12, verified=5, schema=3))
    assert "the last 5 verified" in checks.text(long, "en").fact
    assert cases(places.journal(path, missing)) == ["JOURNAL_NONE"]
    (finding,) = places.journal(path, broken)
    assert (finding.code, finding.state) == ("JOURNAL_REFUSED", CheckState.FAIL)
    assert finding.facts["seq"] == "7"


# ---- certificates


@pytest.mark.parametrize(
    "left, case",
    [
        (dt.timedelta(days=400), "CERTIFICATE_OK"),
        (dt.timedelta(days=30), "CERTIFICATE_30_DAYS"),
        (dt.timedelta(days=7), "CERTIFICATE_7_DAYS"),
        (dt.timedelta(days=1), "CERTIFICATE_1_DAY"),
        (dt.timedelta(seconds=-1), "CERTIFICATE_EXPIRED"),
    ],
)
def test_a_certificates_end_is_foreseen(tmp_path: Path, left: dt.timedelta, case: str) -> None:
    own, key = certificate(tmp_path, NOW - dt.timedelta(days=100), NOW + left)
    ca, _ = certificate(tmp_path, NOW - dt.timedelta(days=100), NOW + dt.timedelta(days=999), "ca")
    assert cases(certificates.files(ca, own, key, NOW, ME)) == [case]


def test_an_authority_is_told_only_where_it_ends_soon(tmp_path: Path) -> None:
    own, key = certificate(tmp_path, NOW - dt.timedelta(days=9), NOW + dt.timedelta(days=400))
    ca, _ = certificate(tmp_path, NOW - dt.timedelta(days=9), NOW + dt.timedelta(days=5), "ca")
    assert cases(certificates.files(ca, own, key, NOW, ME)) == ["CERTIFICATE_OK", "CERTIFICATE_7_DAYS"]


def test_papers_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    ends = NOW + dt.timedelta(days=400)
    own, key = certificate(tmp_path, NOW - dt.timedelta(days=9), ends)
    other, other_key = certificate(tmp_path, NOW + dt.timedelta(days=1), ends, "other")
    assert cases(certificates.files(own, tmp_path / "none", key, NOW, ME)) == ["FILE_UNREADABLE"]
    assert cases(certificates.files(own, other, other_key, NOW, ME)) == ["CERTIFICATE_NOT_YET"]
    assert cases(certificates.files(own, own, other_key, NOW, ME)) == ["CERTIFICATE_OK", "KEY_WRONG"]
    assert cases(certificates.files(own, own, key, NOW, STRANGER)) == ["FILE_SHUT", "CERTIFICATE_OK"]
    key.chmod(0o644)
    assert cases(certificates.files(own, own, key, NOW, ME)) == ["CERTIFICATE_OK", "KEY_EXPOSED"]
    other.write_text("no certificate")
    assert "CERTIFICATE_UNREADABLE" in cases(certificates.files(own, other, key, NOW, ME))


# ---- software and clock


def test_the_versions_that_are_installed_are_told_and_are_one() -> None:
    (finding,) = software.versions()
    assert finding.code == "VERSIONS"
    assert "taxagent" in finding.facts["names"]


def test_versions_that_differ_or_are_missing_are_bad() -> None:
    def installed(name: str) -> str:
        if name == "httpx":
            raise PackageNotFoundError(name)
        return "0.9" if name == "taxclient" else "1.0"

    assert cases(software.versions(installed)) == ["PACKAGES_MISSING", "VERSIONS_DIFFER", "VERSIONS"]


@pytest.mark.parametrize(
    "today, case",
    [
        (dt.date(2025, 6, 1), "HOLIDAYS_OK"),
        (dt.date(2098, 12, 1), "HOLIDAYS_OLD"),
        (dt.date(2026, 11, 3), "HOLIDAYS_OK"),
    ],
)
def test_the_year_of_the_holidays_is_told(today: dt.date, case: str) -> None:
    assert cases(software.holidays(today)) == [case]


def test_in_december_the_next_years_holidays_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def published(date: dt.date) -> Day:
        return day(dt.date(2098 if date.year > 2026 else 2026, 1, 1))

    monkeypatch.setattr("taxagent.host.probes.software.day", published)
    assert cases(software.holidays(dt.date(2026, 12, 1))) == ["HOLIDAYS_NEXT_YEAR"]
    assert cases(software.holidays(dt.date(2026, 11, 30))) == ["HOLIDAYS_OK"]


def test_a_clock_is_right_dead_or_simulated() -> None:
    assert cases(software.clock(dt.datetime(2026, 11, 3))) == ["CLOCK_OK"]
    assert cases(software.clock(dt.datetime(2000, 1, 1))) == ["CLOCK_IN_THE_PAST"]
    assert cases(software.clock(dt.datetime(2026, 11, 3), "2026-12-01")) == ["CLOCK_SIMULATED"]


def test_a_fault_says_its_own_words() -> None:
    finding = of_problem("x", Refusal("SECRET_EXPOSED", path="/p").problem())
    assert "/p" in checks.text(finding, "en").fact
