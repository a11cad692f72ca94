"""The standard streams as a command finds them: closed under cron, broken by `| head`, in any encoding."""

from __future__ import annotations

import io
import os
import sys
from typing import BinaryIO, TextIO, cast


class Channel:
    """Where lines go, at once. Once it breaks, what is written goes nowhere, and `broken` says so."""

    def __init__(self, stream: BinaryIO, encoding: str = "utf-8") -> None:
        self._stream = stream
        self._encoding = encoding
        self.broken = False
        self.unicode = encoding.lower().replace("-", "").startswith("utf")  # has it all letters and lines

    def text(self, text: str) -> None:
        """Write for people, in the console's own encoding; what that lacks becomes a question mark."""
        self.data(text.encode(self._encoding, "replace"))

    def data(self, data: bytes) -> None:
        """Write bytes."""
        if self.broken:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):  # the reader left, the disk is full, the stream was closed
            self.broken = True


def begin() -> None:
    """Open what was closed, as nothing to read and nowhere to write.

    Numbers 0 to 2 are taken as well: a socket that got one would be written to by whoever means the stream.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdin = sys.stdin or _nowhere("r")
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or _nowhere("w")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # argparse writes its help here
        setattr(sys, name, stream)


def output(stream: TextIO) -> Channel:
    """Return the channel of a standard stream."""
    return Channel(stream.buffer, stream.encoding or "utf-8")


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def answer() -> str:
    """Return a line that was typed, "" at the end of input."""
    line: bytes = sys.stdin.buffer.readline()
    return line.decode(sys.stdin.encoding or "utf-8", "replace").strip()


def end() -> bool:
    """Flush; return whether all went out. What a broken stream still holds must not fail at the exit."""
    out, err = _flushed(sys.stdout), _flushed(sys.stderr)
    return out and err


def _flushed(stream: TextIO) -> bool:
    try:
        stream.flush()
    except (OSError, ValueError):
        if not stream.closed:
            number = os.open(os.devnull, os.O_WRONLY)
            os.dup2(number, stream.fileno())
            os.close(number)
        return False
    return True


def _nowhere(mode: str) -> TextIO:
    return cast("TextIO", open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123 - for as long as the process lives
