"""A command of the system that only tells: systemctl show, timedatectl show. Bounded; changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

LIMIT_S = 5.0

Ask = Callable[[Sequence[str]], str]
"""Return what a command prints; OSError where it is not there, fails, or does not end in time."""


def asked(command: Sequence[str]) -> str:
    """Run it for at most LIMIT_S and return its output; OSError as Ask says."""
    path = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin")
    if path is None:
        raise FileNotFoundError(2, "No such file or directory", command[0])
    try:
        ran = subprocess.run(
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=LIMIT_S,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(110, "timed out", command[0]) from None
    if ran.returncode != 0:
        said = ran.stderr.decode("utf-8", "replace").strip()
        raise OSError(ran.returncode, said or f"exit code {ran.returncode}", command[0])
    return ran.stdout.decode("utf-8", "replace")


def shown(ask: Ask, command: Sequence[str]) -> dict[str, str]:
    """Return the KEY=VALUE lines that a command prints; OSError as Ask says."""
    rows = (line.partition("=") for line in ask(command).splitlines())
    return {key: value for key, _, value in rows if key}


def has_systemd(root: Path) -> bool:
    """Whether systemd runs the host: sd_booted(3)."""
    return (root / "run/systemd/system").is_dir()
