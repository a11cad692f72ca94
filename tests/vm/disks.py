"""What the guest is made of: Debian's tree, the package's venv on a disk of its own, blank disks. As root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

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
    """Bring the guest's tree up to date; quick where nothing changed."""
    work.mkdir(exist_ok=True)
    _run(scripts / "build.sh", work)


def application(work: Path, deb: Path) -> None:
    """Make a disk of what the package has in /usr/lib/taxagent: app.squashfs."""
    disk, tree = work / "app.squashfs", work / "app"
    if disk.exists() and disk.stat().st_mtime > deb.stat().st_mtime:
        return
    shutil.rmtree(tree, ignore_errors=True)
    _run("dpkg-deb", "--extract", deb, tree)
    disk.unlink(missing_ok=True)
    venv = tree / "usr/lib/taxagent"
    _run("mksquashfs", venv, disk, "-comp", "lz4", "-no-xattrs", "-quiet", "-no-progress")
    shutil.rmtree(tree)


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


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
