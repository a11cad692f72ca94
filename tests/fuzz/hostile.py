"""A hostile client: it knows the protocol and breaks each of its rules, for so many seconds.

`python -m tests.fuzz.hostile ENDPOINT SECONDS SEED NICE ATTACK`; prints how often it did what. At the
lowest priority (19) it shows what the agent bears; at 0 also how one machine shares its processors out.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import zmq

from taxclient.protocol import messages as m
from taxclient.protocol import wire

_FLOOD = 300  # requests at one go, of which no answer is read
_PACE_S = 0.1  # between attacks: who may connect at all is a matter of permissions


class Hostile:
    """One hostile process with its sockets."""

    def __init__(self, endpoint: str, seed: str) -> None:
        self._endpoint = endpoint
        self._dice = random.Random(seed)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._unread: list[zmq.Socket[bytes]] = []
        self.done: Counter[str] = Counter()

    def run(self, seconds: float, only: str) -> None:
        """Attack until the time is over, in every way or in one."""
        attacks: tuple[Callable[[], None], ...] = (
            self.flood,
            self.parts,
            self.odd_maps,
            self.odd_bytes,
            self.replays,
            self.expired,
            self.vanishes,
            self.subscribes,
            self.waits_and_dies,
            self.raw_bytes,
            self.writes,
        )
        attacks = tuple(attack for attack in attacks if only in ("", attack.__name__))
        ends, pace = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < ends:
            attack = self._dice.choice(attacks)
            with contextlib.suppress(
                zmq.ZMQError, OSError
            ):  # what the agent does to its connection is its right
                attack()
            self.done[attack.__name__] += 1
            pace.wait(_PACE_S)
        self._context.destroy(linger=0)

    def flood(self) -> None:
        """Ask without ever reading an answer."""
        sock = self._dealer()
        self._keep(sock)
        for _ in range(_FLOOD):
            sock.send_multipart(self._request("status"))

    def parts(self) -> None:
        """Send a message of 10,000 parts."""
        with self._leaving() as sock:
            sock.send_multipart([b"TCA1", *[b"x"] * 10_000])

    def odd_maps(self) -> None:
        """Send what msgpack can say and the protocol forbids."""
        depth = self._dice.choice((15, 17, 200, 2000, 60_000))
        odd: tuple[Any, ...] = (
            self._packed()[:-1] + b"\x81\xa1a" + b"\x91" * depth + b"\xc0",
            self._packed(args={"n": float("nan")}),
            self._packed(args={"n": 1.5}),
            self._packed(args={"ext": msgpack.ExtType(5, b"x" * self._dice.randrange(300))}),
            self._packed(args={"many": [0] * 5000}),
            self._packed(args={f"k{n}": n for n in range(5000)}),
            b"\x82\xa2op\xa6status\xa2op\xa5hello",
            b"\x81\x01\x02",
            b"\xdf\xff\xff\xff\xff" + b"\xa1a\x01" * 20,
            b"\xdd\xff\xff\xff\xff",
            self._packed(op="x" * 60_000),
            self._packed(id=None),
            self._packed(op="job.get", args={"job_id": "\ud800"}, surrogates=True),
            self._packed(sent_at=2**63),
            self._packed(sent_at=-(2**63)),
            self._packed(ttl_ms=0),
        )
        with self._leaving() as sock:
            for body in self._dice.sample(odd, 6):
                sock.send_multipart([b"TCA1", body])

    def odd_bytes(self) -> None:
        """Send noise, cut messages, wrong magic, too much."""
        whole = self._request("status")[1]
        cut = self._dice.randrange(len(whole))
        with self._leaving() as sock:
            for frames in (
                [b"TCA1", self._dice.randbytes(self._dice.randrange(2000))],
                [b"TCA1", whole[:cut]],
                [b"TCA1", whole + b"\x00"],
                [b"TCA9", whole],
                [],
                [b""],
                [b"", b"", b"TCA1", whole],
                [b"TCA1", bytes(wire.REQUEST_BYTES + 1)],
            ):
                sock.send_multipart(frames or [b""])

    def replays(self) -> None:
        """Send the same bytes over and over, and other args under the same key."""
        key = f"hostile-replay-{self._dice.randrange(8):04d}"
        args = {"device_no": "661700000011"}
        same = [b"TCA1", self._packed(op="check", key=key, args=args)]
        other = [b"TCA1", self._packed(op="check", key=key, args={**args, "types": ["007"]})]
        with self._leaving() as sock:
            for _ in range(4):
                sock.send_multipart(same)
                sock.send_multipart(other)

    def expired(self) -> None:
        """Ask for writes that are out of time: long ago, or in the future."""
        with self._leaving() as sock:
            for shift in (-3_600_000, 3_600_000, -(10**12)):
                body = self._packed(
                    op="submit",
                    key=f"hostile-late-{self._dice.randrange(10**6):06d}",
                    sent_at=_now_ms() + shift,
                    args={"kind": "settle", "device_no": "661700000011", "token": "x"},
                )
                sock.send_multipart([b"TCA1", body])

    def vanishes(self) -> None:
        """Ask for much and be gone before the answer: its way back is no more."""
        for _ in range(20):
            with self._leaving() as sock:
                for op in ("status", "job.list", "explain"):
                    sock.send_multipart(self._request(op))

    def subscribes(self) -> None:
        """Subscribe to thousands of topics, to all, and read none of it."""
        sock = self._context.socket(zmq.SUB)
        for option in (
            zmq.LINGER,
            zmq.SNDHWM,
        ):  # no end to what may wait: libzmq would drop beyond a thousand
            sock.setsockopt(option, 0)
        sock.connect(self._endpoint + ".events")
        for _ in range(2000):
            sock.setsockopt(zmq.SUBSCRIBE, self._dice.randbytes(30))
        sock.setsockopt(zmq.SUBSCRIBE, b"")
        self._keep(sock)

    def waits_and_dies(self) -> None:
        """Have waits parked, and leave."""
        with self._leaving() as sock:
            for _ in range(40):
                args = {"job_id": "01JOB" + "0" * 21, "timeout_ms": m.WAIT_MAX_MS}
                sock.send_multipart([b"TCA1", self._packed(op="job.wait", args=args)])

    def raw_bytes(self) -> None:
        """Speak no ZeroMQ at all."""
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(self._endpoint.removeprefix("ipc://"))
        raw.sendall(self._dice.randbytes(self._dice.randrange(1, 5000)))
        raw.close()

    def writes(self) -> None:
        """Make real work: checks under new keys."""
        with self._leaving() as sock:
            for _ in range(2):
                key = f"hostile-write-{self._dice.randrange(10**9):09d}"
                body = self._packed(op="check", key=key, args={"device_no": "661700000011"})
                sock.send_multipart([b"TCA1", body])

    def _dealer(self) -> zmq.Socket[bytes]:
        sock = self._context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 0), (zmq.SNDTIMEO, 200), (zmq.IMMEDIATE, 1), (zmq.SNDHWM, 2000)):
            sock.setsockopt(option, value)
        sock.connect(self._endpoint)
        return sock

    @contextlib.contextmanager
    def _leaving(self) -> Iterator[zmq.Socket[bytes]]:
        """Yield a connection that is closed a moment after its last message went out."""
        sock = self._dealer()
        try:
            yield sock
            sock.poll(self._dice.choice((0, 2, 10)))
        finally:
            sock.close(linger=self._dice.choice((0, 20)))

    def _keep(self, sock: zmq.Socket[bytes]) -> None:
        """Keep a connection open and unread, up to ten of them."""
        self._unread.append(sock)
        if len(self._unread) > 10:
            self._unread.pop(0).close(linger=0)

    def _request(self, op: str) -> list[bytes]:
        return [b"TCA1", self._packed(op=op)]

    def _packed(self, *, surrogates: bool = False, **changes: Any) -> bytes:
        plain = {"id": "h", "op": "status", "sent_at": _now_ms(), "ttl_ms": 5000, "args": {}, **changes}
        packed: bytes = msgpack.packb(plain, unicode_errors="surrogatepass" if surrogates else "strict")
        return packed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    """Be hostile, and say how."""
    endpoint, seconds, seed, nice, only = sys.argv[1:]
    if hasattr(os, "nice"):
        os.nice(int(nice))
    hostile = Hostile(endpoint, seed)
    hostile.run(float(seconds), only)
    print(json.dumps(hostile.done))


if __name__ == "__main__":
    main()
