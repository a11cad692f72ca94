"""`make test-windows`: the agent under Windows CPython in Wine, as a real service, from nothing.

Tests that are not Linux's own run first, then the service's checks. Runs on this host; as root where Wine is
to be installed.
"""

from __future__ import annotations

import argparse
import fcntl
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.windows import packages, service
from tests.windows.report import Report
from tests.windows.shop import Shop
from tests.windows.wine import Session, windows_path

SUITES = (
    "tests/unit/model",
    "tests/unit/host/windows",
    "tests/unit/device/test_tlv.py",
    "tests/unit/device/test_wire.py",
    "tests/unit/device/test_wire_vectors.py",
    "tests/contract/test_protocol_vectors.py",
)
"""What runs under Windows Python. docs/windows.md says what does not, and why."""
_LIMIT_S = 150.0


def suite(session: Session, tree: Path) -> str:
    """Run the tests; the figure is pytest's last line."""
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=short", "--timeout=60")
    words = (session.python, "-X", "utf8", "-m", "pytest", *options, *SUITES)
    env = {"PYTHONPATH": f"{windows_path(tree / 'agent')};{windows_path(tree / 'client')}"}
    code, said = session.run(*words, limit=_LIMIT_S, cwd=tree, env=env)
    assert code == 0, said[-3000:]
    return said.strip().splitlines()[-1]


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 where every check passed, 1 where one failed."""
    options = _parser().parse_args(argv)
    work, tree = Path(options.dir).absolute(), Path(options.tree).absolute()
    begun = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    alone = (work / "lock").open("w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)  # one prefix, one run
    except BlockingIOError:
        sys.exit(f"another run uses {work}")
    packages.install_wine()
    packages.install_python(work)
    packages.install_own(work, tree)
    _say(f"Wine, Windows CPython and the wheels are ready after {time.monotonic() - begun:.0f} s")
    report = Report()
    with Session(work) as session, tempfile.TemporaryDirectory(prefix="taxagent-windows-") as folder:
        if not options.service_only:
            report.check("the tests that are not Linux's own pass", lambda: suite(session, tree))
        shop = Shop(session, Path(folder))
        try:
            service.checks(report, shop)
        finally:
            shop.site.stop()
    _say(f"all of it took {time.monotonic() - begun:.0f} s")
    return report.end()


def _say(text: str) -> None:
    print(re.sub(r"\s+", " ", text), file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="test-windows", description="Prove the agent under Windows CPython."
    )
    parser.add_argument("--dir", default=str(packages.ROOT / ".windows"), help="where all of it is kept")
    parser.add_argument("--tree", default=str(packages.ROOT), help="the tree whose wheels are installed")
    parser.add_argument("--service-only", action="store_true", help="leave pytest out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
