"""What is left of a message of too many frames is dropped whole, and the next message is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from taxagent.ipc.door import Door
from taxagent.ipc.overlong import Overlong

Socket = zmq.Socket[bytes]


@contextmanager
def pair() -> Iterator[tuple[Socket, Socket]]:
    context: zmq.Context[Socket] = zmq.Context()
    receiver, sender = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    try:
        receiver.bind("inproc://overlong")
        sender.connect("inproc://overlong")
        yield receiver, sender
    finally:
        context.destroy(linger=0)


@pytest.mark.parametrize("platform", ["linux", "win32"])
@pytest.mark.parametrize("left", [1, 2, 255, 256, 257, 10_000])
def test_the_rest_is_dropped_and_no_frame_of_the_next(platform: str, left: int) -> None:
    with pair() as (receiver, sender):
        overlong = Overlong(receiver, platform=platform)
        for body in (b"", b"x" * 60_000 if left < 1000 else b"x"):
            sender.send_multipart([body] * left)
            sender.send_multipart([b"next", b"one"])
            receiver.recv()
            overlong.drop_rest()
            assert receiver.recv_multipart()[1:] == [b"next", b"one"]


def test_a_door_gives_enough_frames_to_show_that_there_are_too_many() -> None:
    context: zmq.Context[Socket] = zmq.Context()
    door, sender = Door(context), context.socket(zmq.DEALER)
    try:
        door.socket.bind("inproc://door")
        sender.connect("inproc://door")
        for many in (5, 6, 7, 300):
            sender.send_multipart([b"%d" % number for number in range(many)])
            frames = door.receive()[1]
            assert len(frames) == min(many, 5)
            assert frames == [b"%d" % number for number in range(len(frames))]
    finally:
        context.destroy(linger=0)
