"""The two commands run in a fork of this process, which has their modules already.

Under emulation a new interpreter and its imports cost a second or more. What the checks are about (the
service, what a user types) is started as a program; what leads there or is asked again and again runs here.
"""

from __future__ import annotations

import importlib
import os
import pwd
import signal
import subprocess
import sys
import traceback
from typing import NoReturn

from tests.vm.guest.machine import PATIENCE_S, until

BIN = "/usr/lib/taxagent/bin"
_MAIN = {"taxagent": "taxagent.cli.main", "taxctl": "taxclient.cli.main"}
_READY = (
    "taxagent.cli.doctor",
    "taxagent.cli.service",
    "taxagent.cli.simulate",
    "taxagent.simulator.bureau_cli",
    "taxagent.simulator.running",
    "taxclient.cli.main",
)


class Fork:
    """A command that runs; `stdout` and `stderr` are read once it has ended, or `line` by line."""

    def __init__(self, words: tuple[str, ...], *, user: str = "", stderr: int | None = None) -> None:
        """`words`: taxagent or taxctl and its arguments. `stderr`: where its errors go, else to stdout."""
        self._words = words
        read, write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read)
            os.dup2(write, 1)
            os.dup2(write if stderr is None else stderr, 2)
            _child(words, user)
        os.close(write)
        self._out = os.fdopen(read, "r", encoding="utf-8", errors="replace")

    def line(self) -> str:
        """Return the next line that it prints, "" where it has ended."""
        return self._out.readline()

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and the rest of what it printed."""
        said = self._out.read()
        self._out.close()
        gone = until(lambda: _gone(self.pid), f"{' '.join(self._words)} ends", PATIENCE_S)
        assert gone is not None
        return os.waitstatus_to_exitcode(gone[1]), said

    def terminate(self) -> None:
        """Ask it to end, and wait."""
        os.kill(self.pid, signal.SIGTERM)
        self.ended()


def ran(*words: str, user: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `user` with all of that user's groups; keep output and errors apart."""
    read, write = os.pipe()
    fork = Fork(words, user=user, stderr=write)
    os.close(write)
    code, out = fork.ended()
    with os.fdopen(read, "r", encoding="utf-8", errors="replace") as errors:
        return subprocess.CompletedProcess(words, code, out, errors.read())


def ready() -> None:
    """Import what the commands need, once."""
    for name in _READY:
        importlib.import_module(name)


def _gone(pid: int) -> tuple[int, int] | None:
    found = os.waitpid(pid, os.WNOHANG)
    return found if found[0] else None


def _child(words: tuple[str, ...], user: str) -> NoReturn:
    code = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if user:
            _become(user)
        sys.argv = [f"{BIN}/{words[0]}", *words[1:]]
        main = importlib.import_module(_MAIN[words[0]]).main
        code = main(list(words[1:]))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the border of the process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _become(user: str) -> None:
    account = pwd.getpwnam(user)
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ |= {"HOME": account.pw_dir, "USER": user, "LOGNAME": user}
