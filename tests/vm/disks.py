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

_IMAGES = ("vmlinux", "initrd.cpio", "root.squashfs")
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
        tree.result()
    key = f"{(work / 'built').read_text('ascii')}{debs[0].stat().st_mtime_ns}"
    stamp = work / "images.key"
    if not stamp.exists() or stamp.read_text("ascii") != key:
        _bare(work, debs[0])
        _installed(work, debs[0])
        stamp.write_text(key, encoding="ascii")
    return debs


def own(work: Path, folder: Path, image: str) -> None:
    """Give a guest its disks: the images of now, whoever builds new ones meanwhile, and blank ones."""
    folder.mkdir()
    for name in _IMAGES:
        os.link(work / name, folder / name)
    os.link(work / f"{image}.squashfs", folder / "app.squashfs")
    blank(folder / "state.img", _STATE_MIB)
    blank(folder / "shop.img", _SHOP_MIB)
    stick(folder / "stick.img")


def _bare(work: Path, deb: Path) -> None:
    """Make bare.squashfs: what the package has in /usr/lib/taxagent, for a service by hand."""
    tree = work / "bare"
    shutil.rmtree(tree, ignore_errors=True)
    _run("dpkg-deb", "--extract", deb, tree)
    _squash(tree / "usr/lib/taxagent", work / "bare.squashfs")
    shutil.rmtree(tree)


def _installed(work: Path, deb: Path) -> None:
    """Make packaged.squashfs: what dpkg adds to the tree when it installs the package."""
    layers = work / "packaged"
    shutil.rmtree(layers, ignore_errors=True)
    upper, inner, whole = (layers / name for name in ("upper", "work", "whole"))
    for each in (upper, inner, whole):
        each.mkdir(parents=True)
    _run(
        *("mount", "-t", "overlay", "overlay", whole),
        *("-o", f"lowerdir={work / 'root'},upperdir={upper},workdir={inner}"),
    )
    try:
        shutil.copyfile(deb, whole / "taxagent.deb")
        _run("mount", "-t", "proc", "proc", whole / "proc")
        _run("chroot", whole, "dpkg", "-i", "/taxagent.deb")
        (whole / "taxagent.deb").unlink()
    finally:
        _run("umount", "--recursive", whole)
    _squash(upper, work / "packaged.squashfs")
    shutil.rmtree(layers)


def _squash(tree: Path, disk: Path) -> None:
    made = disk.with_suffix(".new")
    made.unlink(missing_ok=True)
    _run("mksquashfs", tree, made, "-comp", "lz4", "-no-xattrs", "-quiet", "-no-progress")
    made.replace(disk)


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
