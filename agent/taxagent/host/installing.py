"""Puts the agent's unit, users, folders and rules onto a Linux host, and takes them away again.

Every step is told as it is done, or, in a dry run, as it would be. Knows no words and no configuration.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from taxagent.host.unit_files import FILES, SOCKET, UNIT, UnitFile
from taxagent.model.value import Value

USER, DEVICE_GROUP = "taxagent", "taxdev"
CONFIG = PurePosixPath("etc/taxagent/taxagent.toml")
DROP_INS = PurePosixPath("etc/systemd/system/taxagent.service.d")
KEPT = (PurePosixPath("var/lib/taxagent"), PurePosixPath("var/log/taxagent"), PurePosixPath("etc/taxagent"))
"""What only a purge takes away: journal and back-ups, logs, configuration and secrets."""
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - compared, not used
"""Where the unit sees nothing: a program there cannot be started by it."""

_LONGEST_S = 300  # a stop waits for what the agent has in hand

Did = Literal["written", "replaced", "same", "removed", "absent", "ran", "failed", "not_there", "kept"]


class Step(Value, frozen=True, kw_only=True):
    """Something that was done, or would be: to a path, or a command as it is typed."""

    did: Did
    what: str
    why: str = ""  # what a command that failed said

    @property
    def failed(self) -> bool:
        """Whether the host is not as it should be now."""
        return self.did == "failed"


class Ran(Value, frozen=True, kw_only=True):
    """How a command ended."""

    code: int
    said: str = ""


Run = Callable[[Sequence[str]], Ran | None]
"""Run a command to its end; None where it is not installed."""


def run(command: Sequence[str]) -> Ran | None:
    """Run a command of the system, at most five minutes."""
    path = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        return None
    try:
        ran = subprocess.run(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_LONGEST_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Ran(code=1, said=str(error))
    return Ran(code=ran.returncode, said=ran.stdout.decode("utf-8", "replace").strip())


def program_of(argument: str, prefix: str) -> Path:
    """Return where the command `taxagent` is: as it was started, else in the environment at `prefix`."""
    started = Path(argument).resolve()  # a link into a home would be seen, and what it names would not
    return (
        started
        if started.name == "taxagent" and os.access(started, os.X_OK)
        else Path(prefix) / "bin/taxagent"
    )


def hidden(program: Path) -> bool:
    """Return whether the unit could not see a program at this place."""
    return any(place in program.parents for place in HIDDEN)


class Installation:
    """The agent on the host whose files are below `root`; only at "/" is anything started or stopped."""

    def __init__(self, root: Path, *, program: Path, dry_run: bool = False, runs: Run = run) -> None:
        self._root = root
        self._live = root == Path("/")
        self._program = str(program)
        self._dry = dry_run
        self._run = runs

    def install(self) -> Iterator[Step]:
        """Put everything in place, again where it is there already; users come before what names them."""
        for file in FILES:
            yield self._written(file.place, file.text(self._program))
        yield self._command("systemd-sysusers", *self._rooted, "taxagent.conf")
        yield self._command("systemd-tmpfiles", *self._rooted, "--create", "taxagent.conf")
        if self._live:
            yield self._command("udevadm", "control", "--reload")
            yield self._command("udevadm", "trigger", "--subsystem-match=usb", "--action=change")
            yield self._command("systemctl", "daemon-reload")
        yield self._command("systemctl", *self._rooted, "enable", UNIT)
        if self._live and (self._root / CONFIG).exists():
            yield self._command("systemctl", "restart", UNIT)

    def uninstall(self, *, purge: bool = False) -> Iterator[Step]:
        """Stop the agent and take away what `install` put there; `purge`: journal, secrets, user as well."""
        now = ["--now"] if self._live else []
        for name in (SOCKET, UNIT):  # a scrape of a socket that is open would start the agent again
            if (self._root / _named(name).place).exists():
                yield self._command("systemctl", *self._rooted, "disable", *now, name)
        for file in reversed(FILES):
            yield self._removed(file.place)
        if self._live:
            yield self._command("systemctl", "daemon-reload")
            yield self._command("udevadm", "control", "--reload")
        for place in (*KEPT, DROP_INS):
            if purge:
                yield self._removed(place)
            elif (self._root / place).exists():
                yield Step(did="kept", what=str(self._root / place))
        yield from self._accounts(purge=purge)

    @property
    def packaged(self) -> bool:
        """Whether a package of the system brought the service: then the package's tools look after it."""
        return (self._root / _unit().packaged).exists()

    @property
    def by_hand(self) -> bool:
        """Whether `install` put the service there; beside a packaged one, it hides that one's unit."""
        return all((self._root / file.place).is_file() for file in (FILES[0], _unit()))

    def files(self) -> Iterator[tuple[str, Literal["same", "differs", "absent"]]]:
        """Yield the path of each file that counts, and how it compares with what is to stand there."""
        for file in FILES:
            path, text = self._root / file.place, file.text(self._program)
            if self.packaged and not path.exists():
                path, text = self._root / file.packaged, file.text()
            if not path.exists():
                yield str(path), "absent"
            else:
                yield str(path), "same" if path.read_text("utf-8") == text else "differs"

    def unit(self) -> dict[str, str]:
        """Return what systemd knows of the running unit, by its own names; {} where it cannot be asked."""
        return self._known(
            UNIT,
            "LoadState,UnitFileState,ActiveState,SubState,StatusText,Result,ExecMainStatus,NRestarts,MainPID",
        )

    def socket(self) -> dict[str, str]:
        """Return what systemd knows of the metrics' socket, as `unit`."""
        return self._known(SOCKET, "LoadState,UnitFileState,ActiveState,SubState,Result")

    def _known(self, name: str, wanted: str) -> dict[str, str]:
        if not self._live:
            return {}
        ran = self._run(["systemctl", "show", name, f"--property={wanted}"])
        if ran is None or ran.code != 0:
            return {}
        return dict(line.split("=", 1) for line in ran.said.splitlines() if "=" in line)

    # ---- one step

    @property
    def _rooted(self) -> list[str]:
        return [] if self._live else [f"--root={self._root}"]

    def _written(self, place: PurePosixPath, text: str) -> Step:
        path = self._root / place
        there = path.read_text("utf-8") if path.exists() else None
        if there == text:
            return Step(did="same", what=str(path))
        if not self._dry:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.partial")
            partial.write_text(text, encoding="utf-8")
            partial.chmod(0o644)
            partial.replace(path)
        return Step(did="written" if there is None else "replaced", what=str(path))

    def _removed(self, place: PurePosixPath) -> Step:
        path = self._root / place
        if not path.exists():
            return Step(did="absent", what=str(path))
        if not self._dry:
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            except OSError as error:
                return Step(did="failed", what=str(path), why=str(error))
        return Step(did="removed", what=str(path))

    def _command(self, *command: str) -> Step:
        typed = " ".join(command)
        if self._dry:
            return Step(did="ran", what=typed)
        ran = self._run(command)
        if ran is None:
            return Step(did="not_there", what=typed)
        return Step(did="ran" if ran.code == 0 else "failed", what=typed, why=ran.said if ran.code else "")

    def _accounts(self, *, purge: bool) -> Iterator[Step]:
        """The user owns what is kept, so it goes with that alone."""
        rooted = [] if self._live else ["--prefix", str(self._root)]
        for table, name, remove in (
            ("passwd", USER, "userdel"),
            ("group", USER, "groupdel"),
            ("group", DEVICE_GROUP, "groupdel"),
        ):
            if not self._listed(table, name):
                continue  # userdel takes the user's own group along
            if purge:
                yield self._command(remove, *rooted, name)
            else:
                yield Step(did="kept", what=f"{table} {name}")

    def _listed(self, table: str, name: str) -> bool:
        path = self._root / "etc" / table
        return path.exists() and f"\n{name}:" in f"\n{path.read_text('utf-8', 'replace')}"


def _unit() -> UnitFile:
    return _named(UNIT)


def _named(name: str) -> UnitFile:
    return next(file for file in FILES if file.name == name)
