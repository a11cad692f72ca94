"""Raw peers of the wire: the same client for the agent and for the echo, so that only the server differs."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import zmq

from taxclient.link import armour
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from taxclient.protocol.keyfile import KeyFile

_ROOT = Path(__file__).parents[2]  # where a child process finds `tests`
_PATIENCE_MS = 20_000
_numbers = itertools.count()


class Peer:
    """One connection: a blocking DEALER."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, key: KeyFile | None = None
    ) -> None:
        self.socket = context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVTIMEO, _PATIENCE_MS),
            (zmq.SNDTIMEO, _PATIENCE_MS),
            (zmq.IMMEDIATE, 1),
            (zmq.RECONNECT_IVL, 1),
        ):
            self.socket.setsockopt(option, value)
        if key is not None:
            armour(self.socket, key)
        self.socket.connect(endpoint)

    def ask(self, frames: Sequence[bytes]) -> bytes:
        """Send, and return the reply's map."""
        self.socket.send_multipart(frames)
        return self.socket.recv_multipart()[-1]

    def result(self, frames: Sequence[bytes]) -> m.Reply:
        """Ask, and raise RuntimeError unless the agent says yes."""
        return granted(self.ask(frames))

    def close(self) -> None:
        """Leave."""
        self.socket.close(linger=0)


def granted(reply: bytes) -> m.Reply:
    """Return the reply. Raises RuntimeError where it is an error."""
    read = msgspec.msgpack.decode(reply, type=m.Reply)
    if read.error is not None:
        msg = f"the agent refused: {read.error.code} {read.error.message}"
        raise RuntimeError(msg)
    return read


def request(op: str, args: m.Args | None = None) -> list[bytes]:
    """Return the frames of a request; an op that needs a key gets a new one."""
    plain = msgspec.to_builtins(args) if args is not None else {}
    key = f"bench-{os.getpid()}-{next(_numbers):012d}" if m.OPS[op].keyed else ""
    body = m.Request(
        id="bench-1", op=op, sent_at=time.time_ns() // 1_000_000, ttl_ms=m.TTL_MAX_MS, args=plain, key=key
    )
    return wire.joined(msgspec.msgpack.encode(body))


def checks(number: int, device_no: str) -> list[list[bytes]]:
    """Return that many requests for a check job, each under its own key."""
    return [request("check", m.CheckArgs(device_no=device_no)) for _ in range(number)]


@contextmanager
def peers(number: int, endpoint: str, key: KeyFile | None = None) -> Iterator[list[Peer]]:
    """Yield that many connections, in a context of their own; with a key they speak CURVE."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = [Peer(context, endpoint, key) for _ in range(number)]
    try:
        yield made
    finally:
        for each in made:
            each.close()
        context.destroy(linger=0)


@contextmanager
def echo(folder: Path, reply: bytes, *, held_up_us: int = 0, secret: str = "") -> Iterator[tuple[str, int]]:
    """Yield endpoint and pid of an echo process that answers with `reply`, after so many us of work.

    With a `secret` CURVE key (Z85) it is asked by TCP.
    """
    number = next(_numbers)
    file = folder / f"reply-{number}"
    endpoint = "tcp://127.0.0.1:*" if secret else f"ipc://{folder}/e{number}.sock"
    file.write_bytes(reply)
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.bench.echo",
            endpoint,
            str(file),
            str(held_up_us),
            *([secret] if secret else ()),
        ],
        stdout=subprocess.PIPE,
        cwd=_ROOT,
    )
    try:
        bound = server.stdout.readline().decode().strip() if server.stdout is not None else ""
        if not bound:
            msg = "the echo did not start"
            raise RuntimeError(msg)
        yield bound, server.pid
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def round_trips(peer: Peer, frames: Sequence[Sequence[bytes]]) -> list[float]:
    """Ask each request in turn; return the seconds that each took."""
    took, clock = [], time.perf_counter
    for each in frames:
        begun = clock()
        peer.ask(each)
        took.append(clock() - begun)
    return took


def rate(connected: Sequence[Peer], frames: Sequence[Sequence[bytes]]) -> float:
    """Return answers a second where every peer always has one request under way."""
    waiting = list(frames)
    begun = time.perf_counter()
    for peer in connected:
        peer.socket.send_multipart(waiting.pop())
    answered = 0
    while answered < len(frames):
        for peer in connected:
            if answered == len(frames):
                break
            peer.socket.recv_multipart()
            answered += 1
            if waiting:
                peer.socket.send_multipart(waiting.pop())
    return len(frames) / (time.perf_counter() - begun)
