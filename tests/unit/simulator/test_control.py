"""Over the control connection a test plugs, holds and breaks a device while our own driver works with it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from taxagent.device import driver
from taxagent.model.device import WriteKind
from taxagent.model.errors import AgentError, AnswerLost, DeviceAbsent, DeviceRefused, PasswordRefused
from taxagent.ports import Device
from taxagent.simulator import control_messages as m
from taxagent.simulator.control_client import ControlClient
from taxagent.simulator.faults import Act, Point
from taxagent.simulator.running import Running
from tests.builders.scenario import DEVICE_NO, OCTOBER, PASSWORD, running, seal_of

SEAL = seal_of()


class Bench:
    """A simulator, a control connection to it, and our driver."""

    def __init__(self, simulator: Running, stack: ExitStack) -> None:
        self.simulator = simulator
        self.control = stack.enter_context(ControlClient("127.0.0.1", simulator.control_port))
        self.source = driver(f"usbip://127.0.0.1:{simulator.usbip_port}?control={simulator.control_port}")

    def fault(self, command: str, act: Act, point: Point = Point.BEFORE, **more: object) -> int:
        order = m.OrderFault(device=DEVICE_NO, command=command, act=act, point=point, **more)  # type: ignore[arg-type]
        reply = self.control.order(order)
        assert reply.ok, reply.error
        assert reply.fault is not None
        return reply.fault

    def log(self) -> list[tuple[WriteKind, bool]]:
        writes = self.control.order(m.Log(device=DEVICE_NO)).writes
        return [(line.write.kind, line.write.accepted) for line in writes or ()]

    def work(self, what: Callable[[Device], None], password: str = PASSWORD) -> None:
        (seen,) = self.source.seen()
        with self.source.hold(seen.location) as device:
            device.hello()
            device.open(password)
            what(device)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        simulator = stack.enter_context(running(tmp_path, servers=True))
        yield Bench(simulator, stack)


# --- the connection ---


def test_the_first_line_says_what_is_plugged(bench: Bench) -> None:
    assert bench.control.plugged == ("1-1",)
    bench.control.order(m.Unplug(device="1-1"))
    with ControlClient("127.0.0.1", bench.simulator.control_port) as later:
        assert later.plugged == ()


def test_every_connection_hears_of_arrivals_and_removals(bench: Bench) -> None:
    with ControlClient("127.0.0.1", bench.simulator.control_port) as other:
        assert bench.control.order(m.Unplug(device=DEVICE_NO)).ok
        assert bench.control.order(m.Plug(device="1-1")).ok
        for connection in (bench.control, other):
            assert connection.event("removal") == {"event": "removal", "busid": "1-1"}
            assert connection.event("arrival") == {"event": "arrival", "busid": "1-1"}


def test_show_tells_where_each_device_stands(bench: Bench) -> None:
    (shown,) = bench.control.order(m.Show()).devices or ()
    assert (shown.busid, shown.device_no, shown.plugged, shown.held_by_host) == (
        "1-1",
        DEVICE_NO,
        True,
        False,
    )
    assert [day.isoformat() for day in shown.groups["007"]] == ["2026-09-30", "2026-11-16"]
    assert (shown.state, shown.battery, shown.terminal_no, shown.pending_uploads) == ("working", "good", 0, 0)
    bench.control.order(m.PowerCycle(device=DEVICE_NO, port="1-9"))
    bench.control.order(m.Hang(device=DEVICE_NO))
    (later,) = bench.control.order(m.Show()).devices or ()
    assert (later.busid, later.state) == ("1-9", "hung")
    assert later.address > shown.address


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({"do": "dance"}, "clear_faults"),
        ({"do": "plug"}, "device"),
        ({"do": "plug", "device": "9-9"}, "9-9"),
        ({"do": "plug", "device": "1-1", "hard": True}, "hard"),
        ({"do": "release", "fault": 99}, "99"),
        ({"do": "fault", "device": "1-1", "command": "sneeze", "act": "hold"}, "seal"),
        ({"do": "fault", "device": "1-1", "command": "seal", "act": "refuse", "code": "ffff"}, "09d118"),
        ({"do": "clock", "device": "1-1", "set": "noon"}, "set"),
        ("not an object", ""),
    ],
)
def test_a_bad_order_is_answered_with_what_is_wrong(bench: Bench, order: object, word: str) -> None:
    reply = bench.control.send(json.dumps(order).encode())
    assert not reply.ok
    assert word in (reply.error or "")
    assert bench.control.order(m.Show()).ok


def test_an_endless_line_is_cut_off(bench: Bench) -> None:
    with socket.create_connection(("127.0.0.1", bench.simulator.control_port), timeout=10) as sock:
        lines = sock.makefile("rb")
        assert b"hello" in lines.readline()
        try:
            sock.sendall(b"x" * 1_000_000)
            assert lines.readline() == b""
        except ConnectionError:
            pass  # cut off in mid-sending
    assert bench.control.order(m.Show()).ok


def test_the_clock_the_password_and_the_uploads_can_be_changed(bench: Bench) -> None:
    assert bench.control.send(b'{"do":"clock","device":"1-1","set":"2026-12-24T18:00:00"}').ok
    assert bench.control.order(m.SetPassword(device="1-1", set="11111111")).ok
    assert bench.control.order(m.Upload(device="1-1")).ok
    clocks: list[str] = []
    bench.work(lambda device: clocks.append(device.clock().isoformat()), "11111111")
    assert clocks == ["2026-12-24T18:00:00"]
    with pytest.raises(PasswordRefused):
        bench.work(lambda device: None)


def test_quit_ends_the_simulator(bench: Bench) -> None:
    assert bench.control.order(m.Quit()).ok
    bench.simulator.wait()


# --- faults, seen by our driver ---


def test_a_refusal_on_order_looks_like_a_rule_and_is_remembered(bench: Bench) -> None:
    bench.fault("seal", Act.REFUSE, code="09f10a")
    with pytest.raises(DeviceRefused, match="OVERDUE"):
        bench.work(lambda device: device.seal(SEAL))
    assert bench.log() == [(WriteKind.SEAL, False)]
    bench.work(lambda device: device.seal(SEAL))
    assert bench.log() == [(WriteKind.SEAL, False), (WriteKind.SEAL, True)]


@pytest.mark.parametrize("act", [Act.PHASE_ERROR])
@pytest.mark.parametrize("point", [Point.BEFORE, Point.AFTER])
def test_a_status_that_goes_wrong_does_not_hide_whether_it_was_done(
    bench: Bench, act: Act, point: Point
) -> None:
    bench.fault("seal", act, point)
    bench.work(lambda device: device.seal(SEAL))  # proved not executed and sent again, or its answer fetched
    assert bench.log() == [(WriteKind.SEAL, True)]


def test_a_device_pulled_before_it_executes_has_done_nothing(bench: Bench) -> None:
    bench.fault("seal", Act.UNPLUG)
    with pytest.raises((AnswerLost, DeviceAbsent)):
        bench.work(lambda device: device.seal(SEAL))
    assert bench.log() == []
    assert bench.source.seen() == ()


@pytest.mark.parametrize("point", [Point.AFTER, Point.ANSWER])
def test_a_device_pulled_after_it_executed_leaves_the_answer_lost(bench: Bench, point: Point) -> None:
    bench.fault("seal", Act.UNPLUG, point)
    with pytest.raises(AnswerLost):
        bench.work(lambda device: device.seal(SEAL))
    assert bench.log() == [(WriteKind.SEAL, True)]
    bench.control.order(m.Plug(device=DEVICE_NO))
    found: list[str] = []
    bench.work(lambda device: found.append(device.last_writes()[0].payload_sha256))
    bench.work(lambda device: found.append(device.seal_sha256(SEAL)))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("point", "done_while_held"), [(Point.BEFORE, 0), (Point.AFTER, 1), (Point.ANSWER, 1)]
)
def test_a_hold_stands_still_exactly_there_until_it_is_released(
    bench: Bench, point: Point, done_while_held: int
) -> None:
    number = bench.fault("seal", Act.HOLD, point)
    failed: list[AgentError] = []

    def seal() -> None:
        try:
            bench.work(lambda device: device.seal(SEAL))
        except AgentError as error:
            failed.append(error)

    working = threading.Thread(target=seal)
    working.start()
    reached = bench.control.event("reached")
    assert (reached["fault"], reached["command"], reached["point"]) == (number, "seal", point)
    assert len(bench.log()) == done_while_held
    assert bench.control.order(m.Release(fault=number)).ok
    working.join(20)
    assert failed == []
    assert bench.log() == [(WriteKind.SEAL, True)]


@pytest.mark.parametrize(("point", "done"), [(Point.BEFORE, 0), (Point.AFTER, 1)])
def test_a_host_that_dies_during_a_hold_leaves_the_command_undone_or_done(
    bench: Bench, point: Point, done: int
) -> None:
    bench.fault("seal", Act.HOLD, point)
    (seen,) = bench.source.seen()

    def die() -> None:
        with bench.source.hold(seen.location) as device:
            device.hello()
            device.open(PASSWORD)
            with pytest.raises(AgentError):
                device.seal(SEAL)

    working = threading.Thread(target=die)
    working.start()
    bench.control.event("reached")
    port = bench.simulator.bus.ports()[0]
    assert port.host is not None
    port.host.shutdown(socket.SHUT_RDWR)  # what the kernel does with the socket of a killed process
    working.join(20)
    assert not working.is_alive()
    bench.work(lambda device: None)  # the device is free again
    assert len(bench.log()) == done


def test_faults_that_have_not_struck_can_be_forgotten(bench: Bench) -> None:
    bench.fault("seal", Act.UNPLUG)
    assert bench.control.order(m.ClearFaults()).ok
    bench.work(lambda device: device.seal(SEAL))
    summaries: list[bytes] = []
    bench.work(lambda device: summaries.append(device.read_summary("007", OCTOBER)))
    assert summaries[0].startswith(b"TCS1")
