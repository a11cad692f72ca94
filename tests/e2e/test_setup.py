"""taxagent setup on a simulated site: by an answers file, by a person, at a real (pseudo) terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taxagent.cli.setup import set_up
from taxagent.config import load
from taxagent.host.secret_files import SecretFiles
from taxagent.simulator.site import Site
from tests.builders.asker import ScriptedAsker
from tests.builders.site import DEVICE, SCENARIO, TAXPAYER, site

PASSWORD = "88888888"


class New:
    """A machine on which nothing is set up yet, beside a running simulated bureau and device."""

    def __init__(self, shop: Site) -> None:
        assert shop.bureau is not None
        self.shop = shop
        self.bureau = shop.bureau.ready
        self.backend = load(shop.config).file.usb.backend
        self.folder = shop.folder / "new"
        self.folder.mkdir()
        self.config = self.folder / "taxagent.toml"
        (self.folder / "run").mkdir(mode=0o750)
        self.endpoint = f"ipc://{self.folder}/run/a.sock"

    @property
    def stored(self) -> str | None:
        return SecretFiles(self.folder / "secrets").get(f"device-{DEVICE}")

    def answers(self, password: str | None = PASSWORD, more: str = "") -> Path:
        lines = [
            f'url = "{self.bureau["url"]}"',
            f'ca = "{self.bureau["ca"]}"',
            f'certificate = "{self.bureau["client_certificate"]}"',
            f'key = "{self.bureau["client_key"]}"',
            f'backend = "{self.backend}"',
            f'state_dir = "{self.folder}/state"',
            f'endpoint = "{self.endpoint}"',
            more,
        ]
        if password is not None:
            (self.folder / "pw").write_text(password + "\n")
            lines += ["[passwords]", f'{DEVICE} = "pw"']
        path = self.folder / "answers.toml"
        path.write_text("\n".join(lines))
        return path

    def person(self, secret: str = PASSWORD, *, agrees: bool = False) -> ScriptedAsker:
        return ScriptedAsker(
            {
                "address": ["http://plain.example", self.bureau["url"]],
                "(ca)": self.bureau["ca"],
                "certificate": self.bureau["client_certificate"],
                "key": self.bureau["client_key"],
                "State": f"{self.folder}/state",
                "Socket": self.endpoint,
                "Who may": ["shop=king", "shop=operator, @tax=viewer"],
            },
            secret=secret,
            agrees=agrees,
        )


@contextmanager
def new_machine() -> Iterator[New]:
    with site() as shop:
        yield New(shop)


def test_an_answers_file_asks_nothing_and_stores_the_password() -> None:
    with new_machine() as new:
        asker = ScriptedAsker({})
        assert set_up(new.config, new.answers(), "libusb", "en", asker) == 0
        assert (asker.asked, asker.secrets_asked) == ([], 0)
        assert load(new.config).file.usb.backend == new.backend
        assert new.stored == PASSWORD
        said = "\n".join(asker.said)
        assert f"Device {DEVICE} (control disk), 5 password tries left." in said
        assert f"Taxpayer {TAXPAYER} {SCENARIO.taxpayer_name}" in said
        assert [(row.device_no, row.cycle) for row in load(new.config).file.devices] == [(DEVICE, "month")]


def test_it_ends_with_a_check_of_each_device(capsys: pytest.CaptureFixture[str]) -> None:
    with new_machine() as new:
        asker = ScriptedAsker({})
        assert set_up(new.config, new.answers(more='contact = "0531"'), "libusb", "zh", asker) == 0
    assert f"检查设备 {DEVICE}：" in asker.said
    shown = capsys.readouterr().out
    for name in ("设备密码", "库存平衡 007", "登录税务机关", "丢包与延迟"):
        assert f"{name}：" in shown


def test_a_wrong_password_is_tried_once_said_and_not_stored() -> None:
    with new_machine() as new:
        for tries in ("5", "4"):  # the second run does not try it again
            asker = ScriptedAsker({})
            set_up(new.config, new.answers("wrong", "overwrite = true"), "libusb", "en", asker)
            assert f"Device {DEVICE} (control disk), {tries} password tries left." in asker.said
        assert new.stored is None


def test_an_existing_configuration_is_not_overwritten_without_a_word() -> None:
    with new_machine() as new:
        new.config.write_text("mine")
        with pytest.raises(Exception, match="CONFIG_INVALID"):
            set_up(new.config, new.answers(), "libusb", "en", ScriptedAsker({}))
        assert set_up(new.config, None, new.backend, "en", new.person(agrees=False)) == 10
        assert new.config.read_text() == "mine"
        assert set_up(new.config, None, new.backend, "en", new.person(agrees=True)) == 0
        assert (new.folder / "taxagent.toml.old").read_text() == "mine"


def test_a_person_is_shown_the_devices_and_asked_until_the_answers_hold() -> None:
    with new_machine() as new:
        asker = new.person()
        assert set_up(new.config, None, new.backend, "en", asker) == 0
        file = load(new.config).file
        assert (file.access.users, file.access.groups) == ({"shop": "operator"}, {"tax": "viewer"})
        assert file.bureau.url == new.bureau["url"]
        assert asker.said[0] == "Tax-control devices on USB:"
        assert sum(line.startswith("! ") for line in asker.said) == 2
        assert new.stored == PASSWORD


def test_without_a_password_the_device_is_left_for_later() -> None:
    with new_machine() as new:
        asker = ScriptedAsker({})
        assert set_up(new.config, new.answers(None), "libusb", "en", asker) == 0
        assert any("taxagent secret set device-" in line for line in asker.said)
        assert new.stored is None


def test_a_password_file_that_cannot_be_read_is_told_and_nothing_is_tried() -> None:
    with new_machine() as new:
        answers = new.answers()
        (new.folder / "pw").unlink()
        asker = ScriptedAsker({})
        assert set_up(new.config, answers, "libusb", "en", asker) == 0
        assert new.stored is None
        assert any(line.startswith("  ! ") for line in asker.said)


def test_a_stored_password_is_kept_by_pressing_enter() -> None:
    with new_machine() as new:
        set_up(new.config, new.answers(), "libusb", "en", ScriptedAsker({}))
        asker = new.person("", agrees=True)
        assert set_up(new.config, None, new.backend, "en", asker) == 0
        assert "  The password is right; it is stored." in asker.said
        assert new.stored == PASSWORD


def test_beside_a_running_agent_the_devices_are_left_to_it() -> None:
    with new_machine() as new:
        set_up(new.config, new.answers(), "libusb", "en", ScriptedAsker({}))
        shop = new.shop
        shop.config = new.config
        agent = shop.start_agent()
        path = Path(new.endpoint.removeprefix("ipc://"))
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            assert agent.child.poll() is None, agent.log_end()
            select.select([], [], [], 0.02)
        asker = ScriptedAsker({})
        assert set_up(new.config, new.answers(more="overwrite = true"), "libusb", "en", asker) == 0
        assert any(line.startswith("The agent runs") for line in asker.said)


def test_at_a_terminal_the_password_is_typed_twice_and_never_shown() -> None:
    with new_machine() as new:
        typed = {
            "language": "",
            "State directory": f"{new.folder}/state",
            "Socket": new.endpoint,
            "The user": "",
            "address": new.bureau["url"],
            "(ca)": new.bureau["ca"],
            "certificate": new.bureau["client_certificate"],
            "agent's key": new.bureau["client_key"],
            "Who may": "",
            "Region": "山东",
            "Whom to": "0531-12345678",
            "How often": "quarter",
            "tried once": PASSWORD,
            "Once more": PASSWORD,
        }
        code, shown = at_a_terminal(
            ["setup", "--config", str(new.config), "--backend", new.backend, "--lang", "en"], typed
        )
        assert code == 0, shown
        assert new.stored == PASSWORD
        assert PASSWORD not in shown
        assert TAXPAYER in shown
        file = load(new.config).file
        assert (file.windows.region, file.support.contact) == ("山东", "0531-12345678")
        assert [(row.device_no, row.taxpayer_id, row.cycle) for row in file.devices] == [
            (DEVICE, TAXPAYER, "quarter")
        ]


def at_a_terminal(words: list[str], typed: dict[str, str]) -> tuple[int, str]:
    """Run a command at a pseudo terminal; type each answer once its question stands there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    child = subprocess.Popen(
        [sys.executable, "-m", "taxagent", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    shown, seen, waiting = "", 0, dict(typed)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.2)
        try:
            shown += os.read(ours, 4096).decode("utf-8", "replace") if ready else ""
        except OSError:  # Linux says so when the child has closed its end
            break
        asked = next(
            (word for word in waiting if word in shown[seen:] and shown.endswith((": ", "] "))), None
        )
        if asked is not None:
            seen = len(shown)
            os.write(ours, waiting.pop(asked).encode() + b"\n")
        elif not ready and child.poll() is not None:
            break
    os.close(ours)
    return child.wait(10), shown
