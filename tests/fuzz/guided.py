"""Fuzzing by hand: `python -m tests.fuzz.guided [TARGET...] --seconds N`; a found input is kept.

Guided by coverage where atheris is there (an optional extra: `pip install atheris`); else by mutation alone,
which it says. Each file of tests/fuzz/corpus/TARGET is a vector of test_corpus.py for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target

CORPUS = Path(__file__).with_name("corpus")
_GUIDED = """
import sys, atheris
with atheris.instrument_imports(include=["taxagent", "taxclient"]):
    from tests.fuzz.targets import TARGETS
atheris.Setup(sys.argv, TARGETS[{name!r}])
atheris.Fuzz()
"""


def seeds(name: str) -> list[bytes]:
    """Return the corpus of a target, oldest name first."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def mutants(name: str, dice: random.Random) -> Iterator[bytes]:
    """Yield inputs for ever: seeds with bytes turned, cut, doubled and joined."""
    known = seeds(name) or [b""]
    while True:
        data = bytearray(dice.choice(known))
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(data) + 1)
            match dice.randrange(5):
                case 0:
                    data[at:at] = dice.randbytes(dice.randrange(1, 9))
                case 1:
                    del data[at : at + dice.randrange(1, 9)]
                case 2 if at < len(data):
                    data[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
                case 3:
                    data[at:at] = data[: dice.randrange(len(data) + 1)]
                case _:
                    data[at:] = dice.choice(known)[at:]
        yield bytes(data[:4096])


def mutated(name: str, target: Target, seconds: float, seed: int) -> int:
    """Try mutants for so long; return how many. The one that broke a promise is kept, its error raised."""
    dice, ends, tried = random.Random(seed), time.monotonic() + seconds, 0
    for data in mutants(name, dice):
        if time.monotonic() > ends:
            break
        tried += 1
        try:
            target(data)
        except Exception:
            found = CORPUS / name / f"found-{hashlib.sha256(data).hexdigest()[:12]}.bin"
            found.parent.mkdir(parents=True, exist_ok=True)
            found.write_bytes(data)
            print(f"{name}: broken by {found}")
            raise
    return tried


def guided(name: str, seconds: float) -> int:
    """Have atheris look for so long; return its exit code."""
    folder = CORPUS / name
    with tempfile.TemporaryDirectory(prefix="tca-fuzz-") as grown:  # only what breaks a promise is kept
        command = [sys.executable, "-c", _GUIDED.format(name=name), f"-max_total_time={seconds:.0f}"]
        command += ["-print_final_stats=1", f"-artifact_prefix={folder}/found-", "-max_len=4096"]
        run = subprocess.run([*command, grown, str(folder)], check=False, cwd=Path(__file__).parents[2])
    return run.returncode


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz each target in turn; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="*", default=[], choices=[*TARGETS, []])
    parser.add_argument("--seconds", type=float, default=30.0, help="for each target")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    args = parser.parse_args(argv)
    with_coverage = importlib.util.find_spec("atheris") is not None
    if not with_coverage:
        print("atheris is not there (pip install atheris): mutation alone, without the guidance of coverage")
    broken = 0
    for name in args.target or TARGETS:
        if with_coverage:
            broken += guided(name, args.seconds) != 0
            continue
        try:
            tried = mutated(name, TARGETS[name], args.seconds, args.seed)
            print(f"{name}: {tried} inputs, seed {args.seed}, nothing broken", flush=True)
        except Exception:  # noqa: BLE001 - the next target is tried all the same
            traceback.print_exc()
            broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
