"""The devices at set-up: named, greeted, tried once; and what root makes is the agent's user's."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from taxagent.cli import setup_devices
from taxagent.cli.reading import alone, read_all
from taxagent.cli.setup_choices import Choices, put
from taxagent.cli.terminal import Terminal
from taxagent.config import Settings
from taxagent.host.secret_files import SecretFiles
from taxagent.model.errors import DeviceInUse
from taxagent.model.job import Outcome, Problem
from tests.builders.asker import ScriptedAsker
from tests.builders.jobs import DEVICE_NO, PASSWORD, FakeDevice
from tests.builders.one_bus import Bus, plugged

TOLD = Choices(url="https://gateway.example", ca="ca", certificate="crt", key="key")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A configuration in a folder of its own."""
    return put(msgspec.structs.replace(TOLD, state_dir=str(tmp_path / "state")), tmp_path / "agent.toml")


def enrolled(settings: Settings, asker: ScriptedAsker, **told: Any) -> list[str]:
    setup_devices.enrol(settings, msgspec.structs.replace(TOLD, **told), "en", asker, by_hand=not told)
    return asker.said


def stored(settings: Settings) -> str | None:
    return SecretFiles(settings.secrets_dir).get(f"device-{DEVICE_NO}")


def test_ours_and_the_vendors_are_named_and_a_mouse_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Bus())
    asker = ScriptedAsker({})
    setup_devices.show_bus("libusb", "en", asker)
    assert asker.said == [
        "Tax-control devices on USB:",
        "  ours (1-1)",
        "  NISEC (1-2): driven by its vendor's software; this agent does not drive it",
    ]


def test_why_nothing_can_be_seen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch, Bus(trouble=Problem(fault="USB_LIBRARY_MISSING", outcome=Outcome.NOT_EXECUTED)))
    asker = ScriptedAsker({})
    setup_devices.show_bus("libusb", "en", asker)
    assert "libusb" in asker.said[0]


def test_a_right_password_is_stored_and_the_owner_shown(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    bus = plugged(monkeypatch, Bus())
    said = enrolled(settings, ScriptedAsker({}, secret=PASSWORD))
    assert stored(settings) == PASSWORD
    assert bus.device.passwords_tried == [PASSWORD]
    assert any("Taxpayer" in line for line in said)
    assert not bus.device.session_open


def test_with_one_try_left_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    bus = plugged(monkeypatch, Bus(FakeDevice(tries_left=1)))
    asker = ScriptedAsker({}, secret=PASSWORD)
    said = enrolled(settings, asker)
    assert (asker.secrets_asked, bus.device.passwords_tried) == (0, [])
    assert any("not spent" in line for line in said)


def test_a_wrong_password_typed_is_tried_once_and_not_stored(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    bus = plugged(monkeypatch, Bus())
    said = enrolled(settings, ScriptedAsker({}, secret="wrong"))
    assert bus.device.passwords_tried == ["wrong"]
    assert stored(settings) is None
    assert said[-1].startswith("  ! ")


@pytest.mark.parametrize("typed", ["", "wrong"])
def test_a_device_that_was_not_opened_is_listed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, typed: str
) -> None:
    plugged(monkeypatch, Bus())
    asker = ScriptedAsker({}, secret=typed)
    (row,) = setup_devices.enrol(settings, TOLD, "en", asker, by_hand=True)
    assert (row.device_no, row.taxpayer_id) == (DEVICE_NO, "")


def test_a_device_that_is_in_use_is_told_and_passed_by(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    bus = plugged(monkeypatch, Bus())
    bus.refuses = DeviceInUse("DEVICE_IN_USE", location="1-1", holder="invoicing")
    said = enrolled(settings, ScriptedAsker({}, secret=PASSWORD))
    assert len(said) == 1
    assert "in use" in said[0]


def test_what_cannot_be_read_says_who_holds_it(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    bus = plugged(monkeypatch, Bus())
    bus.refuses = DeviceInUse("DEVICE_IN_USE", location="1-1", holder="")
    with alone(settings) as (latch, journal):
        (view,) = read_all(settings, latch, journal).devices
    assert (view.location, view.held_by, view.state) == ("1-1", "?", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_makes_is_given_to_the_agents_user(settings: Settings) -> None:
    SecretFiles(settings.secrets_dir).set("device-661234567890", "x")
    outside = settings.path.parent / "outside"
    outside.touch()
    (settings.secrets_dir / "link").symlink_to(outside)
    setup_devices.hand_over(settings, "nobody")
    owners = {path.lstat().st_uid for path in (settings.state_dir, *settings.secrets_dir.rglob("*"))}
    assert owners == {settings.state_dir.stat().st_uid}
    assert settings.state_dir.stat().st_uid != 0
    assert outside.stat().st_uid == 0
    assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_command_that_root_runs_leaves_the_state_to_its_owner(settings: Settings) -> None:
    settings.state_dir.mkdir(mode=0o700)
    os.chown(settings.state_dir, 54_321, 54_321)
    with alone(settings):
        pass
    assert {path.stat().st_uid for path in settings.state_dir.iterdir()} == {54_321}


def test_users_of_the_system_are_known() -> None:
    assert setup_devices.user_exists("root")
    assert not setup_devices.user_exists("nobody-has-this-name")
    assert setup_devices.user_exists(setup_devices.default_user())


def test_a_password_is_typed_twice_alike(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["one", "two", "three", "three"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert Terminal().secret("?", "again?", "they differ") == "three"
    assert "they differ" in capsys.readouterr().out
    never = iter(["a", "b"] * 3)
    monkeypatch.setattr("getpass.getpass", lambda _: next(never))
    assert Terminal().secret("?", "again?", "they differ") == ""
