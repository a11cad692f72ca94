"""Main and sub machine of one taxpayer and the machine of another, side by side, as processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taxagent.simulator.site import Site, SiteError
from taxclient import Client
from tests.builders.site import (
    DEVICE,
    PERIOD,
    TAXPAYER,
    client,
    ended,
    identified,
    prepared,
    site,
    submitted,
    until,
    waits,
    writes,
)
from tests.e2e.test_kinds import changed

SUB, OTHER, OTHER_TAXPAYER = "661700000012", "661700000013", "91370102MA3D8WRT6H"


def scenarios(folder: Path) -> list[Path]:
    """Return the scenarios of main machine, sub machine, and another taxpayer's machine."""
    paths = []
    for name, changes in {
        "main": (),
        "sub": ((DEVICE, SUB), ("terminal_no = 0", "terminal_no = 1")),
        "other": ((DEVICE, OTHER), (TAXPAYER, OTHER_TAXPAYER)),
    }.items():
        (folder / name).mkdir()
        paths.append(changed(folder / name, "control_disk", *changes))
    return paths


@contextmanager
def three_machines(folder: Path) -> Iterator[Site]:
    """Yield a site whose bureau issued main and sub machine to the one taxpayer."""
    bureau = folder / "bureau.toml"
    issued = ((DEVICE, TAXPAYER, 0), (SUB, TAXPAYER, 1), (OTHER, OTHER_TAXPAYER, 0))
    bureau.write_text(
        "".join(
            f'[[devices]]\ndevice_no = "{no}"\ntaxpayer_id = "{owner}"\nterminal_no = {terminal}\n'
            for no, owner, terminal in issued
        ),
        encoding="utf-8",
    )
    with site(scenarios=scenarios(folder), bureau=bureau) as shop:
        yield shop


def submitted_for(one: Client, device: str) -> str:
    return submitted(one, prepared(one, device=device), device=device).job_id


def test_the_main_machine_waits_for_the_sub_machine_and_another_taxpayer_for_nobody(tmp_path: Path) -> None:
    with three_machines(tmp_path) as shop:
        shop.start_agent()
        with client(shop) as one:
            main = submitted_for(one, DEVICE)
            told = waits(one, main, "declaration").wait
            assert told is not None
            assert told.code == "MACHINE_NOT_REPORTED"
            assert f"#1 {SUB}" in told.message
            with pytest.raises(SiteError, match=SUB):
                shop.file_return(TAXPAYER, PERIOD)

            other = submitted_for(one, OTHER)
            shop.file_return(OTHER_TAXPAYER, PERIOD)
            assert ended(one, other).outcome == "executed"

            sub = submitted_for(one, SUB)
            until(lambda: _waits_for_the_return(one, sub), "the sub machine has reported")
            until(lambda: _waits_for_the_return(one, main), "the main machine waits for the return alone")
            shop.file_return(TAXPAYER, PERIOD)
            assert [ended(one, job).outcome for job in (main, sub)] == ["executed", "executed"]
            assert {identified(one, no).terminal_no for no in (DEVICE, SUB)} == {0, 1}
        for device in (DEVICE, SUB, OTHER):
            assert all(accepted for _, accepted in writes(shop, device))


def _waits_for_the_return(one: Client, job_id: str) -> bool:
    wait = one.job(job_id).wait
    return wait is not None and wait.code == "NOT_DECLARED"
