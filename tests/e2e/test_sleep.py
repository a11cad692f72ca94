"""The real agent and a systemd-inhibit of ours: sleep waits while a device may be written, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from taxagent.host.inhibitor import COMMAND, LOGIND
from tests.builders.site import DEVICE, PERIOD, TAXPAYER, client, ended, prepared, site, submitted, until

pytestmark = pytest.mark.skipif(not LOGIND.exists(), reason="logind is not there")


def stand_in(folder: Path) -> Path:
    """Put a program beside the system's that makes a mark while it holds; return the mark."""
    mark = folder / "held"
    program = folder / COMMAND[0]
    program.write_text(f'#!/bin/sh\necho "$@" > {mark}\ncat\nrm {mark}\n')
    program.chmod(0o755)
    return mark


def test_the_lock_is_held_during_a_seal_and_let_go_after_the_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = stand_in(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with site() as shop, shop.device_orders() as orders:
        shop.file_return(TAXPAYER, PERIOD)
        shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            assert not mark.exists()
            hold: dict[str, object] = {"do": "fault", "device": DEVICE, "command": "seal", "point": "before"}
            orders.order(hold | {"act": "hold"})
            job_id = submitted(one, token).job_id
            orders.event("reached")
            until(mark.exists, "the lock is held")
            assert "--what=sleep:shutdown --mode=delay" in mark.read_text()
            orders.order({"do": "clear_faults"})
            assert ended(one, job_id).outcome == "executed"
            until(lambda: not mark.exists(), "the lock is let go")


def test_a_kill_lets_the_lock_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark = stand_in(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with site() as shop, shop.device_orders() as orders:
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            hold: dict[str, object] = {"do": "fault", "device": DEVICE, "command": "seal", "point": "before"}
            orders.order(hold | {"act": "hold"})
            submitted(one, token)
            until(mark.exists, "the lock is held")
            agent.kill()
            until(lambda: not mark.exists(), "the lock is gone with its holder")
