"""A call into a USB library that never returns, under the real agent: the job, the device, the agent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taxagent.simulator.site import Site
from taxclient import Client
from taxclient.protocol import messages as m
from tests.builders.hanging_driver import Hang, installed
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
    writes,
)

ROOT = Path(__file__).parents[2]
LIMITS = '[device]\nread_s = 0.5\nwrite_s = 0.5\ngrace_s = 0.5\nrestart_if_hung = "{}"\n'


@contextmanager
def hanging_site(monkeypatch: pytest.MonkeyPatch, restart: str = "never") -> Iterator[Site]:
    """A site whose agent drives the simulated device by a driver that hangs when told to."""
    with site(config=LIMITS.format(restart)) as shop:
        installed(shop.folder)
        paths = [str(shop.folder), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        text = shop.config.read_text()
        shop.config.write_text(
            text.replace('[usb]\nbackend = "', f'[usb]\ndriver = "hanging"\nbackend = "{shop.folder} ')
        )
        yield shop


def problem(one: Client) -> str:
    """Return the fault that a device is shown with; a start that still reads its journal knows none."""
    shown = [view.problem.code for view in one.devices().devices if view.device_no == DEVICE and view.problem]
    return shown[0] if shown else ""


def replugged(shop: Site, one: Client) -> None:
    with shop.device_orders() as orders:
        orders.order({"do": "unplug", "device": DEVICE})
        until(lambda: one.device(DEVICE).device.location == "", "it is gone")
        orders.order({"do": "plug", "device": DEVICE})


@pytest.mark.parametrize("comes_back", [False, True], ids=["replugged", "came back"])
def test_a_seal_whose_call_hangs_is_unknown_until_the_device_is_read_afresh(
    monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    with hanging_site(monkeypatch) as shop:
        shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            hang = Hang(shop.folder, "seal")
            job = submitted(one, token)
            until(lambda: one.job(job.job_id).state == "unknown", "the job is unknown")
            found = one.job(job.job_id)
            assert found.problem is not None
            assert (found.problem.code, found.outcome) == ("DEVICE_HUNG", "unknown")
            assert problem(one) == "DEVICE_HUNG"
            shop.file_return(TAXPAYER, PERIOD)
            hang.end(come_back=comes_back)
            if not comes_back:
                replugged(shop, one)
            done = ended(one, job.job_id)
            assert (done.state, done.outcome) == ("done", "executed")
            assert problem(one) == ""
            assert one.device(DEVICE).hung == int(comes_back)
        kinds = [kind for kind, accepted in writes(shop) if accepted]
        assert kinds.count("seal") == len(set(found.scope.types))


def test_the_agent_ends_to_be_restarted_once_and_then_leaves_the_device_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with hanging_site(monkeypatch, restart="always") as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            identified(one)
            hang = Hang(shop.folder, "hello")
            job = one.check(m.CheckArgs(device_no=DEVICE)).job
            until(lambda: problem(one) == "DEVICE_HUNG", "the hang is seen")
            until(lambda: one.job(job.job_id).state == "waiting", "the job waits")
        assert agent.child.wait(30) == 71
        agent = shop.start_agent()
        with client(shop) as one:
            until(lambda: problem(one) == "DEVICE_QUARANTINED", "it hung again")
            assert one.device(DEVICE).quarantined
            hang.end(come_back=False)
            assert one.retry(DEVICE).hung == 0
        assert agent.child.wait(30) == 71  # its own thread has the device in its hands
        shop.start_agent()
        with client(shop) as one:
            assert ended(one, job.job_id).state == "done"
            assert one.device(DEVICE).hung == 0


def test_an_agent_with_a_thread_that_hangs_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with hanging_site(monkeypatch) as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            identified(one)
            Hang(shop.folder, "hello")
            one.check(m.CheckArgs(device_no=DEVICE))
            until(lambda: problem(one) == "DEVICE_HUNG", "the hang is seen")
        assert agent.stop() == 0
