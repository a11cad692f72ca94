"""What the guest is made of: Debian's tree, the agent's venv on a disk of its own, blank disks. As root."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PIP = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check")
_TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "cpio": "cpio",
    "modprobe": "kmod",
    "mkfs.ext4": "e2fsprogs",
    "xz": "xz-utils",
    "dh": "debhelper",
    "dpkg-buildpackage": "dpkg-dev",
}


def tools() -> None:
    """Install the Debian packages that are missing."""
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    if not Path("/usr/share/python-wheels").exists():
        missing.append("python3-venv")
    if missing:
        _run("apt-get", "-qq", "update")
        _run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)


def build(work: Path, scripts: Path) -> None:
    """Bring the agent's libraries and the guest's tree up to date; quick where nothing changed."""
    work.mkdir(exist_ok=True)
    own, wheels = work / "own", work / "wheels"
    shutil.rmtree(own, ignore_errors=True)
    _run(*_PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", own, ROOT / "client", ROOT / "agent")
    pins = _pins()
    key = hashlib.sha256((pins + _needs()).encode()).hexdigest()
    stamp = work / "wheels.key"
    if not stamp.exists() or stamp.read_text("ascii") != key:
        shutil.rmtree(wheels, ignore_errors=True)
        (work / "constraints.txt").write_text(pins, encoding="ascii")
        ours = sorted(own.glob("*.whl"))
        fetch = ("download", "--only-binary", ":all:", "-c", work / "constraints.txt", "-d", wheels)
        _run(*_PIP, *fetch, *ours, quiet=True)
        for one in ours:
            (wheels / one.name).unlink()
        stamp.write_text(key, encoding="ascii")
    _run(scripts / "build.sh", work)


def application(work: Path) -> None:
    """Put the two wheels into the tree's venv and make a disk of it: app.squashfs."""
    inside = work / "root/own"
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(work / "own", inside)
    try:
        _run("chroot", work / "root", "/bin/sh", "-ec", _INSTALL)
    finally:
        shutil.rmtree(inside)
    disk = work / "app.squashfs"
    disk.unlink(missing_ok=True)
    venv = work / "root/usr/lib/taxagent"
    _run("mksquashfs", venv, disk, "-comp", "lz4", "-no-xattrs", "-quiet", "-no-progress")


_INSTALL = (
    "/usr/lib/taxagent/bin/python $(ls /usr/share/python-wheels/pip-*.whl)/pip install -q --no-index "
    "--no-deps --force-reinstall --root-user-action=ignore /own/*.whl"
)


def blank(path: Path, mib: int) -> None:
    """Make an empty ext4 disk."""
    path.unlink(missing_ok=True)
    _run("truncate", "-s", f"{mib}M", path)
    _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", path)


def stick(path: Path) -> None:
    """Make the contents of a USB stick: ext4 with a file on it."""
    folder = path.with_suffix(".folder")
    folder.mkdir(exist_ok=True)
    (folder / "letter.txt").write_text("a file on a stick\n" * 2000, encoding="ascii")
    path.unlink(missing_ok=True)
    _run("truncate", "-s", "16M", path)
    _run("mkfs.ext4", "-q", "-F", "-d", folder, path)


def _pins() -> str:
    """Return requirements.txt without its hashes: what pip takes as constraints."""
    text = (ROOT / "requirements.txt").read_text("utf-8")
    return "".join(
        f"{line.rstrip(chr(92) + ' ')}\n" for line in re.findall(r"^[a-z0-9].*$", text, re.MULTILINE)
    )


def _needs() -> str:
    return "".join((ROOT / wheel / "pyproject.toml").read_text("utf-8") for wheel in ("agent", "client"))


def _run(*command: str | Path, quiet: bool = False) -> None:
    subprocess.run(
        [str(word) for word in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=subprocess.DEVNULL if quiet else None,
    )
