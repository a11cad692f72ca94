"""Has msgspec learn all types before there are threads. Knows no message by name.

msgspec learns a struct at its first use, in steps between which another thread may run; one that uses the
same type then ends the process with SIGSEGV (seen with 0.22.0, at the first requests of some starts).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec

_lock = threading.Lock()
_built: set[type[msgspec.Struct]] = set()


def build_types() -> None:
    """Have msgspec learn every struct that is defined by now; takes 0.1 ms each, once. Any thread."""
    with _lock:
        for kind in set(_below(msgspec.Struct)) - _built:
            msgspec.msgpack.Decoder(kind)
            _built.add(kind)


def _below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
