"""One world, repeated exactly and told as a story: `python -m tests.crash.world --seed N` or `--plan FILE`.

A plan is what the campaign prints for an enumerated world that the judge does not like.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from tests.crash.folders import memory_folder, quiet
from tests.crash.plans import Plan
from tests.crash.play import Player
from tests.crash.town import Town


def main() -> int:
    """Repeat a world; exit 1 where the judge finds anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.world", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="a random world")
    which.add_argument("--plan", type=Path, help="an enumerated world")
    options = parser.parse_args()
    with quiet(), memory_folder("world") as base:
        if options.plan is not None:
            plan = msgspec.json.decode(options.plan.read_bytes(), type=Plan)
            said = Player(base, plan, print).play()
        else:
            said = Town(base, options.seed, print).lived()
    for line in said:
        print(f"VIOLATION {line}")
    print(f"{len(said)} violations")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
