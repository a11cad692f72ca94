"""taxctl with a terminal for its input and output."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.builders.ipc import House


@contextmanager
def terminal(h: House, *argv: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run taxctl in English and yield the terminal's other end and the process, which ends with the block."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "taxclient.cli.main", "--endpoint", h.endpoint, "--lang", "en", *argv]
    environment = {**os.environ, "COLUMNS": "200"}
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        yield ours, child
        child.wait(10)
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def read_until(terminal_fd: int, text: str) -> str:
    """Return what the terminal shows up to `text`."""
    seen = b""
    while text.encode() not in seen:
        seen += os.read(terminal_fd, 4096)
    return seen.decode()
