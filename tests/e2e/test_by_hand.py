"""The commands of docs/simulator.md, "By hand", are typed as they stand there, and the device is checked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from taxagent.device.drivers import installed

PAGE = (Path(__file__).parents[2] / "docs/simulator.md").read_text(encoding="utf-8")
COMMANDS = {"taxagent": "taxagent.cli.main", "taxctl": "taxclient.cli.main", "python3": ""}
END = "trap 'kill $(jobs -p); wait' EXIT\n"


def put_on_path(folder: Path) -> None:
    """Write the commands as scripts that run with this interpreter."""
    folder.mkdir()
    for name, module in COMMANDS.items():
        code = f"-c 'import sys; from {module} import main; sys.exit(main())'" if module else ""
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {code} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)


@pytest.mark.skipif(
    "tcdp" not in installed(), reason="the agent is not installed: its driver has no entry point"
)
def test_the_commands_of_the_page_bring_up_a_site_and_check_its_device() -> None:
    (block,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    with tempfile.TemporaryDirectory(prefix="tca-") as folder:  # short: an ipc endpoint fits into 107 bytes
        put_on_path(Path(folder) / "bin")
        ran = subprocess.run(
            ["bash", "-euc", END + block],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{folder}/bin:{os.environ['PATH']}",
                "LANG": "C.UTF-8",
                "XDG_STATE_HOME": f"{folder}/requests",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert re.search("^done: executed", ran.stdout, re.MULTILINE), ran.stdout
    assert '"state": "accepted"' in ran.stdout.splitlines()[-1]
