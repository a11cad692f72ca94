"""structlog, set up once at the composition root: one canonical line a job, as JSON on stderr.

Where stderr is the system journal's, each line is an entry with fields instead (host/journald.py).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import TextIO, cast

import structlog

from taxagent.host import journald

# Local variables are left out: among them are passwords and tickets.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


class Unfailing:
    """A text stream that loses what cannot be written: a log that nobody reads must not stop the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0  # lines

    def write(self, text: str) -> int:
        """Write, or lose."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a closed pipe, a closed file, a character of another encoding
            self.lost += 1
            return len(text)

    def flush(self) -> None:
        """Flush, or lose."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _Kept:
    """Where a service logs to: a new level under way must not change that."""

    stream: TextIO | None = None


_kept = _Kept()


def set_up(level: str, to: TextIO | None = None) -> None:
    """Say what is of at least `level` ("debug" to "error"): JSON lines into `to`, or journal entries.

    Without `to` the stream is the one of the last call, at first stderr.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    _kept.stream = to or _kept.stream
    stream = Unfailing(_kept.stream or sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _TRACEBACKS,
            _last(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
        cache_logger_on_first_use=False,
    )


def _last() -> structlog.typing.Processor:
    if sys.platform == "linux" and journald.wanted(os.environ, 2):
        return journald.Journald()
    return structlog.processors.JSONRenderer(ensure_ascii=False)
