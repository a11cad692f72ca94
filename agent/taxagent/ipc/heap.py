"""Gives the memory that a flood took back to the system: glibc keeps what was freed. Knows no flood."""

from __future__ import annotations

from contextlib import suppress


def give_back() -> None:
    """Have the C library return its free pages, where it knows how. Takes ms: not for the loop."""
    import ctypes  # noqa: PLC0415 - a quiet day never needs it

    with suppress(AttributeError, TypeError):  # musl lacks the call, Windows the library
        ctypes.CDLL(None).malloc_trim(0)
