"""A USB bus of simulated devices behind a USB/IP server: plug, unplug, export, import, transfers.

The transfers are `usbip`'s wire format; imports, unlinks and unplugging are ours, because its server lets two
hosts import one device, answers an unlinked transfer, and leaves the reader of an unplugged device waiting.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

from usbip import protocol
from usbip.device import USBDevice

from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.faults import FaultScript
from taxagent.simulator.quirks import Quirks
from taxagent.simulator.scenario import AtStart
from taxagent.simulator.usb_device import TaxInterface
from taxagent.simulator.usb_hardware import usb_device
from taxagent.simulator.usb_transfers import Transfers

_OP = struct.Struct(">HHI")  # version, code, status
_ST_OK, _ST_NO_SUCH, _ST_BUSY = 0, 1, 2

Listener = Callable[[str, str], None]
"""Told ("arrival" | "removal", busid)."""


class Port:
    """One port of the bus and the device that belongs to it."""

    def __init__(self, busid: str, device: VirtualDevice, faults: FaultScript, bus: UsbBus) -> None:
        self.busid = busid
        self.device = device
        self.plugged = False
        self.host: socket.socket | None = None  # the connection that imported it
        self.quirks = Quirks(device.scenario.usb)
        self.interface = TaxInterface(device, faults, lambda: bus.unplug(self.busid), self.quirks)
        self.usb: USBDevice = usb_device(self.interface, device.scenario.device_no, self.quirks)
        self.usb.set_busid(busid)
        self.usb.busnum = 1


class UsbBus:
    """Ports "1-1", "1-2", ... in the order in which devices are added."""

    def __init__(self, faults: FaultScript) -> None:
        self._faults = faults
        self._lock = threading.RLock()
        self._ports: dict[str, Port] = {}
        self._listeners: list[Listener] = []
        self._last_address = 1
        self._connections: set[socket.socket] = set()
        self._doors: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    # --- the bus ---

    def add(self, device: VirtualDevice, *, plugged: bool = True) -> Port:
        """Give the device a port, and plug it in."""
        with self._lock:
            port = Port(f"1-{len(self._ports) + 1}", device, self._faults, self)
            self._ports[port.busid] = port
            if plugged and device.scenario.usb.at_start is not AtStart.UNPLUGGED:
                self._arrive(port)
        return port

    def ports(self) -> tuple[Port, ...]:
        """Return all ports, plugged or not."""
        with self._lock:
            return tuple(self._ports.values())

    def listen_to(self, listener: Listener) -> None:
        """Have `listener` called at each arrival and removal from now on, before any other change."""
        with self._lock:
            self._listeners.append(listener)

    def while_still(self, look: Callable[[tuple[str, ...]], None]) -> None:
        """Call `look` with the busids that are plugged; nothing is plugged or unplugged meanwhile."""
        with self._lock:
            look(tuple(port.busid for port in self._ports.values() if port.plugged))

    def stop_listening(self, listener: Listener) -> None:
        """Undo `listen_to`."""
        with self._lock, contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    def plug(self, busid: str, into: str = "") -> bool:
        """Plug the device in, at a new address, in its port or the port `into`; False where it is plugged.

        Raises KeyError where there is no such device, ValueError where the port belongs to another one.
        """
        with self._lock:
            port = self._ports[busid]
            if port.plugged:
                return False
            if into and into != busid:
                self._move(port, into)
            port.interface.power_cycle()
            self._arrive(port)
            return True

    def power_cycle(self, busid: str, into: str = "") -> None:
        """Take the power from the device and give it back: it is gone and comes with a new address."""
        if into and into != busid and into in self._ports:
            raise ValueError(f"port {into} belongs to another device")
        self.unplug(busid)
        self.plug(busid, into)

    def _move(self, port: Port, into: str) -> None:
        if into in self._ports:
            raise ValueError(f"port {into} belongs to another device")
        del self._ports[port.busid]
        port.busid = into
        port.usb.set_busid(into)
        self._ports[into] = port

    def _arrive(self, port: Port) -> None:
        self._last_address += 1
        port.usb.devnum = self._last_address
        port.plugged = True
        self._tell("arrival", port.busid)

    def unplug(self, busid: str) -> bool:
        """Unplug the device: its session ends, its host's connection too. False where it is not plugged."""
        with self._lock:
            port = self._ports[busid]
            if not port.plugged:
                return False
            port.plugged = False
            host, port.host = port.host, None
            if host is not None:
                _shut(host)
            self._tell("removal", busid)
        port.interface.power_cycle()
        return True

    def stop(self) -> None:
        """Close every connection and end every thread."""
        with self._lock:
            doors, connections = list(self._doors), list(self._connections)
            threads = list(self._threads)
        for sock in (*doors, *connections):
            _shut(sock)
        for door in doors:
            door.close()
        for thread in threads:
            thread.join()
        for port in self.ports():
            port.interface.stop()

    # --- the server ---

    def listen(self, host: str, port: int) -> int:
        """Serve USB/IP at `host` and `port` (0: any that is free) and return the port. Raises OSError."""
        door = socket.create_server((host, port))
        with self._lock:
            self._doors.append(door)
        self._start(lambda: self._accept(door))
        actual: int = door.getsockname()[1]
        return actual

    def serve(self, sock: socket.socket) -> None:
        """Serve one USB/IP connection until either side ends it; the carrier for hosts in this process."""
        with self._lock:
            self._connections.add(sock)
        try:
            self._serve(sock)
        except OSError:
            pass  # the host left in mid-message
        finally:
            with self._lock:
                self._connections.discard(sock)
            sock.close()

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                sock, _ = door.accept()
            except OSError:
                return  # stopped
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(lambda sock=sock: self.serve(sock))  # type: ignore[misc]  # bound per connection

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name="usbip-server", daemon=True)
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        head = _received(sock, _OP.size)
        if head is None:
            return
        _, code, _ = _OP.unpack(head)
        if code == protocol.OP_REQ_DEVLIST:
            sock.sendall(self._device_list())
        elif code == protocol.OP_REQ_IMPORT:
            busid = _received(sock, 32)
            if busid is not None:
                self._serve_import(sock, busid.split(b"\0")[0].decode("ascii", "replace"))

    def _device_list(self) -> bytes:
        with self._lock:
            plugged = [port.usb for port in self._ports.values() if port.plugged]
            out = _OP.pack(protocol.VERSION, protocol.OP_REP_DEVLIST, 0) + struct.pack(">I", len(plugged))
            for usb in plugged:
                out += protocol.pack_usb_device(usb)
                out += b"".join(struct.pack(">BBBx", *triple) for triple in usb.interface_triples())
            return out

    def _serve_import(self, sock: socket.socket, busid: str) -> None:
        with self._lock:
            port = self._ports.get(busid)
            if port is None or not port.plugged:
                sock.sendall(_OP.pack(protocol.VERSION, protocol.OP_REP_IMPORT, _ST_NO_SUCH))
                return
            if port.host is not None:
                sock.sendall(_OP.pack(protocol.VERSION, protocol.OP_REP_IMPORT, _ST_BUSY))
                return
            port.host = sock
            reply = _OP.pack(protocol.VERSION, protocol.OP_REP_IMPORT, _ST_OK)
            sock.sendall(reply + protocol.pack_usb_device(port.usb))
            port.usb.reset_io()
        try:
            Transfers(sock, port.usb, port.quirks).serve()
        finally:
            with self._lock:
                if port.host is sock:
                    port.host = None
                    port.usb.reset_io()

    def _tell(self, event: str, busid: str) -> None:
        for listener in list(self._listeners):
            listener(event, busid)


def _received(sock: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            return None
        data += chunk
    return data


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
