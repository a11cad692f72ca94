"""What a simulated device did is on disk before it is told, and survives whatever kills the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from taxagent.model.errors import AgentError
from taxagent.simulator.state import DeviceStore, Memory, read_log
from tests.builders.scenario import (
    DEVICE_NO,
    PASSWORD,
    StillClock,
    opened,
    scenario,
    seal_of,
    sent,
    virtual_device,
)


def test_memory_and_log_are_synced_before_a_seal_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = opened(tmp_path)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    device.seal(seal_of(), sent())
    assert len(synced) >= 4  # state, its directory, log, its directory


def test_a_write_that_is_in_the_memory_but_not_in_the_log_is_logged_at_the_next_start(
    tmp_path: Path,
) -> None:
    device = opened(tmp_path)
    device.seal(seal_of(), sent())
    device.kept.log_path.unlink()
    again = virtual_device(tmp_path)
    assert [line.write for line in read_log(again.kept.log_path)] == list(again.memory.writes)


def test_a_log_line_that_was_cut_short_is_left_out_and_written_again(tmp_path: Path) -> None:
    device = opened(tmp_path)
    device.seal(seal_of(), sent())
    whole = device.kept.log_path.read_bytes()
    device.kept.log_path.write_bytes(whole[:-20])
    again = virtual_device(tmp_path)
    assert [line.write for line in read_log(again.kept.log_path)] == list(again.memory.writes)


def test_a_half_written_state_file_does_not_replace_the_whole_one(tmp_path: Path) -> None:
    opened(tmp_path).seal(seal_of(), sent())
    (tmp_path / f"{DEVICE_NO}.state.new").write_bytes(b'{"half')
    assert virtual_device(tmp_path).memory.write_no == 1


def test_the_state_of_another_scenario_is_refused(tmp_path: Path) -> None:
    virtual_device(tmp_path)
    with pytest.raises(AgentError, match="SCENARIO_INVALID") as caught:
        virtual_device(tmp_path, firmware="9.9")
    assert "--reset" in caught.value.detail["what"]


def test_a_broken_state_file_is_refused_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / f"{DEVICE_NO}.state.json"
    path.write_bytes(b"{}")
    with pytest.raises(AgentError, match="SCENARIO_INVALID"):
        virtual_device(tmp_path)
    assert path.read_bytes() == b"{}"


def test_a_device_that_was_forgotten_begins_anew(tmp_path: Path) -> None:
    opened(tmp_path).seal(seal_of(), sent())
    DeviceStore(tmp_path, DEVICE_NO).forget()
    fresh = virtual_device(tmp_path)
    assert (fresh.memory.write_no, read_log(fresh.kept.log_path)) == (0, ())


def test_memory_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    device = opened(tmp_path)
    device.seal(seal_of(), sent())
    kept: Memory | None = DeviceStore(tmp_path, DEVICE_NO).load()
    assert kept == device.memory


def test_the_password_that_the_world_changed_holds_after_a_restart(tmp_path: Path) -> None:
    virtual_device(tmp_path).kept.set_password("11111111")
    again = virtual_device(tmp_path, StillClock())
    assert (again.memory.password, scenario().password) == ("11111111", PASSWORD)
