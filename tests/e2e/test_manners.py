"""An agent, as a process, whose devices and bureau have their bad days: each is told, none is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taxagent.simulator.site import Site
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import RemoteError
from tests.builders.site import (
    DEVICE,
    PERIOD,
    TAXPAYER,
    client,
    ended,
    identified,
    prepared,
    settle,
    site,
    submitted,
    until,
    waits,
    writes,
)
from tests.e2e.test_kinds import changed

ONCE = [
    ("seal", True),
    ("seal", True),
    ("clock_ticket", True),
    ("apply_ticket", True),
    ("clock_ticket", True),
    ("apply_ticket", True),
]
ODD = (
    ("readable_strings = true", "readable_strings = false"),
    ("empty_reads = 0", "empty_reads = 2"),
    ("largest_read = 4096", "largest_read = 256"),
)


@contextmanager
def shop_with(folder: Path, *changes: tuple[str, str]) -> Iterator[tuple[Site, Client]]:
    """Yield a running site whose device has these changes in its scenario, and a client of its agent."""
    with site(scenario=changed(folder, "control_disk", *changes)) as shop:
        shop.start_agent()
        with client(shop) as one:
            yield shop, one


def view(one: Client) -> m.DeviceView:
    return next(device for device in one.status().devices if device.device_no == DEVICE)


def test_a_device_with_every_bad_manner_is_settled_also_where_it_moves_to_another_port(
    tmp_path: Path,
) -> None:
    with shop_with(tmp_path, *ODD) as (shop, one):
        job = settle(one)
        waits(one, job.job_id, "declaration")
        before = view(one).location
        with shop.device_orders() as orders:
            orders.order({"do": "power_cycle", "device": DEVICE, "port": "1-7"})
        until(lambda: view(one).location not in ("", before), "it is seen at its new place")
        shop.file_return(TAXPAYER, PERIOD)
        assert ended(one, job.job_id).outcome == "executed"
        assert ":1-7#" in view(one).location
        assert writes(shop, DEVICE) == ONCE


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("registered = true", "registered = false"), "DEVICE_UNREGISTERED", "never issued"),
        (("training = false", "training = true"), "DEVICE_UNREGISTERED", "training"),
        (
            ("registration_code = true", "registration_code = false"),
            "DEVICE_UNREGISTERED",
            "registration code",
        ),
        (('battery = "good"', 'battery = "broken"'), "CLOCK_WRONG", ""),
    ],
    ids=["never issued", "training", "no registration code", "clock unreadable"],
)
def test_a_device_that_cannot_be_worked_with_says_which_reason_it_is(
    tmp_path: Path, change: tuple[str, str], code: str, words: str
) -> None:
    with shop_with(tmp_path, change) as (shop, one):
        until(lambda: any(device.device_no == DEVICE for device in one.status().devices), "it is seen")
        until(lambda: view(one).problem is not None or bool(view(one).types), "it was read")
        problem = view(one).problem
        if problem is None:  # it can be read; the work itself is refused
            token = prepared(one)
            problem = ended(one, submitted(one, token).job_id).problem
        assert problem is not None
        assert problem.code == code
        assert words in problem.message
        assert writes(shop, DEVICE) == []


def test_a_clock_with_a_dead_battery_is_refused_and_a_set_one_goes_on(tmp_path: Path) -> None:
    with shop_with(tmp_path, ('battery = "good"', 'battery = "dead"')) as (shop, one):
        until(lambda: any(device.types for device in one.status().devices), "it was read")
        with pytest.raises(RemoteError) as caught:
            prepared(one)
        assert caught.value.body.code == "CLOCK_WRONG"
        with shop.device_orders() as orders:
            orders.order({"do": "clock", "device": DEVICE, "battery": "good", "set": "2026-11-03T11:30:00"})
        job = settle(one)
        shop.file_return(TAXPAYER, PERIOD)
        assert ended(one, job.job_id).outcome == "executed"


def test_a_maintenance_of_the_bureau_is_waited_for_and_its_end_goes_on(tmp_path: Path) -> None:
    with shop_with(tmp_path) as (shop, one), shop.bureau_orders() as bureau:
        token = prepared(one)
        pause = {"from": "2026-11-03T11:00:00", "until": "2026-11-03T18:00:00", "text": "升级"}
        bureau.order({"do": "set", "maintenance": pause})
        job = submitted(one, token)
        told = waits(one, job.job_id, "bureau").wait
        assert told is not None
        assert (told.code, "升级" in told.message) == ("BUREAU_MAINTENANCE", True)
        bureau.order({"do": "set", "maintenance": None})
        shop.file_return(TAXPAYER, PERIOD)
        assert ended(one, job.job_id).outcome == "executed"


def test_a_bureau_that_wants_a_newer_agent_is_told_with_both_versions(tmp_path: Path) -> None:
    with shop_with(tmp_path) as (shop, one), shop.bureau_orders() as bureau:
        token = prepared(one)
        bureau.order({"do": "set", "minimum_agent_version": "99.0"})
        problem = ended(one, submitted(one, token).job_id).problem
        assert problem is not None
        assert problem.code == "BUREAU_VERSION"
        assert "99.0" in problem.message
        assert writes(shop, DEVICE) == []


def test_a_log_in_that_the_bureau_refuses_ends_the_job_before_anything_is_written(tmp_path: Path) -> None:
    with shop_with(tmp_path) as (shop, one), shop.bureau_orders() as bureau:
        token = prepared(one)
        bureau.order({"do": "set", "refuses_login": True})
        problem = ended(one, submitted(one, token).job_id).problem
        assert problem is not None
        assert problem.code == "BUREAU_AUTH"
        assert writes(shop, DEVICE) == []


def test_a_hung_device_hinders_no_other_and_is_used_after_a_power_cycle(tmp_path: Path) -> None:
    other, other_taxpayer = "661700000013", "91370102MA3D8WRT6H"
    for name in ("hung", "well"):
        (tmp_path / name).mkdir()
    hung = changed(tmp_path / "hung", "control_disk", ('at_start = "working"', 'at_start = "hung"'))
    well = changed(tmp_path / "well", "control_disk", (DEVICE, other), (TAXPAYER, other_taxpayer))
    with site(scenarios=[hung, well]) as shop:
        shop.start_agent()
        with client(shop) as one:
            job = submitted(one, prepared(one, device=other), device=other)
            shop.file_return(other_taxpayer, PERIOD)
            assert ended(one, job.job_id).outcome == "executed"
            assert DEVICE not in {device.device_no for device in one.status().devices}
            with shop.device_orders() as orders:
                orders.order({"do": "power_cycle", "device": DEVICE})
            assert identified(one, DEVICE).terminal_no == 0
