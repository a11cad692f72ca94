"""`python -m tests.judge JOURNAL --device DIR --bureau DIR --told FILE`: one a line, exit 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.judge import RULES, read, violations


def main() -> int:
    """Judge the files that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.judge", description=__doc__)
    parser.add_argument("journal", type=Path)
    parser.add_argument("--device", type=Path, help="directory of the devices' states and logs")
    parser.add_argument("--bureau", type=Path, help="directory of the bureau's state and log")
    parser.add_argument("--told", type=Path, help="transcript: what each client was told")
    parser.add_argument("--under-way", action="store_true", help="jobs may still be under way")
    options = parser.parse_args()
    evidence = read(options.journal, device=options.device, bureau=options.bureau, told=options.told)
    evidence.settled = not options.under_way
    found = violations(evidence)
    for violation in found:
        print(violation)
    rows, jobs = len(evidence.rows), len(evidence.accepts)
    print(f"{len(RULES)} rules, {rows} rows, {jobs} jobs: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
