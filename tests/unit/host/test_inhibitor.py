"""A lock that is held by a child, and ends with it; what there is to do where nothing can hold it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from taxagent.host import inhibitor
from taxagent.host.inhibitor import Inhibitor


def holder(mark: Path) -> tuple[str, ...]:
    """Stands for systemd-inhibit: makes a mark, and takes it away when its input ends."""
    script = (
        "import pathlib, sys; mark = pathlib.Path(sys.argv[1]); mark.touch(); sys.stdin.read(); mark.unlink()"
    )
    return (sys.executable, "-c", script, str(mark))


def test_the_lock_is_let_go_when_the_work_is_done(tmp_path: Path) -> None:
    lock = Inhibitor(holder(tmp_path / "mark"))
    lock.take()
    lock.take()  # a second job
    held = lock.held
    lock.leave()
    lock.close()
    assert (held, lock.held) == (True, False)
    assert not (tmp_path / "mark").exists()


def test_an_end_lets_it_go_too(tmp_path: Path) -> None:
    lock = Inhibitor(holder(tmp_path / "mark"))
    lock.take()
    lock.close()
    assert not lock.held
    assert not (tmp_path / "mark").exists()


def test_where_it_cannot_be_held_the_work_goes_on() -> None:
    for lock in (
        Inhibitor(()),
        Inhibitor(("/nowhere/systemd-inhibit",)),
        Inhibitor((sys.executable, "-c", "1/0")),
    ):
        lock.take()
        lock.leave()
        lock.close()
        assert not lock.held


def test_without_logind_there_is_nothing_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inhibitor, "LOGIND", tmp_path / "none")
    assert inhibitor.lock_command() == ()
