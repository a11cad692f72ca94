"""What docs/journal.md tells a third party is true: its program, its events, its schema."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from taxagent.journal import JOURNAL_NAME
from taxagent.model.events import AnyEvent
from tests.builders import journal as build

PAGE = (build.ROOT / "docs" / "journal.md").read_text(encoding="utf-8")


def auditor(folder: Path) -> subprocess.CompletedProcess[str]:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 1
    command = [sys.executable, "-I", "-c", blocks[0], str(folder / JOURNAL_NAME)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)


def test_the_auditors_program_finds_the_head_that_we_find(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(*build.varied())
        alive = auditor(tmp_path)
    with build.reading(tmp_path) as reader:
        verified = reader.verify()
    assert alive.stdout == auditor(tmp_path).stdout == f"{verified.last_seq}:{verified.head_hash}\n"


def test_the_auditors_program_finds_a_changed_row(tmp_path: Path) -> None:
    with build.journal(tmp_path) as writer:
        writer.append(*build.varied())
    path = tmp_path / JOURNAL_NAME
    path.write_bytes(path.read_bytes().replace(b'"version":"0.1.0"', b'"version":"0.1.1"'))
    found = auditor(tmp_path)
    assert found.returncode == 1
    assert "row 1 " in found.stderr


def test_every_event_is_described() -> None:
    tags = {str(kind.__struct_config__.tag) for kind in get_args(AnyEvent)}
    assert {tag for tag in tags if f"`{tag}`" not in PAGE} == set()
