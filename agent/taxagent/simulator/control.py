"""The control connection of a device simulator: newline-delimited JSON over loopback TCP.

Knows the bus and the devices; knows no USB.

Every connection is first sent {"event":"hello","devices":["1-1",...],"server":"..."}: the busids plugged,
and a word that no other run of a simulator has. From then on it gets each event once, in order:
  {"event":"arrival"|"removal","busid":"1-1"}
  {"event":"reached","fault":ID,"device_no":...,"command":"seal","point":"before","act":"hold"}
A connection that only wants events just reads. An order is one line {"do":NAME, "id":N, ...}, answered by one
line {"reply":N,"ok":true,...} or {"reply":N,"ok":false,"error":TEXT}; N is 0 without `id`. Orders:
  plug|unplug|upload|log {device}   clock {device, set: "2026-11-03T09:30:00"}   password {device, set}
  fault {device, command, act, point?, nth?, code?} -> {"fault":ID}   release {fault}   clear_faults
  show   quit
`device` is a device number or a busid. A fault strikes once: at the `nth` visit (from the order on) of the
command to the point "before" (nothing is done yet), "after" (done and durable, the status of EXECUTE still to
come), "answer" (the host fetches the answer). `act` is hold, lose, mute, stall, phase_error, unplug or (only
before) refuse with a `code` of the profile's table. A held command goes on at `release`; a host that resets
the device or leaves drops it, undone if it was held before.
A subscriber that does not read for 2 seconds is cut off.
"""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from taxagent.device.refusals import REFUSALS
from taxagent.model.value import Value, to_json
from taxagent.simulator import control_messages as m
from taxagent.simulator import control_orders as orders
from taxagent.simulator.contradictions import COMMANDS
from taxagent.simulator.control_lines import BadLine, read_order
from taxagent.simulator.control_orders import BadOrder
from taxagent.simulator.faults import Act, Fault, FaultScript, Point
from taxagent.simulator.state import read_log
from taxagent.simulator.usb_bus import Port, UsbBus

T = TypeVar("T")
_LONGEST_LINE = 64 * 1024
_SEND_S = 2.0


class Control:
    """Carries out orders on a bus, and passes its events on."""

    def __init__(self, bus: UsbBus, faults: FaultScript, quit_: Callable[[], None]) -> None:
        self._bus = bus
        self._faults = faults
        self._quit = quit_
        self._server = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self._door: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        bus.listen_to(self._changed)

    def listen(self, host: str, port: int) -> int:
        """Take connections at `host` and `port` (0: any that is free) and return the port. Raises OSError."""
        self._door = socket.create_server((host, port))
        self._start(self._accept, self._door)
        actual: int = self._door.getsockname()[1]
        return actual

    def stop(self) -> None:
        """Close every connection."""
        self._bus.stop_listening(self._changed)
        if self._door is not None:
            with contextlib.suppress(OSError):
                self._door.shutdown(socket.SHUT_RDWR)
            self._door.close()
        with self._lock:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.cut_off()
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join()

    def reached(self, fault: Fault) -> None:
        """Tell the subscribers that a fault has struck."""
        self._publish(
            m.ReachedEvent(
                fault=fault.fault_id,
                device_no=fault.device_no,
                command=fault.command,
                point=fault.point,
                act=fault.act,
            )
        )

    def carry_out(self, order: m.AnyOrder) -> m.Reply:
        """Do what is ordered. Raises BadOrder."""
        match order:
            case m.Show():
                return m.Reply(reply=order.id, ok=True, devices=tuple(map(orders.shown, self._bus.ports())))
            case m.OrderFault():
                return m.Reply(reply=order.id, ok=True, fault=self._faults.arm(self._fault(order)))
            case m.Release():
                if not self._faults.release(order.fault):
                    raise BadOrder(f"fault {order.fault} holds nothing")
            case m.ClearFaults():
                self._faults.clear()
            case m.Log():
                device = self._port(order.device).device
                with device.lock:
                    return m.Reply(reply=order.id, ok=True, writes=read_log(device.kept.log_path))
            case m.Quit():
                self._quit()
            case _:
                orders.carry_out(self._bus, self._port(order.device), order)
        return m.Reply(reply=order.id, ok=True)

    def _fault(self, order: m.OrderFault) -> Fault:
        if order.command not in COMMANDS:
            raise BadOrder(f"command {order.command!r}: allowed are {', '.join(COMMANDS)}")
        codes = {row.code for row in REFUSALS}
        if order.act is Act.REFUSE and (order.point is not Point.BEFORE or order.code not in codes):
            raise BadOrder(f"refuse: only at point before, with a code of {', '.join(sorted(codes))}")
        if order.act is Act.EMPTY and order.point is Point.BEFORE:
            raise BadOrder("empty: at point after (of EXECUTE's status) or answer (of FETCH's)")
        return Fault(
            device_no=self._port(order.device).device.scenario.device_no,
            command=order.command,
            act=order.act,
            point=order.point,
            nth=order.nth,
            code=order.code,
        )

    def _port(self, name: str) -> Port:
        for port in self._bus.ports():
            if name in {port.busid, port.device.scenario.device_no}:
                return port
        there = ", ".join(f"{port.busid} ({port.device.scenario.device_no})" for port in self._bus.ports())
        raise BadOrder(f"no device {name!r}; there is {there}")

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                sock, _ = door.accept()
            except OSError:
                return  # stopped
            self._start(self._attend, Subscriber(sock))

    def _attend(self, subscriber: Subscriber) -> None:
        def greet(plugged: tuple[str, ...]) -> None:
            with self._lock:
                subscriber.send(m.HelloEvent(devices=plugged, server=self._server))
                self._subscribers.append(subscriber)

        self._bus.while_still(greet)
        for line in subscriber.lines():
            subscriber.send(self._answer(line))
        with self._lock:
            self._subscribers.remove(subscriber)
        subscriber.close()

    def _answer(self, line: bytes) -> m.Reply:
        try:
            order = read_order(line, m.AnyOrder)
        except BadLine as error:
            return m.Reply(reply=0, ok=False, error=str(error))
        try:
            return self.carry_out(order)
        except BadOrder as error:
            return m.Reply(reply=order.id, ok=False, error=str(error))

    def _start(self, target: Callable[[T], None], argument: T) -> None:
        thread = threading.Thread(target=target, args=(argument,), name="control", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _changed(self, event: str, busid: str) -> None:
        self._publish(m.PlugEvent(event=event, busid=busid))

    def _publish(self, event: Value) -> None:
        with self._lock:
            for subscriber in self._subscribers:
                subscriber.send(event)


class Subscriber:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(_SEND_S)
        self._sock = sock
        self._lock = threading.Lock()

    def send(self, value: Value) -> None:
        """Send one line; a peer that does not take it is cut off."""
        with self._lock:
            try:
                self._sock.sendall(to_json(value) + b"\n")
            except OSError:
                self.cut_off()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that come in until the peer leaves or sends an endless one."""
        data = b""
        with selectors.DefaultSelector() as ready:
            ready.register(self._sock, selectors.EVENT_READ)
            while len(data) <= _LONGEST_LINE:
                ready.select()
                try:
                    chunk = self._sock.recv(_LONGEST_LINE)
                except OSError:
                    return
                if not chunk:
                    return
                *lines, data = (data + chunk).split(b"\n")
                yield from (line for line in lines if line.strip())

    def cut_off(self) -> None:
        """End the connection; whoever waits in `lines` is woken."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()
