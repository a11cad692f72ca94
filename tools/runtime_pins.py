"""Prints, of a lock file made by `uv pip compile`, the part that the two wheels need when they run.

The lock says beside each pin who asked for it ("via"); what only the developers' group asked for is left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOTS = {"taxagent", "taxclient"}
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Return each pin's text, hashes and comments included, by its package's name."""
    starts = [(found[1], found.start()) for found in _PIN.finditer(lock)]
    ends = [start for _, start in starts[1:]] + [len(lock)]
    return {name: lock[start:end] for (name, start), end in zip(starts, ends, strict=True)}


def asked_by(pin: str) -> set[str]:
    """Return the names of those who asked for a pin."""
    _, _, via = pin.partition("# via")
    return set(re.findall(r"(?:^|#) +([a-z0-9][a-z0-9._-]*)", via, re.MULTILINE))


def runtime(lock: str) -> dict[str, str]:
    """Return the pins that are needed when the wheels run."""
    every = pins(lock)
    needed: dict[str, str] = {}
    while more := {
        name: pin
        for name, pin in every.items()
        if name not in needed and asked_by(pin) & (ROOTS | needed.keys())
    }:
        needed |= more
    return dict(sorted(needed.items()))


def main() -> None:
    """Print them, as pip takes them."""
    sys.stdout.write("".join(runtime(Path(sys.argv[1]).read_text(encoding="utf-8")).values()))


if __name__ == "__main__":
    main()
