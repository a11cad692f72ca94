"""Where each call that the work makes of the world passes: there it fails, dies, or the world turns."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from taxagent.journal import JournalWriter
from taxagent.model.events import AnyEvent
from taxagent.ports import JournalTx
from taxagent.records.archive import ZipArchives

T = TypeVar("T")


class Tap:
    """Where each call of the world passes, before and after. `acts` are for the n-th pass of a place."""

    def __init__(self) -> None:
        self.passed: list[str] = []  # "before seal", "after seal", ...: all places, in order
        self._acts: dict[str, list[tuple[int, Callable[[], None]]]] = {}
        self._counts: dict[str, int] = {}
        self.at: int | None = None  # at this pass of any place the agent dies
        self.dead = False
        self.before: Callable[[str], None] = lambda _name: None  # these see every call
        self.after: Callable[[str], None] = lambda _name: None

    def on(self, place: str, act: Callable[[], None], nth: int = 1) -> None:
        """Do `act` at the `nth` pass of `place` from now on."""
        self._acts.setdefault(place, []).append((self._counts.get(place, 0) + nth, act))

    def pass_by(self, place: str) -> None:
        """Count the pass, and do what is due there."""
        if self.dead:
            raise Death
        self.passed.append(place)
        count = self._counts[place] = self._counts.get(place, 0) + 1
        if self.at is not None and len(self.passed) > self.at:
            self.at = None
            self.die()
        for nth, act in self._acts.get(place, []):
            if nth == count:
                act()

    def call(self, name: str, work: Callable[[], T]) -> T:
        """Do `work` between the two passes of `name`."""
        self.pass_by(f"before {name}")
        self.before(name)
        result = work()
        self.pass_by(f"after {name}")
        self.after(name)
        return result

    def die(self) -> None:
        """The process is gone: nothing of it does anything any more."""
        self.dead = True
        raise Death


class Death(BaseException):
    """kill -9: no `except Exception` of the agent may see it."""


def raising(error: BaseException) -> Callable[[], None]:
    """Return an act that raises `error`."""

    def act() -> None:
        raise error

    return act


class TappedJournal:
    """ports.Journal whose commits pass the tap."""

    def __init__(self, writer: JournalWriter, tap: Tap) -> None:
        self._writer = writer
        self._tap = tap

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        return self._tap.call("commit", lambda: self._writer.transact(work))

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        self._writer.transact_soon(work, done)

    def append(self, *events: AnyEvent) -> int:
        return self._tap.call("commit", lambda: self._writer.append(*events))


class TappedArchives:
    """procedures.work.Archives whose writes pass the tap."""

    def __init__(self, folder: Path, tap: Tap) -> None:
        self._archives = ZipArchives(folder)
        self._tap = tap

    def write(
        self, name: str, manifest: dict[str, str], parts: Iterable[tuple[str, Iterator[bytes]]]
    ) -> tuple[str, str]:
        return self._tap.call("archive", lambda: self._archives.write(name, manifest, parts))


class Disk(sqlite3.Connection):
    """A journal's connection on a disk that can be made read-only, or takes `room` more rows."""

    read_only = False  # SQLite itself refuses the rows then
    room: int | None = None

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            super().execute(f"PRAGMA query_only={int(self.read_only)}")
        if sql.startswith("INSERT INTO event") and self.room is not None:
            if not self.room:
                raise disk_error("database or disk is full", "SQLITE_FULL")
            self.room -= 1
        return super().execute(sql, *values)  # type: ignore[arg-type]


def disk_error(words: str, name: str) -> sqlite3.OperationalError:
    """Return the error as SQLite raises it."""
    error = sqlite3.OperationalError(words)
    error.sqlite_errorname = name
    return error
