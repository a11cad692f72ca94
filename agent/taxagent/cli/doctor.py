"""`taxagent doctor`: is everything there that the agent needs? Works without an agent, and beside one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang, print_json
from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.config import Settings, UsbSection
    from taxagent.host.probes.findings import Finding, Probe
    from taxagent.host.probes.users import User

CONFIG = Path("/etc/taxagent/taxagent.toml")
_SAY = {
    "zh": {
        "ok": "正常",
        "warn": "注意",
        "bad": "有问题",
        "do": "怎么办：",
        "sum": "{bad} 项有问题，{warn} 项需注意",
    },
    "en": {
        "ok": "ok",
        "warn": "note",
        "bad": "BAD",
        "do": "what to do: ",
        "sum": "{bad} bad, {warn} to note",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help=COMMANDS["doctor"].help(default_lang()))
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print a finding a line; 1 where one is bad."""
    from taxagent.host.probes.findings import Level

    made = examined(args.config)
    if args.json:
        print_json({"findings": [_as_object(finding, args.lang) for finding in made]})
    else:
        show(made, args.lang)
    return 1 if any(finding.level is Level.BAD for finding in made) else 0


def examined(config: Path) -> tuple[Finding, ...]:
    """Look at everything; where the configuration cannot be read, at what does not need it."""
    from taxagent.config import UsbSection, load
    from taxagent.host.probes.findings import found, looked, of_fault
    from taxagent.host.probes.users import own_user
    from taxagent.model.errors import Refusal

    bare: dict[str, Probe] = {**general(None), "usb": partial(_bus, UsbSection(), own_user())}
    if not _there(config):
        return (found("config", "CONFIG_NONE", path=str(config)), *_all(bare))
    try:
        settings = load(config)
    except Refusal as error:
        return (of_fault("config", error.problem()), *_all(bare))
    good = looked("config", lambda: [found("config", "CONFIG_OK", path=str(config))])
    return (*good, *_all(general(settings)), *_all(particular(settings)))


def general(settings: Settings | None) -> dict[str, Probe]:
    """Return the probes that need no configuration, or only what it says of the clock."""
    from taxagent.host.clock import HostClock
    from taxagent.host.probes import software

    clock = HostClock()
    simulated = ""
    if settings is not None and settings.simulation is not None:
        local = HostClock(settings.simulation).local()
        simulated = local.isoformat(sep=" ", timespec="seconds")
    now = clock.local()
    return {
        "versions": software.versions,
        "clock": partial(software.clock, now, simulated),
        "holidays": partial(software.holidays, now.date()),
    }


def particular(settings: Settings) -> dict[str, Probe]:
    """Return the probes of this configuration: bus, places, journal, bureau."""
    import datetime as dt

    from taxagent.cli.reading import secret_store
    from taxagent.host.clock import HostClock
    from taxagent.host.probes import certificates, network, places
    from taxagent.host.probes.users import own_user, user_of
    from taxagent.journal import JOURNAL_NAME

    file, clock = settings.file, HostClock()
    state_dir = settings.state_dir
    try:
        user = user_of(state_dir.stat().st_uid)
    except OSError:
        user = own_user()
    journal = state_dir / JOURNAL_NAME
    gateway = network.Gateway(
        url=file.bureau.url,
        status_path=_status_path(),
        ca=file.bureau.ca,
        certificate=file.bureau.certificate,
        key=file.bureau.key,
    )
    ca, certificate, key = map(Path, (gateway.ca, gateway.certificate, gateway.key))
    now = dt.datetime.fromtimestamp(clock.utc_ms() / 1000, dt.UTC)
    return {
        "usb": partial(_bus, file.usb, user),
        "socket": partial(places.door, Path(file.ipc.endpoint.removeprefix("ipc://")), user),
        "state": partial(places.state, state_dir, user),
        "secrets": partial(places.secrets, settings.secrets_dir, secret_store(settings).get),
        "journal": partial(places.journal, journal, partial(_rows, journal)),
        "certificate": partial(certificates.files, ca, certificate, key, now, user),
        "bureau": partial(network.path, gateway, clock),
    }


def show(made: Iterable[Finding], lang: Lang) -> None:
    """Print findings for people, and how many there are to look at."""
    from taxagent.host.probes.findings import text

    say, counts = _SAY[lang], {"ok": 0, "warn": 0, "bad": 0}
    for finding in made:
        words = text(finding, lang)
        counts[finding.level] += 1
        print(f"{say[finding.level]}  {finding.probe}: {words.fact}")
        if words.remedy and finding.level != "ok":
            print(f"    {say['do']}{words.remedy}")
    print(say["sum"].format(**counts))


def _all(probes: dict[str, Probe]) -> Iterable[Finding]:
    from taxagent.host.probes.findings import looked

    for name, probe in probes.items():
        yield from looked(name, probe)


def _there(path: Path) -> bool:
    """Whether the file exists; one that this user may not look for is there, and its reading says why not."""
    try:
        return path.exists()
    except PermissionError:
        return True


def _bus(section: UsbSection, user: User) -> Iterator[Finding]:
    from taxagent.device import drivers
    from taxagent.host.probes import usb

    source = drivers.source(section.driver, section.backend)
    yield from usb.bus(source.seen, source.trouble)
    yield from usb.permissions(source.seen, user)


def _rows(path: Path) -> int:
    from taxagent.journal import Reader

    with closing(Reader(path)) as reader:
        return reader.verify().rows


def _status_path() -> str:
    from taxagent.bureau.messages import STATUS_PATH

    return STATUS_PATH


def _as_object(finding: Finding, lang: Lang) -> dict[str, object]:
    from taxagent.host.probes.findings import text

    words = text(finding, lang)
    return {
        "probe": finding.probe,
        "case": finding.case,
        "level": finding.level,
        "fact": words.fact,
        "remedy": words.remedy,
        "detail": finding.facts,
    }
