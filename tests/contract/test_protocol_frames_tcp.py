"""What TCA/1 forbids by ipc it forbids by TCP: the tests of test_protocol_frames by the other door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from taxclient.protocol.keyfile import KeyFile
from tests.builders.ipc import House
from tests.builders.tcp import house_with_door, knocking
from tests.contract import test_protocol_frames as frames

_SAME = {
    name: test
    for name, test in vars(frames).items()
    if name.startswith("test_") and not hasattr(test, "hypothesis")
}
globals().update(_SAME)  # each is collected here too


@pytest.fixture(autouse=True)
def _by_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have these tests' house and peers use TCP, with the key of an administrator."""
    keys: dict[str, KeyFile] = {}

    @contextmanager
    def house(folder: Path, **more: Any) -> Iterator[House]:
        with house_with_door(folder, "admin", **more) as (made, key):
            made.endpoint, keys[key.endpoint] = key.endpoint, key
            yield made

    @contextmanager
    def peer(endpoint: str, kind: int = zmq.DEALER) -> Iterator[zmq.Socket[bytes]]:
        with knocking(endpoint, keys[endpoint], kind) as socket:
            socket.setsockopt(zmq.SNDTIMEO, 5000)
            socket.setsockopt(zmq.RCVTIMEO, 5000)
            yield socket

    monkeypatch.setattr(frames, "house", house)
    monkeypatch.setattr(frames, "peer", peer)
