"""`make test-vm`: build the guest where that is needed, boot it, run the checks in it, print what they say.

Runs on the host, as root (mmdebstrap, chroot). Knows QEMU and folders; what is checked is in guest/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.vm.disks import application, blank, build, stick, tools
from tests.vm.packages import packages
from tests.vm.qemu import LIMIT_S, Machine

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def share(folder: Path, only: str) -> None:
    """Fill the folder that the guest sees as /stage."""
    inside = folder / "tests/vm/guest"
    shutil.copytree(HERE / "guest", inside, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests/__init__.py").touch()
    (folder / "out").mkdir()
    (folder / "only").write_text(only, encoding="utf-8")
    start = folder / "start"
    shutil.move(inside / "start", start)
    start.chmod(0o755)


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 where every check passed, 1 where one failed, 2 where the guest did not say how it ended."""
    options = _parser().parse_args(argv)
    if os.geteuid() != 0:
        print("the guest is built as root (mmdebstrap, chroot): sudo make test-vm", file=sys.stderr)
        return 2
    begun = time.monotonic()
    work = Path(options.dir).absolute()
    tools()
    build(work, HERE)
    debs = packages(work)
    application(work, debs[0])
    _say(f"guest and disks ready after {time.monotonic() - begun:.0f} s")
    with tempfile.TemporaryDirectory(prefix="taxagent-vm-") as folder:
        place = Path(folder)
        share(place, options.only)
        (place / "packages").mkdir()
        for name, deb in zip(("first.deb", "later.deb"), debs, strict=True):
            shutil.copyfile(deb, place / "packages" / name)
        blank(work / "state.img", 64)
        blank(work / "shop.img", 64)
        stick(work / "stick.img")
        code = Machine(work, place, sys.stdout).run(options.limit)
        if options.out:
            shutil.copytree(place / "out", options.out, dirs_exist_ok=True)
        if code != 0:
            print((place / "console.log").read_text("utf-8", "replace")[-4000:], file=sys.stderr)
    _say(f"all of it took {time.monotonic() - begun:.0f} s")
    return code


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="test-vm", description="Prove the agent on a real kernel's USB.")
    parser.add_argument("--dir", default=str(ROOT / ".vm"), help="where the guest is kept")
    parser.add_argument("--only", default="", metavar="REGEX", help="only checks whose sentence fits")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds until the guest is ended")
    parser.add_argument("--out", type=Path, help="keep what the guest leaves: journal, kernel log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
