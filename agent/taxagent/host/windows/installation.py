"""The service in the SCM's books: created, configured, started, stopped, taken away. Every step is told.

`Books` is what the SCM can do; pywin32's is in books.py. Each optional setting is a step of its own: where
the system refuses one, that is told and the next one follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from taxagent.host.installing import Step
from taxagent.host.windows.standing import State
from taxagent.model.value import Value

ACCOUNT = "NT SERVICE\\taxagent"
"""A virtual account: no password, no rights but those that are given to it."""
PRESHUTDOWN_MS = 180_000
"""As long as a device's answer to a seal or a clear may take, and some more: a drain waits for it."""
RESTARTS_MS = (5_000, 30_000, 60_000)


class Standing(Value, frozen=True, kw_only=True):
    """What the SCM says of the service."""

    state: State
    pid: int
    exit_code: int
    own_code: int


class Books(Protocol):
    """The SCM. Each raises OSError with the system's words where it is refused."""

    def create(self, command: str, account: str) -> bool:
        """Create the service, or give it this command; return whether it was new."""

    def delete(self) -> bool:
        """Delete it; return whether there was one."""

    def start(self) -> None:
        """Start it, and wait until it runs."""

    def stop(self) -> bool:
        """Stop it, and wait until it has; return whether it ran."""

    def standing(self) -> Standing | None:
        """Return how it stands, None where it is not installed."""

    def settings(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        """Return each optional setting by its name, and what sets it."""


def install(books: Books, command: str) -> Iterator[Step]:
    """Create the service under its virtual account, and configure it."""
    yield from _step("service", lambda: "written" if books.create(command, ACCOUNT) else "replaced")
    yield from configure(books)


def configure(books: Books) -> Iterator[Step]:
    """Set what is optional, each on its own; what the system refuses is told and changes nothing else."""
    for name, set_it in books.settings():
        yield from _step(name, lambda set_it=set_it: _ran(set_it), optional=True)  # type: ignore[misc]


def uninstall(books: Books) -> Iterator[Step]:
    """Stop it and delete it. The folders stay: journal, keys, configuration and logs are not its own."""
    yield from _step("stop", lambda: "ran" if books.stop() else "absent")
    yield from _step("service", lambda: "removed" if books.delete() else "absent")


def start(books: Books) -> Iterator[Step]:
    """Start it; told once it runs."""
    yield from _step("start", lambda: _ran(books.start))


def stop(books: Books) -> Iterator[Step]:
    """Stop it; told once what it had in hand is at a safe point."""
    yield from _step("stop", lambda: "ran" if books.stop() else "absent")


def _ran(act: Callable[[], object]) -> str:
    act()
    return "ran"


def _step(what: str, act: Callable[[], str], *, optional: bool = False) -> Iterator[Step]:
    try:
        yield Step(did=act(), what=what)  # type: ignore[arg-type]
    except OSError as error:
        yield Step(did="not_there" if optional else "failed", what=what, why=str(error))
