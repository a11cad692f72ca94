"""The floor of the wire: a blocking ROUTER that answers every message with the same bytes at once.

    python -m tests.bench.echo ENDPOINT FILE [US [SECRET]]

FILE holds the reply; US is for how long it keeps its core busy before each. With SECRET (Z85, of a key pair
that lives as long as the bench) it speaks CURVE, to everybody. Prints where it is bound; runs until it is
killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import zmq


def main() -> None:
    """Serve."""
    endpoint, file, *more = sys.argv[1:]
    seconds = float(more[0]) / 1e6 if more else 0.0
    secret = more[1:]
    reply = [b"TCA1", Path(file).read_bytes()]
    router: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    if secret:
        router.setsockopt(zmq.CURVE_SERVER, 1)
        router.setsockopt(zmq.CURVE_SECRETKEY, secret[0].encode())
    router.bind(endpoint)
    bound = router.getsockopt(zmq.LAST_ENDPOINT)
    print(bound.rstrip(b"\0").decode() if isinstance(bound, bytes) else "", flush=True)
    while True:
        peer = router.recv_multipart()[0]
        if seconds:
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                pass
        router.send_multipart([peer, *reply])


if __name__ == "__main__":
    main()
