"""What holds for every test: no way out to the network, property tests that print how to repeat them."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
# What a shell runs in the background ignores SIGINT, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

INTERNET = {socket.AF_INET, socket.AF_INET6}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")


def _only_loopback(event: str, args: tuple[object, ...]) -> None:
    if event not in ("socket.connect", "socket.bind", "socket.sendto"):
        return
    sock, address = args
    if not isinstance(sock, socket.socket) or sock.family not in INTERNET or not isinstance(address, tuple):
        return
    host = str(address[0])
    if not _is_loopback(host):
        message = f"a test used {event} with {host}: only the loopback interface is allowed"
        raise PermissionError(message)


sys.addaudithook(_only_loopback)


@pytest.fixture(autouse=True)
def _the_process_keeps_its_umask() -> Iterator[None]:
    """A command that runs in the test process may narrow the umask; the next test has the usual one."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _a_child_loads_what_it_needs_alone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a test asks what a command loads ("..._loads_no..."), its child has no coverage in it."""
    if "_loads_no" in request.node.name:
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
