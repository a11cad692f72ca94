"""A disk that loses its power: what may stand on it after any act of a tape. Knows files, and no journal.

A file's bytes are certain from its fsync on; a name is, from the fsync of its folder on. What was written
since may be there, may be missing, may be zeroed, and each of its sectors may be another of these.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from tests.crash.power_tape import Act

SECTOR = 512
Files = dict[str, bytes]
"""What stands on the disk: by file name, without folders."""


@dataclass
class _File:
    now: bytearray = field(default_factory=bytearray)
    certain: bytes = b""
    pending: list[Act] = field(default_factory=list)


class Disk:
    """One folder of a disk, as the acts of a tape leave it."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: dict[str, _File] = {}
        self._certain_names: dict[str, _File] = {}

    def take(self, act: Act) -> None:
        """Do one act."""
        name = PurePath(act.path).name
        match act.op:
            case "s" if act.path == self._folder:
                self._certain_names = dict(self._names)
            case "s":
                file = self._file(name)
                file.certain, file.pending = bytes(file.now), []
            case "r":
                self._names[PurePath(act.data.decode()).name] = self._names.pop(name)
            case "u":
                self._names.pop(name, None)
            case _:
                file = self._file(name)
                _done(file.now, act)
                file.pending.append(act)

    def after_power_cut(self, seed: int, torn: int = 2) -> Iterator[tuple[str, Files]]:
        """Yield (how, files) of what may stand: all, nothing, zeroes, and `torn` mixtures by `seed`."""
        yield "all written", {name: bytes(file.now) for name, file in self._names.items()}
        both = [(self._certain_names, "old names"), (self._names, "new names")]
        for names, which in both[self._certain_names == self._names :]:
            yield f"nothing written, {which}", {name: file.certain for name, file in names.items()}
            yield f"zeroes, {which}", {name: _with(file, _zeroed) for name, file in names.items()}
            for number in range(torn):
                dice = random.Random(f"{seed}/{number}")
                yield (
                    f"sectors of seed {seed}/{number}, {which}",
                    {name: _with(file, lambda act, d=dice: _torn(act, d)) for name, file in names.items()},  # type: ignore[misc]
                )

    def _file(self, name: str) -> _File:
        return self._names.setdefault(name, _File())


def _with(file: _File, reached: Callable[[Act], Iterator[Act]]) -> bytes:
    content = bytearray(file.certain)
    for act in file.pending:
        for part in reached(act):
            _done(content, part)
    return bytes(content)


def _done(content: bytearray, act: Act) -> None:
    if act.op == "t":
        del content[act.offset :]
        content.extend(bytes(act.offset - len(content)))
        return
    content.extend(bytes(max(0, act.offset - len(content))))
    content[act.offset : act.offset + len(act.data)] = act.data


def _zeroed(act: Act) -> Iterator[Act]:
    yield replace(act, data=bytes(len(act.data)))


def _torn(act: Act, dice: random.Random) -> Iterator[Act]:
    """Each sector of a write is new, old or zero; a truncation is done or is not."""
    if act.op == "t":
        if dice.random() < 0.5:
            yield act
        return
    at, end = act.offset, act.offset + len(act.data)
    while at < end:
        until = min(end, (at // SECTOR + 1) * SECTOR)
        fate = dice.random()
        if fate < 0.7:
            part = act.data[at - act.offset : until - act.offset]
            yield replace(act, offset=at, data=part if fate < 0.5 else bytes(len(part)))
        at = until
