"""The floor of the wire: a blocking ROUTER that answers every message with the same bytes at once.

    python -m tests.bench.echo ENDPOINT FILE [US]

FILE holds the reply; US is for how long it keeps its core busy before each. Prints a line when it is bound;
runs until it is killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import zmq


def main() -> None:
    """Serve."""
    endpoint, file, *held_up = sys.argv[1:]
    seconds = float(held_up[0]) / 1e6 if held_up else 0.0
    reply = [b"TCA1", Path(file).read_bytes()]
    router: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    router.bind(endpoint)
    print("bound", flush=True)
    while True:
        peer = router.recv_multipart()[0]
        if seconds:
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                pass
        router.send_multipart([peer, *reply])


if __name__ == "__main__":
    main()
