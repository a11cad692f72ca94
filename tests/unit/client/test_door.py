"""A door that the system keeps shut is told as such, with its group: not as an agent that is away."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxclient.cli.main import main
from taxclient.door import unreachable
from taxclient.protocol.errors import AgentUnavailable, SocketShut

pytestmark = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="takes another user's place")

NOBODY = 65534
_ASK = """
import grp, os, sys
import msgspec, zmq
from taxclient import Client, ClientError
os.setgroups([]), os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[2]))
try:
    Client(sys.argv[1], timeout_ms=300).status()
except ClientError as error:
    print(type(error).__name__, getattr(error, "path", ""), getattr(error, "group", ""), error.retry)
"""


def told(endpoint: Path) -> str:
    """What another user is told of the endpoint."""
    argv = [sys.executable, "-c", _ASK, f"ipc://{endpoint}", str(NOBODY)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


@pytest.fixture
def door() -> Iterator[Path]:
    """A socket's place; not below pytest's own folder, which each session of it shuts to others anew."""
    with tempfile.TemporaryDirectory(prefix="door-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "run").mkdir(mode=0o755)
        (Path(folder) / "run/agent.sock").touch(mode=0o600)
        yield Path(folder) / "run/agent.sock"


def test_a_shut_folder_names_its_group(door: Path) -> None:
    door.parent.chmod(0o750)
    assert told(door) == f"SocketShut {door.parent} root after_fix"


def test_a_shut_socket_names_its_group(door: Path) -> None:
    assert told(door) == f"SocketShut {door} root after_fix"


def test_a_door_that_is_open_or_not_there_is_an_agent_that_is_away(door: Path) -> None:
    door.chmod(0o666)
    assert told(door) == "AgentUnavailable   after_ms"
    door.unlink()
    assert told(door) == "AgentUnavailable   after_ms"


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:1", "inproc://x"])
def test_only_a_file_can_be_shut(endpoint: str) -> None:
    assert type(unreachable(endpoint)) is AgentUnavailable


def test_the_command_says_77_and_the_group(
    door: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "taxclient.conversation.unreachable", lambda endpoint: SocketShut(endpoint, str(door), "taxagent")
    )
    assert main(["--endpoint", f"ipc://{door}", "--lang", "en", "--timeout", "1", "status"]) == 77
    assert "usermod -aG taxagent NAME" in capsys.readouterr().err
    assert "only members of the group taxagent" in str(SocketShut("", str(door), "taxagent"))
