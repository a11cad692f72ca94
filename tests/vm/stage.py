"""`make test-vm`: build the guests where that is needed, boot them, run the checks, print what they say.

Runs on the host, as root (mmdebstrap, chroot). Knows QEMU and folders; what is checked is in guest/.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.vm import disks
from tests.vm.plan import chosen, image
from tests.vm.qemu import LIMIT_S, Machine
from tests.vm.tally import Tally

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CANNOT = 77
"""The status where the stage cannot run here."""


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 where every check passed, 1 where one failed, 77 where the stage cannot run here."""
    options = _parser().parse_args(argv)
    if os.geteuid() != 0:
        print("the guest is built as root (mmdebstrap, chroot): sudo make test-vm", file=sys.stderr)
        return CANNOT
    begun = time.monotonic()
    work = Path(options.dir).absolute()
    with disks.alone(work):
        try:
            disks.tools()
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"the tools cannot be had: {error}", file=sys.stderr)
            return CANNOT
        debs = disks.build(work, HERE)
        scratch = tempfile.TemporaryDirectory(prefix="run-", dir=work)
        with ThreadPoolExecutor() as pool:
            guests = chosen(options.only)
            list(
                pool.map(lambda name: disks.own(work, Path(scratch.name) / name, image(guests[name])), guests)
            )
    _say(f"guests and disks ready after {time.monotonic() - begun:.0f} s")
    with scratch:
        status = _run(options, guests, debs, Path(scratch.name))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = used.ru_utime + used.ru_stime
    _say(f"all of it took {time.monotonic() - begun:.0f} s, and {spent:.0f} s of processors")
    return status


def _run(
    options: argparse.Namespace, guests: dict[str, tuple[str, ...]], debs: Sequence[Path], scratch: Path
) -> int:
    tally = Tally(sys.stdout)
    processors = max(1, (os.cpu_count() or 1) // len(guests))

    def one(name: str) -> None:
        with tempfile.TemporaryDirectory(prefix="taxagent-vm-") as folder:
            place = Path(folder)
            _share(
                place,
                guests[name],
                options.only if options.only not in guests else "",
                debs,
                keep=bool(options.out),
            )
            begun = time.monotonic()
            code = Machine(scratch / name, place, tally, processors).run(options.limit)
            if options.out:
                shutil.copytree(place / "out", options.out / name, dirs_exist_ok=True)
            if code not in (0, 1):
                tally.line(
                    f"FAIL {time.monotonic() - begun:6.1f} s  the guest {name!r} did not say how it ended"
                )
            if code != 0:
                print((place / "console.log").read_text("utf-8", "replace")[-4000:], file=sys.stderr)
            _say(f"guest {name!r}: {time.monotonic() - begun:.0f} s")

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, guests))
    return tally.end()


def _share(folder: Path, files: Sequence[str], only: str, debs: Sequence[Path], *, keep: bool) -> None:
    """Fill the folder that the guest sees as /stage."""
    inside = folder / "tests/vm/guest"
    shutil.copytree(HERE / "guest", inside, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests/__init__.py").touch()
    (folder / "out").mkdir()
    (folder / "only").write_text(only, encoding="utf-8")
    (folder / "files").write_text("\n".join(files), encoding="ascii")
    start = folder / "start"
    shutil.move(inside / "start", start)
    start.chmod(0o755)
    if keep:
        (folder / "keep").touch()
    (folder / "packages").mkdir()
    for name, deb in zip(("first.deb", "later.deb"), debs, strict=True):
        shutil.copyfile(deb, folder / "packages" / name)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="test-vm", description="Prove the agent on a real kernel's USB.")
    parser.add_argument("--dir", default=str(ROOT / ".vm"), help="where the guest is kept")
    parser.add_argument(
        "--only",
        default="",
        metavar="WORD",
        help="one check file by its name, or a pattern that the sentences fit",
    )
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds until a guest is ended")
    parser.add_argument("--out", type=Path, help="keep what the guests leave: journal, kernel log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
