"""What the guest is made of: Debian's tree, the package's venv on a disk of its own, blank disks. As root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.vm.packages import packages

_IMAGES = ("vmlinux", "initrd.cpio", "root.squashfs", "app.squashfs")
_STATE_MIB, _SHOP_MIB = 24, 32

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


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Keep others from building in the same folder meanwhile; they wait."""
    work.mkdir(exist_ok=True)
    with (work / "lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tools() -> None:
    """Install the Debian packages that are missing. Raises CalledProcessError where they cannot be had."""
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    if not Path("/usr/share/python-wheels").exists():
        missing.append("python3-venv")
    if missing:
        _run("apt-get", "-qq", "update")
        _run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing)


def build(work: Path, scripts: Path) -> tuple[Path, Path]:
    """Bring tree, package and application up to date; return the package and a later version of it."""
    with ThreadPoolExecutor() as both:  # one waits for the network while the other computes
        tree = both.submit(_run, scripts / "build.sh", work)
        debs = packages(work)
        application(work, debs[0])
        tree.result()
    return debs


def own(work: Path, folder: Path) -> None:
    """Give a guest its disks: the images of now, whoever builds new ones meanwhile, and blank ones."""
    folder.mkdir()
    for name in _IMAGES:
        os.link(work / name, folder / name)
    blank(folder / "state.img", _STATE_MIB)
    blank(folder / "shop.img", _SHOP_MIB)
    stick(folder / "stick.img")


def application(work: Path, deb: Path) -> None:
    """Make a disk of what the package has in /usr/lib/taxagent: app.squashfs."""
    disk, made, tree = work / "app.squashfs", work / "app.squashfs.new", work / "app"
    if disk.exists() and disk.stat().st_mtime > deb.stat().st_mtime:
        return
    shutil.rmtree(tree, ignore_errors=True)
    _run("dpkg-deb", "--extract", deb, tree)
    made.unlink(missing_ok=True)
    venv = tree / "usr/lib/taxagent"
    _run("mksquashfs", venv, made, "-comp", "lz4", "-no-xattrs", "-quiet", "-no-progress")
    made.replace(disk)
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
