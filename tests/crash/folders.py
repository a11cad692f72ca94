"""Where worlds live while they last, and silence there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing for a while: the story is told otherwise."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def memory_folder(name: str) -> Iterator[Path]:
    """Yield a folder in memory where there is one: the fsyncs are what takes the time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix=f"taxagent-{name}-", dir=memory if memory.is_dir() else None
    ) as folder:
        yield Path(folder)
