"""Everyone is put out before connections take the last descriptor, and may come again when there is room."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from taxagent.ipc.crowd import Crowd
from taxagent.ipc.timers import Timers
from tests.builders.ipc import FakeClock
from tests.builders.site import START, client, ended, settle, site, until

_GUESTS = """
import socket, sys, time
held, ends = [], time.monotonic() + 10
while len(held) < 3000 and time.monotonic() < ends:
    guest = socket.socket(socket.AF_UNIX)
    guest.settimeout(0.05)
    try:
        guest.connect(sys.argv[1])
        held.append(guest)
    except OSError:
        guest.close()
print(len(held), flush=True)
sys.stdin.read()
"""


class Passing(FakeClock):
    """A clock whose seconds pass when it is told."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Doorman:
    """What a crowd asks for, and an address that cannot be had at first."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.refuses = 1

    def shut(self) -> None:
        self.said.append("shut")

    def open(self) -> None:
        if self.refuses:
            self.refuses -= 1
            raise OSError(98, "in use")
        self.said.append("open")


def test_the_door_is_shut_at_a_crowd_and_opened_when_half_of_it_has_left() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    clock, doorman = Passing(), Doorman()
    timers = Timers(clock)
    Crowd(timers, doorman.shut, doorman.open).start()
    held: list[int] = []
    try:
        look(clock, timers)
        assert doorman.said == []
        crowd = min(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        held = [os.open(os.devnull, os.O_RDONLY) for _ in range(crowd)]
        look(clock, timers)
        assert doorman.said == ["shut"]
        while len(held) > crowd * 3 // 4:
            os.close(held.pop())
        look(clock, timers)
        assert doorman.said == ["shut"], "not yet: it would be shut again at once"
        while held:
            os.close(held.pop())
        look(clock, timers)
        assert doorman.said == ["shut"], "the address could not be had"
        look(clock, timers)
        assert doorman.said == ["shut", "open"]
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def look(clock: Passing, timers: Timers) -> None:
    clock.seconds += 1.0
    for item in timers.due():
        item()


def test_who_connects_thousands_of_times_does_not_end_the_agent_and_its_work_goes_on() -> None:
    with site(START) as shop:
        agent = shop.start_agent()
        path = shop.endpoint.removeprefix("ipc://")
        shop.file_return("91370102MA3CXK7T44", "2026-10")
        with client(shop) as honest:
            job = settle(honest).job_id
        command = [sys.executable, "-c", _GUESTS]
        guests = [
            subprocess.Popen([*command, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for where in (path, path, path + ".events", path + ".events")
        ]
        try:
            for each in guests:
                assert each.stdout is not None
                each.stdout.readline()
            assert agent.child.poll() is None, agent.log_end()
            assert "door_shut" in agent.log_end()
        finally:
            for each in guests:
                each.communicate(timeout=30)
        until(lambda: "door_open_again" in agent.log_end(), "the door is opened again")
        with client(shop) as honest:
            assert str(ended(honest, job).outcome) == "executed"
