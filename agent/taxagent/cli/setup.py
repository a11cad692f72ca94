"""`taxagent setup`: from a plugged device to a configuration that holds, by questions or an answers file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang
from taxagent.cli.setup_words import say, worded
from taxagent.cli.terminal import Asker, Terminal
from taxagent.host.here import config_file
from taxagent.model.errors import InstanceRunning, Refusal
from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.cli.setup_choices import Choices
    from taxagent.config import Settings

CONFIG = config_file()
_HELP = {
    "zh": {
        "config": "要写的配置文件",
        "answers": "答案文件（TOML），不提问",
        "backend": "libusb，或模拟器的 usbip://主机:端口",
    },
    "en": {
        "config": "the configuration to write",
        "answers": "a TOML file of answers; nothing is asked",
        "backend": "libusb, or usbip://HOST:PORT",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    words = _HELP[default_lang()]
    parser = subparsers.add_parser("setup", help=COMMANDS["setup"].help(default_lang()))
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=words["config"])
    parser.add_argument("--answers", type=Path, metavar="FILE", help=words["answers"])
    parser.add_argument("--backend", default="libusb", metavar="BUS", help=words["backend"])


def run(args: argparse.Namespace) -> int:
    """Set up; 0 where the configuration was written, 10 where the old one was kept."""
    return set_up(args.config, args.answers, args.backend, args.lang, Terminal())


def set_up(config: Path, answers: Path | None, backend: str, lang: Lang, asker: Asker) -> int:
    """Ask (or read) what is to be known, write the configuration, try the devices, look at everything."""
    from taxagent.cli.doctor import examined, show
    from taxagent.cli.setup_choices import from_file, put, update, with_devices

    told = from_file(answers) if answers is not None else None
    if told is None:
        told = _interview(config, backend, lang, asker)
        if told is None:
            asker.say(say("kept", lang))
            return 10
    elif config.exists() and not told.overwrite:
        what = "it exists; say overwrite = true in the answers to replace it"
        raise Refusal("CONFIG_INVALID", path=str(config), what=what)
    settings = put(told, config)
    asker.say(say("written", lang, path=config))
    from taxagent.cli.setup_devices import enrol, hand_over

    hand_over(settings, told.run_as)
    try:
        found = enrol(settings, told, lang, asker, by_hand=answers is None)
        settings = update(with_devices(told, found), config)
        _check(settings, lang, asker)
    except InstanceRunning:
        asker.say(say("running", lang))
    finally:
        hand_over(settings, told.run_as)
    asker.say(say("looking", lang))
    show(examined(config), lang)
    asker.say(say("next", lang, path=config))
    return 0


def _check(settings: Settings, lang: Lang, asker: Asker) -> None:
    """Look at each device as `taxctl check` does."""
    from taxagent.cli.doctor import show
    from taxagent.cli.setup_check import checked

    for device_no, lines in checked(settings):
        asker.say(say("checking", lang, device_no=device_no))
        show(lines, lang)


def _interview(config: Path, backend: str, lang: Lang, asker: Asker) -> Choices | None:
    """Return what a person answers, or None where the old configuration is to stay."""
    from taxagent.cli.setup_choices import ENDPOINT, STATE_DIR, Choices, access_of, complaint
    from taxagent.cli.setup_devices import default_user, show_bus, user_exists

    def ask(question: str, default: str = "", check: Callable[[str], str] | None = None) -> str:
        return asker.ask(say(question, lang), default, check)

    def checked(section: str, key: str) -> Callable[[str], str]:
        return lambda text: worded(complaint(section, key, text), lang)

    def wrong_user(name: str) -> str:
        return "" if user_exists(name) else say("no_user", lang, name=name)

    show_bus(backend, lang, asker)
    if config.exists() and not asker.agreed(say("exists", lang, path=config)):
        return None
    language = ask("language", lang, checked("agent", "language"))
    state_dir = ask("state_dir", STATE_DIR)
    endpoint = ask("endpoint", ENDPOINT, checked("ipc", "endpoint"))
    run_as = ask("run_as", default_user(), wrong_user)
    url = ask("url", check=checked("bureau", "url"))
    ca, certificate, key = (_file(name, lang, asker) for name in ("ca", "certificate", "key"))
    users, groups = access_of(ask("access", check=lambda text: worded(_wrong_access(text), lang)))
    region = ask("region")
    contact = ask("contact", check=checked("support", "contact"))
    return Choices(
        language="en" if language == "en" else "zh",
        state_dir=str(Path(state_dir).expanduser().absolute()),
        endpoint=endpoint,
        run_as=run_as,
        url=url,
        ca=ca,
        certificate=certificate,
        key=key,
        backend=backend,
        users=users,
        groups=groups,
        region=region,
        contact=contact,
    )


def _wrong_access(text: str) -> str:
    from taxagent.cli.setup_choices import access_of

    try:
        access_of(text)
    except Refusal as error:
        return error.detail.get("expected") or error.detail.get("what", "")
    return ""


def _file(name: str, lang: Lang, asker: Asker) -> str:
    """Ask for a file; one that is not there yet is said and taken all the same."""
    question = say(name, lang)
    path = Path(asker.ask(question, check=lambda text: "" if text else question)).expanduser().absolute()
    if not path.is_file():
        asker.say(say("path_missing", lang, path=path))
    return str(path)
