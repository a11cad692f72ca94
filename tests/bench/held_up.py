"""How the answers a second to 64 clients fall when the bare echo is held up by some us an answer.

    python -m tests.bench.held_up

It says how much more than the echo a server may do for an answer and still meet its budget.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import median, rotated
from tests.bench.peers import echo, peers, rate, request

_DELAYS_US = (0, 1, 2, 3, 5)
_CLIENTS, _EACH, _ROUNDS = 64, 16, 30


def main() -> None:
    """Measure in rotated rounds and print."""
    frames = [request("status")] * (_CLIENTS * _EACH)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tca-bench-")))
        servers = [stack.enter_context(echo(folder, b"x" * 2500, held_up_us=us)) for us in _DELAYS_US]
        clients = [stack.enter_context(peers(_CLIENTS, endpoint)) for endpoint, _ in servers]
        found = rotated(_ROUNDS, *(lambda each=each: [rate(each, frames)] for each in clients))
    medians = [median(column) for column in found]
    for us, answers in zip(_DELAYS_US, medians, strict=True):
        print(f"held up {us} us: {answers:7.0f} /s, {answers / medians[0]:.2f} of the echo")


if __name__ == "__main__":
    main()
