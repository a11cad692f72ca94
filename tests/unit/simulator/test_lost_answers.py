"""A command whose answer is lost was done or not done exactly as its fault says, and FETCH tells which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.device import commands as c
from taxagent.device import refusals
from taxagent.device.bulk_only import BulkOnly
from taxagent.device.commands import Command
from taxagent.device.transport import CommandFailed, TransportError
from taxagent.device.wire import (
    BLOCK,
    NO_SESSION,
    Answer,
    Request,
    decode_answer,
    decode_sense,
    encode_request,
    execute_cdb,
    fetch_cdb,
)
from taxagent.model.value import Value
from taxagent.simulator.faults import Act, Fault, Point
from taxagent.simulator.running import Running
from tests.builders.scenario import DEVICE_NO, PASSWORD, host_of, running, scenario, seal_of
from tests.builders.usb import bulk_only

SHORT_MS = 150  # the host's patience
LONG_MS = 10_000


class Host:
    """Our bulk-only transport with the profile's frames on it, and a short patience."""

    def __init__(self, transport: BulkOnly) -> None:
        self.transport = transport
        self.session = NO_SESSION
        self.enter()

    def enter(self) -> None:
        self.session = NO_SESSION
        self.execute(Command.HELLO, 1, c.Nothing())
        self.session = bytes.fromhex(c.HELLO.result.decode(self.fetch(1).body).session)
        self.execute(Command.OPEN, 1, c.Password(password=PASSWORD))

    def execute(self, command: Command, sequence: int, params: Value, patience_ms: int = LONG_MS) -> None:
        body = c.SPECS[command].body(params)
        request = Request(command=command, session=self.session, sequence=sequence, body=body)
        frame = encode_request(request)
        cdb = execute_cdb(request, len(frame))
        self.transport.command(cdb, data_out=frame, timeout_ms=patience_ms)

    def seal(self) -> None:
        self.execute(Command.SEAL, 2, seal_of(), SHORT_MS)

    def fetch(self, sequence: int, patience_ms: int = LONG_MS) -> Answer:
        cdb = fetch_cdb(self.session, sequence, 0)
        return decode_answer(self.transport.command(cdb, data_in=BLOCK, timeout_ms=patience_ms))

    def why_no_answer(self, sequence: int) -> str:
        with pytest.raises(CommandFailed) as failed:
            self.fetch(sequence)
        return decode_sense(failed.value.sense).device_code


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, scenario(latency_ms={"clock": 400})) as simulator:
        yield simulator


@pytest.fixture
def host(simulator: Running) -> Host:
    return Host(bulk_only(host_of(simulator)))


def arm(simulator: Running, act: Act, point: Point) -> None:
    simulator.faults.arm(Fault(device_no=DEVICE_NO, command="seal", act=act, point=point))


def writes(simulator: Running) -> int:
    return simulator.devices[0].memory.write_no


@pytest.mark.parametrize("act", [Act.LOSE, Act.STALL, Act.PHASE_ERROR, Act.HOLD])
def test_what_was_stopped_before_it_was_done_is_proved_undone(
    simulator: Running, host: Host, act: Act
) -> None:
    arm(simulator, act, Point.BEFORE)
    with pytest.raises(TransportError):
        host.seal()
    assert (host.why_no_answer(2), writes(simulator)) == (refusals.NOT_EXECUTED.code, 0)
    host.seal()
    assert writes(simulator) == 1


@pytest.mark.parametrize("act", [Act.LOSE, Act.STALL, Act.PHASE_ERROR, Act.HOLD])
def test_what_was_done_is_found_though_its_status_was_lost(simulator: Running, host: Host, act: Act) -> None:
    arm(simulator, act, Point.AFTER)
    with pytest.raises(TransportError):
        host.seal()
    assert c.SEAL.result.decode(host.fetch(2).body).write_no == 1
    assert writes(simulator) == 1


@pytest.mark.parametrize("act", [Act.LOSE, Act.HOLD])
def test_an_answer_that_was_lost_once_can_be_fetched_again(simulator: Running, host: Host, act: Act) -> None:
    arm(simulator, act, Point.ANSWER)
    host.seal()
    with pytest.raises(TransportError):
        host.fetch(2, SHORT_MS)
    assert c.SEAL.result.decode(host.fetch(2).body).write_no == 1


def test_a_mute_device_stays_mute_until_it_is_plugged_in_again(simulator: Running, host: Host) -> None:
    arm(simulator, Act.MUTE, Point.AFTER)
    for _ in range(2):
        with pytest.raises(TransportError):
            host.seal()
    assert writes(simulator) == 1
    simulator.bus.unplug("1-1")
    simulator.bus.plug("1-1")
    again = Host(bulk_only(host_of(simulator)))
    again.execute(Command.LAST_WRITE, 2, c.WriteQuery(at_most=8))
    assert len(c.LAST_WRITE.result.decode(again.fetch(2).body).writes) == 1


def test_a_device_that_takes_its_time_can_be_given_up_and_asked_again(host: Host) -> None:
    with pytest.raises(TransportError):
        host.execute(Command.CLOCK, 2, c.Nothing(), SHORT_MS)
    assert c.CLOCK.result.decode(host.fetch(2).body).clock.year == 2026  # executed, its answer was on the way
