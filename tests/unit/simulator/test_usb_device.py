"""The simulated device as USB mass storage, seen by a host driver that is not ours (`usbip`'s own)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import usbip
from usbip.classes.host.msc import MSCDriver
from usbip.core import iter_descriptors

from taxagent.device import recognition, refusals
from taxagent.device.commands import Command
from taxagent.device.wire import (
    BLOCK,
    NO_SESSION,
    Request,
    decode_answer,
    decode_sense,
    encode_request,
    execute_cdb,
    fetch_cdb,
)
from taxagent.simulator.running import Running
from tests.builders.scenario import running

REQUEST_SENSE = bytes((0x03, 0, 0, 0, 18, 0))
TEST_UNIT_READY = bytes(6)
UNKNOWN = bytes((0xE7,)) + bytes(15)
WRITE_10 = bytes((0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0))


class Carrier(usbip.Transport):  # type: ignore[misc]  # usbip is untyped
    """Carries `usbip`'s host side to the simulator over TCP."""

    def __init__(self, port: int) -> None:
        self._port = port

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, servers=True) as simulator:
        yield simulator


@pytest.fixture
def driver(simulator: Running) -> Iterator[MSCDriver]:
    with MSCDriver.open(*recognition.SIMULATOR_ID, transport=Carrier(simulator.usbip_port)) as driver:
        yield driver


def sense_of(driver: MSCDriver) -> tuple[int, int, int]:
    data, status = driver.command_in(REQUEST_SENSE, 18)
    assert status == 0
    sense = decode_sense(data)
    return sense.key, sense.asc, sense.ascq


def hello(driver: MSCDriver, sequence: int = 1) -> tuple[Request, int]:
    request = Request(command=Command.HELLO, session=NO_SESSION, sequence=sequence, body=b"")
    frame = encode_request(request)
    return request, driver.command_out(execute_cdb(request, len(frame)), frame)


def test_inquiry_says_what_it_is(driver: MSCDriver) -> None:
    answer = driver.inquiry()
    assert (answer[0], answer[8:16], answer[16:32]) == (0x00, b"TAXAGENT", b"SIMULATED DISK  ")


def test_there_is_one_logical_unit(driver: MSCDriver) -> None:
    assert driver.max_lun() == 0


def test_it_is_ready_and_has_a_little_disk_that_cannot_be_written(driver: MSCDriver) -> None:
    assert driver.command_in(TEST_UNIT_READY, 0) == (b"", 0)
    assert driver.read_capacity() == (64, 512)
    assert driver.read_blocks(0, 64, 512) == bytes(64 * 512)
    assert driver.command_out(WRITE_10, bytes(512)) == 1
    assert sense_of(driver) == (7, 0x27, 0)


@pytest.mark.parametrize("length", [0, 64])
def test_an_unknown_vendor_command_is_an_illegal_request(driver: MSCDriver, length: int) -> None:
    assert driver.command_in(UNKNOWN, length) == (b"", 1)
    assert sense_of(driver) == (5, 0x20, 0)
    assert sense_of(driver) == (0, 0, 0)  # told once
    assert len(driver.inquiry()) == 36


def test_the_profiles_descriptor_stands_before_the_endpoints_and_disturbs_nobody(driver: MSCDriver) -> None:
    raw = driver.handle.control(0x80, 6, 0x0200, 0, 255)
    kinds = [part[1] for part in iter_descriptors(raw)]
    assert kinds == [2, 4, recognition.DESCRIPTOR_TYPE, 5, 5]
    interface, extra, *endpoints = list(iter_descriptors(raw))[1:]
    found = recognition.decode_descriptor(extra)
    assert found is not None
    assert found.simulated
    assert tuple(interface[5:8]) == (0x08, 0x06, 0x50)
    assert {int.from_bytes(e[4:6], "little") for e in endpoints} == {512}  # high speed
    assert (driver.ep_in, driver.ep_out) == (endpoints[0][2], endpoints[1][2])


def test_hello_works_through_a_foreign_driver(driver: MSCDriver) -> None:
    request, status = hello(driver)
    assert status == 0
    data, status = driver.command_in(fetch_cdb(NO_SESSION, request.sequence, 0), BLOCK)
    assert status == 0
    assert decode_answer(data).command == Command.HELLO


def test_a_refused_fetch_stalls_its_data_and_tells_why(driver: MSCDriver) -> None:
    assert driver.command_in(fetch_cdb(b"12345678", 9, 0), BLOCK) == (b"", 1)
    sense = decode_sense(driver.command_in(REQUEST_SENSE, 18)[0])
    assert sense.device_code == refusals.SESSION_UNKNOWN.code


def test_sense_of_a_refusal_stays_until_the_next_command(driver: MSCDriver) -> None:
    driver.command_in(fetch_cdb(b"12345678", 9, 0), BLOCK)
    assert sense_of(driver) == sense_of(driver) == (0xB, 0x80, 0x04)


def test_sense_is_forgotten_with_the_next_command(driver: MSCDriver) -> None:
    driver.command_in(fetch_cdb(b"12345678", 9, 0), BLOCK)
    driver.inquiry()
    assert sense_of(driver) == (0, 0, 0)


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        (
            execute_cdb(Request(command=1, session=NO_SESSION, sequence=1, body=b""), 28),
            bytes(30),
        ),  # lengths differ
        (execute_cdb(Request(command=1, session=NO_SESSION, sequence=1, body=b""), 3), bytes(3)),
        (fetch_cdb(NO_SESSION, 1, 0), bytes(8)),  # data the wrong way
    ],
)
def test_a_bad_command_block_takes_its_data_and_is_refused(
    driver: MSCDriver, cdb: bytes, data: bytes
) -> None:
    assert driver.command_out(cdb, data) == 1
    assert decode_sense(driver.command_in(REQUEST_SENSE, 18)[0]).device_code == refusals.BAD_CDB.code


def test_a_broken_frame_is_refused(driver: MSCDriver) -> None:
    request = Request(command=1, session=NO_SESSION, sequence=1, body=b"")
    frame = encode_request(request)
    assert driver.command_out(execute_cdb(request, len(frame)), frame[:-1] + b"\0") == 1
    assert decode_sense(driver.command_in(REQUEST_SENSE, 18)[0]).device_code == refusals.BAD_FRAME.code


def test_nonsense_instead_of_a_wrapper_stalls_both_pipes_until_the_reset(driver: MSCDriver) -> None:
    with pytest.raises(usbip.Stall):
        driver.handle.bulk_out(driver.ep_out, b"nonsense")
    with pytest.raises(usbip.Stall):
        driver.handle.bulk_in(driver.ep_in, 13)
    driver.handle.clear_halt(driver.ep_in)
    with pytest.raises(usbip.Stall):
        driver.inquiry()
    driver.handle.control(0x21, 0xFF, 0, 0, b"")
    driver.handle.clear_halt(driver.ep_in)
    driver.handle.clear_halt(driver.ep_out)
    assert len(driver.inquiry()) == 36


def test_a_session_outlives_the_connection_but_not_the_power(simulator: Running) -> None:
    carrier = Carrier(simulator.usbip_port)
    with MSCDriver.open(*recognition.SIMULATOR_ID, transport=carrier) as driver:
        request, _ = hello(driver)
        answer = driver.command_in(fetch_cdb(NO_SESSION, request.sequence, 0), BLOCK)
    with MSCDriver.open(*recognition.SIMULATOR_ID, transport=carrier) as driver:
        assert driver.command_in(fetch_cdb(NO_SESSION, request.sequence, 0), BLOCK) == answer
    simulator.bus.unplug("1-1")
    simulator.bus.plug("1-1")
    with MSCDriver.open(*recognition.SIMULATOR_ID, transport=carrier) as driver:
        assert driver.command_in(fetch_cdb(NO_SESSION, request.sequence, 0), BLOCK) == (b"", 1)
