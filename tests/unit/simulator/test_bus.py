"""The simulated bus exports, hands a device to one host at a time, unlinks and unplugs as a real one does."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.device.usbip_client import Attachment, TransferFailed, TransferTimeout
from taxagent.device.usbip_server import Gone, ImportRefused, exported
from taxagent.simulator.running import Running, serve
from tests.builders.scenario import StillClock, host_of, running, scenario

BULK_IN, BULK_OUT = 2, 1  # endpoint numbers
INQUIRY = struct.pack("<4sIIBBB16s", b"USBC", 7, 36, 0x80, 0, 6, bytes((0x12, 0, 0, 0, 36, 0)))


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, scenario(), scenario(device_no="661700000012")) as simulator:
        yield simulator


def test_every_plugged_device_is_listed_with_its_port_and_address(simulator: Running) -> None:
    seen = exported(host_of(simulator))
    assert [(d.busid, d.busnum, d.devnum, d.speed) for d in seen] == [("1-1", 1, 2, 3), ("1-2", 1, 3, 3)]
    assert {d.interfaces for d in seen} == {((0x08, 0x06, 0x50),)}


def test_an_unplugged_device_is_not_listed_and_comes_back_at_a_new_address(simulator: Running) -> None:
    assert simulator.bus.unplug("1-1")
    assert not simulator.bus.unplug("1-1")
    assert [d.busid for d in exported(host_of(simulator))] == ["1-2"]
    assert simulator.bus.plug("1-1")
    assert not simulator.bus.plug("1-1")
    assert [(d.busid, d.devnum) for d in exported(host_of(simulator))] == [("1-1", 4), ("1-2", 3)]


def test_a_device_belongs_to_one_host_at_a_time(simulator: Running) -> None:
    connect = host_of(simulator)
    first = Attachment(connect, "1-1")
    with pytest.raises(ImportRefused) as refused:
        Attachment(connect, "1-1")
    assert refused.value.status == 2  # busy
    Attachment(connect, "1-2").close()
    first.close()


def test_a_port_that_is_not_there_or_empty_cannot_be_imported(simulator: Running) -> None:
    simulator.bus.unplug("1-2")
    for busid in ("1-2", "1-9"):
        with pytest.raises(ImportRefused) as refused:
            Attachment(host_of(simulator), busid)
        assert refused.value.status == 1


def test_a_transfer_that_was_unlinked_is_not_answered_later(simulator: Running) -> None:
    host = Attachment(host_of(simulator), "1-1")
    with pytest.raises(TransferTimeout):
        host.read(BULK_IN, 36, 20)  # nothing was asked: the transfer is parked, then unlinked
    host.write(BULK_OUT, INQUIRY, 2000)
    assert host.read(BULK_IN, 36, 2000)[8:16] == b"TAXAGENT"
    assert host.read(BULK_IN, 13, 2000)[:8] == INQUIRY[:3] + b"S" + INQUIRY[4:8]
    host.close()


def test_a_pulled_device_ends_its_hosts_transfers_at_once(simulator: Running) -> None:
    host = Attachment(host_of(simulator), "1-1")
    simulator.bus.unplug("1-1")
    with pytest.raises((Gone, TransferFailed)):
        host.read(BULK_IN, 36, 5000)
    assert host.gone
    host.close()


def test_arrivals_and_removals_are_told_in_order(simulator: Running) -> None:
    heard: list[tuple[str, str]] = []

    def listener(event: str, busid: str) -> None:
        heard.append((event, busid))

    simulator.bus.listen_to(listener)
    simulator.bus.unplug("1-2")
    simulator.bus.plug("1-2")
    simulator.bus.stop_listening(listener)
    simulator.bus.unplug("1-2")
    assert heard == [("removal", "1-2"), ("arrival", "1-2")]


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(8), b"\x01\x11\x80\x03\0\0\0\0short"])
def test_a_connection_that_talks_nonsense_is_closed_and_harms_nobody(simulator: Running, said: bytes) -> None:
    with host_of(simulator)() as sock:
        sock.settimeout(10)
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # it went away without reading all of it
            assert sock.recv(1) == b""
    assert len(exported(host_of(simulator))) == 2


def test_an_address_that_is_taken_is_refused_and_leaves_nothing_running(tmp_path: Path) -> None:
    with running(tmp_path, servers=True) as simulator:
        before = threading.active_count()
        taken = ("127.0.0.1", simulator.usbip_port)
        with pytest.raises(OSError, match="in use"):
            serve([scenario(device_no="661700000013")], tmp_path, clock=StillClock(), usbip=taken)
        assert threading.active_count() == before
