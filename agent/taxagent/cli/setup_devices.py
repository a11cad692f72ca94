"""The devices at set-up: what is seen, whose they are, their passwords (each is tried once, then stored)."""

from __future__ import annotations

import os
import secrets as random_bytes
import sys
from collections.abc import Iterator
from pathlib import Path

from taxagent.cli.reading import alone, read_one, secret_store
from taxagent.cli.setup_choices import Choices
from taxagent.cli.setup_words import say
from taxagent.cli.terminal import Asker
from taxagent.config import DeviceRow, Settings
from taxagent.device import drivers
from taxagent.host.clock import HostClock
from taxagent.jobs.asks import DeviceView
from taxagent.model import faults
from taxagent.model.device import Hello
from taxagent.model.errors import AgentError, DeviceAbsent, Refusal
from taxagent.model.faults import Lang
from taxagent.model.job import Problem
from taxagent.model.usb import Recognised
from taxagent.model.words import word
from taxagent.ports import Device, DeviceSource
from taxagent.procedures.session import Latch, greet, open_session

AGENT_USER = "taxagent"
_CYCLES = ("month", "quarter")


class _Given:
    """ports.Secrets with one password. `mark`: new where a person typed it just now, "" where a file has it.

    So one from a file that was refused stays refused; a person who types it again wants it tried again.
    """

    def __init__(self, password: str, mark: str) -> None:
        self.password = password
        self._mark = mark

    def get(self, name: str) -> str | None:
        return self.password

    def given(self, name: str) -> str:
        return self._mark


def show_bus(backend: str, lang: Lang, asker: Asker) -> None:
    """Say which tax-control devices are plugged in, ours and the vendors', or why none can be seen."""
    source = drivers.source("tcdp", backend)
    seen = source.seen()
    trouble = source.trouble()
    if trouble is not None:
        asker.say(_problem(trouble, lang))
        return
    known = [thing for thing in seen if thing.recognised is not Recognised.OTHER]
    asker.say(say("seen" if known else "none_seen", lang))
    for thing in known:
        line = "ours" if thing.recognised is Recognised.PROFILE else "vendors"
        asker.say(say(line, lang, name=thing.name, location=thing.location))


def enrol(
    settings: Settings, told: Choices, lang: Lang, asker: Asker, *, by_hand: bool
) -> tuple[DeviceRow, ...]:
    """Open each device of ours once with its password, store a password that is right, say whose it is.

    Returns what became known of them, for the configuration.

    Raises InstanceRunning where an agent has the devices; any other fault of a device is told and passed by.
    """
    usb = settings.file.usb
    source = drivers.source(usb.driver, usb.backend)
    found: list[DeviceRow] = []
    with alone(settings) as (latch, _):
        for location in [one.location for one in source.seen() if one.recognised is Recognised.PROFILE]:
            try:
                hello = _greeted(source, location)
                asker.say(_introduced(hello, lang))
                given = _password(settings, told, hello, lang, asker, by_hand=by_hand)
                if given is None:
                    found.append(_known(hello.device_no, told))
                else:
                    view = _tried(source, location, hello.device_no, given, latch)
                    opened = _told(settings, view, given.password, lang, asker)
                    found.append(
                        _row(view, told, lang, asker, by_hand=by_hand)
                        if opened
                        else _known(hello.device_no, told)
                    )
            except AgentError as error:
                asker.say(_problem(error.problem(), lang))
    return tuple(found)


def _row(view: DeviceView, told: Choices, lang: Lang, asker: Asker, *, by_hand: bool) -> DeviceRow:
    """Return what the configuration will know of the device; a person is asked how often is filed for it."""
    cycle = _known(view.device_no, told).cycle
    if by_hand:
        question = say("cycle", lang, device_no=view.device_no)
        answer = asker.ask(question, cycle, lambda text: "" if text in _CYCLES else say("cycle_how", lang))
        cycle = "quarter" if answer == "quarter" else "month"
    return DeviceRow(device_no=view.device_no, taxpayer_id=view.taxpayer_id, cycle=cycle)


def _known(device_no: str, told: Choices) -> DeviceRow:
    """Return what the answers know of a device that was not opened: its taxpayer stands only in itself."""
    listed = next((row for row in told.devices if row.device_no == device_no), None)
    return listed or DeviceRow(device_no=device_no, cycle=told.cycle)


def hand_over(settings: Settings, run_as: str) -> None:
    """Where root sets up for another user: make the state directory, give it state and secrets."""
    if sys.platform == "win32" or os.geteuid() != 0 or not run_as or run_as == "root":
        return
    import pwd

    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    entry = pwd.getpwnam(run_as)
    for folder in (settings.state_dir, settings.secrets_dir):
        for path in _in(folder):  # a link in a folder of the other user is not followed: it may lead anywhere
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def default_user() -> str:
    """Return the agent's own user where root sets up and there is one, else who sets up."""
    import getpass

    root = os.name == "posix" and os.geteuid() == 0
    return AGENT_USER if root and user_exists(AGENT_USER) else getpass.getuser()


def user_exists(name: str) -> bool:
    """Return whether the system has this user; Windows is not asked."""
    if sys.platform == "win32":
        return True
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _greeted(source: DeviceSource, location: str) -> Hello:
    """Held for a moment only: nobody waits for the device while a person types."""
    with source.hold(location) as device:
        return greet(device)


def _introduced(hello: Hello, lang: Lang) -> str:
    kind = word("device_kind", hello.kind.value, lang)
    return say("device", lang, device_no=hello.device_no, kind=kind, tries=hello.tries_left)


def _password(
    settings: Settings, told: Choices, hello: Hello, lang: Lang, asker: Asker, *, by_hand: bool
) -> _Given | None:
    """Return the password to try, None where there is none or it must not be tried."""
    if hello.tries_left <= 1:
        asker.say(say("last_try", lang))
        return None
    name, store = f"device-{hello.device_no}", secret_store(settings)
    stored = store.get(name) or ""
    if by_hand:
        question = say("password_kept" if stored else "password", lang)
        typed = asker.secret(question, say("again", lang), say("differ", lang))
        mark = random_bytes.token_hex(8)
    else:
        place = told.passwords.get(hello.device_no)
        typed = _in_file(Path(place)) if place else ""
        mark = ""
    if typed:
        return _Given(typed, mark)
    if stored:
        return _Given(stored, store.given(name))
    asker.say(say("skipped", lang, device_no=hello.device_no))
    return None


def _in_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or type(error).__name__
        raise Refusal("SECRET_STORE_UNUSABLE", path=str(path), what=what) from error


def _tried(source: DeviceSource, location: str, device_no: str, given: _Given, latch: Latch) -> DeviceView:
    def opened(device: Device, hello: Hello) -> None:
        if hello.device_no != device_no:
            raise DeviceAbsent("DEVICE_ABSENT", device_no=device_no, seen=hello.device_no)
        open_session(device, hello, given, latch)

    return read_one(source, location, opened, HostClock(), simulation=False)


def _told(settings: Settings, view: DeviceView, password: str, lang: Lang, asker: Asker) -> bool:
    """Say what became of the try; return whether the device was opened."""
    if view.problem is not None:
        asker.say(_problem(view.problem, lang))
        return False
    secret_store(settings).set(f"device-{view.device_no}", password)
    asker.say(say("stored", lang))
    facts = {"taxpayer_id": view.taxpayer_id, "name": view.taxpayer_name, "terminal": view.terminal_no}
    asker.say(say("taxpayer", lang, **facts))
    return True


def _problem(problem: Problem, lang: Lang) -> str:
    words = faults.text(problem, lang)
    return say("problem", lang, title=words.title, cause=words.cause, remedy=words.remedy)


def _in(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield folder
        yield from folder.rglob("*")
