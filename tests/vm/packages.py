"""The Debian package as it goes into the guest, and a later version of it. On the host, where it is built."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LATER = "99.0"
_PARTS = ("agent", "client", "packaging", "tools", "requirements.txt", "Makefile")


def packages(work: Path) -> tuple[Path, Path]:
    """Return the package of this tree and one of a later version; built where the tree has changed."""
    folder = work / "packages"
    stamp, key = folder / "key", _key()
    if not stamp.exists() or stamp.read_text("ascii") != key:
        shutil.rmtree(folder, ignore_errors=True)
        settings = {"PY": sys.executable, "LINTIAN": "no", "PACK": "-Znone"}
        subprocess.run(
            [ROOT / "packaging/deb.sh", folder], env=os.environ | settings, check=True, stdout=sys.stderr
        )
        _later(next(folder.glob("taxagent_*.deb")), folder)
        stamp.write_text(key, encoding="ascii")
    later = folder / "later.deb"
    return next(one for one in folder.glob("taxagent_*.deb")), later


def _later(deb: Path, folder: Path) -> None:
    """Repack it as another version that says so of itself."""
    tree = folder / "tree"
    _run("dpkg-deb", "--raw-extract", deb, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {LATER}", control.read_text("utf-8")), "utf-8")
    for code in (tree / "usr/lib/taxagent/lib").glob("python3.*/site-packages/taxagent/__init__.py"):
        code.write_text(
            re.sub(r"__version__ = .*", f'__version__ = "{LATER}"', code.read_text("utf-8")), "utf-8"
        )
    _run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, folder / "later.deb")
    shutil.rmtree(tree)


def _key() -> str:
    """Return what changes where a file of the package does."""
    listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_PARTS)
    ran = subprocess.run(["git", "-C", ROOT, *listed], check=True, capture_output=True, text=True)
    digest = hashlib.sha256()
    for name in sorted(filter(None, ran.stdout.split("\0"))):
        path = ROOT / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
