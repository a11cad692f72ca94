"""One agent a state directory: the second is told who the first is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from taxagent.host.lock import Owner, owner_of, take_lock
from taxagent.model.errors import InstanceRunning, Refusal, StateDirUnwritable

ROOT = Path(__file__).parents[3]
OWNER = Owner(pid=4711, boot="boot-1", started_ms=1_795_561_200_000, host="shop", config="/etc/agent.toml")
HOLDER = """
import sys
from pathlib import Path
from tests.unit.host.test_lock import OWNER
from taxagent.host.lock import take_lock
lock = take_lock(Path(sys.argv[1]), OWNER)
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_agent_is_told_who_the_first_is(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "state", OWNER)
    with pytest.raises(InstanceRunning) as refused:
        take_lock(tmp_path / "state", OWNER)
    lock.release()
    assert refused.value.fault == "INSTANCE_RUNNING"
    assert refused.value.detail == {
        "pid": "4711",
        "boot": "boot-1",
        "since": "1795561200000",
        "host": "shop",
        "config": "/etc/agent.toml",
        "path": str(tmp_path / "state"),
    }


def test_a_released_lock_is_free_and_may_be_released_twice(tmp_path: Path) -> None:
    first = take_lock(tmp_path, OWNER)
    first.release()
    first.release()
    again = take_lock(tmp_path, msgspec.structs.replace(OWNER, boot="boot-2"))
    first.release()  # the old one frees nothing that is another's now
    with pytest.raises(InstanceRunning, match="boot-2"):
        take_lock(tmp_path, OWNER)
    again.release()


def test_the_lock_ends_with_a_killed_process_and_the_next_owner_is_named(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InstanceRunning, match="4711"):
            take_lock(tmp_path, OWNER)
        holder.kill()
        holder.wait(30)
    lock = take_lock(tmp_path, Owner(pid=2, boot="boot-2", started_ms=1, host="shop", config="b"))
    found = owner_of(tmp_path)
    lock.release()
    assert found is not None
    assert (found.pid, found.boot) == (2, "boot-2")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_state_directory_that_others_may_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    with pytest.raises(Refusal, match="STATE_DIR_EXPOSED") as refused:
        take_lock(tmp_path / "state", OWNER)
    assert refused.value.detail == {"path": str(tmp_path / "state"), "mode": f"{mode:04o}"}
    assert list((tmp_path / "state").iterdir()) == []
    (tmp_path / "state").chmod(0o755)
    take_lock(tmp_path / "state", OWNER).release()


def test_an_owner_that_has_not_written_its_name_yet_is_unknown_but_there(tmp_path: Path) -> None:
    lock = take_lock(tmp_path, OWNER)
    (tmp_path / "agent.lock").write_bytes(b"")
    with pytest.raises(InstanceRunning) as refused:
        take_lock(tmp_path, OWNER)
    lock.release()
    assert refused.value.detail["pid"] == ""


@pytest.mark.parametrize("below", ["file", "file/state", "file/a/b"])
def test_a_state_directory_at_or_below_a_file_is_unwritable_for_root_too(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StateDirUnwritable) as refused:
        take_lock(tmp_path / below, OWNER)
    assert refused.value.fault == "STATE_DIR_UNWRITABLE"
    assert refused.value.detail["path"] == str(tmp_path / below)
    assert refused.value.detail["what"]
    assert "state_dir" in refused.value.detail["remedy"]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no directory, from root neither")
def test_a_file_system_that_takes_no_directory_is_unwritable() -> None:
    with pytest.raises(StateDirUnwritable):
        take_lock(Path("/proc/taxagent-state"), OWNER)


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "agent.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateDirUnwritable):
        take_lock(tmp_path, OWNER)
    assert (tmp_path / "elsewhere").read_text() == "precious"
