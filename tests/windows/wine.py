"""Wine, headless: a prefix of its own, one Windows process that keeps its session up, commands with a limit.

Knows processes and files of this host; what is run in it is not its business.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

WINE, SERVER = "/usr/lib/wine/wine64", "/usr/lib/wine/wineserver64"
PACKAGES = ("wine", "wine64", "libwine")
_UP_S = 60.0  # a session's first start
_ASK_S = 0.2


class Ended(RuntimeError):
    """A command ended in a way that nobody wanted, or did not end; the text has what it said."""


class Session:
    """A running Wine session over one prefix; ended, with all that runs in it, when the block is left."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self.prefix = work / "prefix"
        self.python = work / "python/python.exe"
        self.environment = {
            **{key: text for key, text in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR")},
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # Python asks WMI for the platform's name, which ends the process in Wine 8; without WMI it asks
            # elsewhere. The others would open windows.
            "WINEDLLOVERRIDES": "wbemprox=;winedbg.exe=;mscoree=;mshtml=;winemenubuilder.exe=",
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONUTF8": "0",
        }

    def __enter__(self) -> Self:
        """Make the prefix where there is none, and start the process that keeps the session up.

        The first Windows process starts services.exe and others, which keep its streams: so it gets none
        that anybody reads.
        """
        if (self.prefix / "system.reg").exists():
            # What a run left that was killed itself; 1 where there is nothing to end.
            subprocess.run((SERVER, "-k"), env=self.environment, check=False, timeout=_UP_S)
        else:
            self._quietly("wineboot", "-i")
            self._quietly("winecfg", "-v", "win10")
            subprocess.run((SERVER, "-w"), env=self.environment, check=True, timeout=_UP_S)
        self._forget_service()
        self._begin()
        return self

    def restart(self) -> None:
        """End every process and begin anew, as a computer does; services that are to start then do."""
        self.close()
        self._begin()

    def _begin(self) -> None:
        self._keep = subprocess.Popen(
            (WINE, str(self.python), "-c", "import time; time.sleep(7200)"),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + _UP_S
        while self._quietly("sc", "query", "RpcSs") != 0:
            if time.monotonic() > end:
                self.close()
                message = f"no Wine session after {_UP_S:.0f} s"
                raise Ended(message)
            time.sleep(_ASK_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every Windows process of this prefix."""
        subprocess.run((SERVER, "-k"), env=self.environment, check=False, timeout=60)
        self._keep.wait(timeout=60)

    def start(
        self,
        *words: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        typed: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a Windows program; its output comes through a pipe, both streams in one."""
        return subprocess.Popen(
            (WINE, *map(str, words)),
            env={**self.environment, **(env or {})},
            cwd=cwd,
            stdin=subprocess.PIPE if typed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(
        self,
        *words: str | Path,
        limit: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        typed: str = "",
    ) -> tuple[int, str]:
        """Run a Windows program to its end, with `typed` as its input; return exit code and what it said.

        Raises Ended where it takes longer than `limit` seconds.
        """
        with self.start(*words, cwd=cwd, env=env, typed=bool(typed)) as process:
            try:
                said, _ = process.communicate(typed.encode() or None, timeout=limit)
            except subprocess.TimeoutExpired as late:
                process.kill()
                said, _ = process.communicate(timeout=30)
                text = said.decode("utf-8", "replace")
                message = f"not over after {limit:.0f} s: {text[-2000:]}"
                raise Ended(message) from late
        return process.returncode, said.decode("utf-8", "replace").replace("\r\n", "\n")

    def _forget_service(self) -> None:
        """Take a service that a run left behind out of the registry; else it would start with the session."""
        registry = self.prefix / "system.reg"
        text = registry.read_text(encoding="utf-8", errors="surrogateescape")
        key = r"(?m)^\[System\\\\[^\]\n]*\\\\Services\\\\taxagent[^\n]*\n(?:[^\[\n][^\n]*\n|\n)*"
        registry.write_text(re.sub(key, "", text), encoding="utf-8", errors="surrogateescape")

    def _quietly(self, *words: str) -> int:
        return subprocess.run(
            (WINE, *words),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_UP_S,
        ).returncode


def windows_path(path: Path) -> str:
    """Return how a Windows process names a file of this host."""
    return "Z:" + str(path.absolute()).replace("/", "\\")


def installed() -> bool:
    """Whether Wine is there."""
    return all(shutil.which(program) for program in (WINE, SERVER))
