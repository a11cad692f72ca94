"""The ground a row stands on: a folder, and in it a site whose agent is the real process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxagent.simulator.site import Process, Site
from taxclient import CheckArgs, Client
from tests.builders.site import DEVICE, client, identified, site, until

_MEMORY = Path("/dev/shm")
START = "2026-11-03T11:30:00+08:00"


class Ground:
    """A running site. `one` is a client of its agent."""

    def __init__(self, shop: Site, agent: Process, one: Client) -> None:
        self.shop = shop
        self.one = one
        self.pid = agent.child.pid
        self.endpoint = shop.endpoint
        self.folder = shop.folder

    def occupy(self) -> None:
        """Keep the device busy with a job that stands still: jobs accepted from now on wait in its queue."""
        with self.shop.device_orders() as orders:
            orders.order({"do": "fault", "device": DEVICE, "command": "hello", "act": "hold"})
            self.one.check(CheckArgs(device_no=DEVICE))
            orders.event("reached")


@contextmanager
def ground(
    *, scenario: Path | None = None, preload: str = "", in_memory: bool = False, config: str = ""
) -> Iterator[Ground]:
    """Yield a site whose agent has read its device. `preload` is an LD_PRELOAD for the agent alone.

    `in_memory`: where there is a file system in memory, so that the disk is no part of what is measured.
    The agent is killed at the end: a row leaves jobs behind that nobody will do.
    """
    with _folders(in_memory), site(START, config, scenario=scenario) as shop:
        with _preloaded(preload):
            agent = shop.start_agent()
        with client(shop) as one:
            identified(one)
            until(lambda: not one.status().verifying, "the journal is verified")
            yield Ground(shop, agent, one)
        agent.kill()


@contextmanager
def _folders(in_memory: bool) -> Iterator[None]:
    """Have new temporary folders in memory, where there is such a place."""
    before = tempfile.tempdir
    if in_memory and os.access(_MEMORY, os.W_OK):
        tempfile.tempdir = str(_MEMORY)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _preloaded(library: str) -> Iterator[None]:
    if not library:
        yield
        return
    os.environ["LD_PRELOAD"] = library
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"]
