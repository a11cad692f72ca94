"""The floor of the wire: a blocking ROUTER that answers every message with the same bytes at once.

    python -m tests.bench.echo ENDPOINT FILE

FILE holds the reply. Prints a line when it is bound; runs until it is killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import zmq


def main() -> None:
    """Serve."""
    endpoint, file = sys.argv[1:]
    reply = [b"TCA1", Path(file).read_bytes()]
    router: zmq.Socket[bytes] = zmq.Context().socket(zmq.ROUTER)
    router.bind(endpoint)
    print("bound", flush=True)
    while True:
        peer = router.recv_multipart()[0]
        router.send_multipart([peer, *reply])


if __name__ == "__main__":
    main()
