"""What the agent writes is its own user's, whatever umask it was started under."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.builders.site import PERIOD, TAXPAYER, client, ended, settle, site

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


def modes_below(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_nobody_else_reads_or_writes_what_the_agent_keeps() -> None:
    before = os.umask(0)
    try:
        with site() as shop:
            shop.file_return(TAXPAYER, PERIOD)
            shop.start_agent()
            with client(shop) as one:
                assert ended(one, settle(one).job_id).state == "done"
            found = modes_below(shop.state_dir)
    finally:
        os.umask(before)
    assert any(name.endswith(".zip") for name in found), found
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}
