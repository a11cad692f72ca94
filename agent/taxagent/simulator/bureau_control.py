"""The remote control of the simulated bureau: one JSON object a line over loopback TCP.

    {"do": "fault", "op": "report.put", "what": "hold", "nth": 1, "point": "after"}
        -> {"ok": true, "fault": 1}; the fields are those of bureau_faults.Fault
    {"do": "release", "fault": 1}
        -> {"ok": true, "released": 1}; without "fault" all that are held
    {"do": "file", "taxpayer": "91...", "period": "2026-10"}
        -> {"ok": true, ...the return}; "state": "mismatch", "missing" or "not_due", and "text", where wanted
    {"do": "show"}
        -> {"ok": true, "clock_ms": 0, "reports": [], "tickets": [], "returns": [], "held": []}
    {"do": "log"}
        -> {"ok": true, "calls": []}: every call and what became of it, oldest first

A wrong order gives {"ok": false, "error": "..."}. When a call meets a fault, whoever is connected is told
{"event": "reached", "fault": 1}; such a line may come between an order and its answer. Knows no rule.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from typing import Any, Self

import msgspec

from taxagent.model.bureau import DeclarationState
from taxagent.model.period import period
from taxagent.model.value import Value, to_json
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_faults import Fault

LINE_LIMIT = 1 << 16


class Release(Value, frozen=True, kw_only=True, tag_field="do", tag="release"):
    """Let a held call go on; all of them where `fault` is None."""

    fault: int | None = None


class FileReturn(Value, frozen=True, kw_only=True, tag_field="do", tag="file"):
    """File a return as the taxpayer would at the e-tax bureau."""

    taxpayer: str
    period: str
    state: DeclarationState = DeclarationState.ACCEPTED
    text: str = ""


class Show(Value, frozen=True, kw_only=True, tag_field="do", tag="show"):
    """Show what the bureau holds."""


class ShowLog(Value, frozen=True, kw_only=True, tag_field="do", tag="log"):
    """Show the log of calls."""


Order = Fault | Release | FileReturn | Show | ShowLog


class ControlServer(socketserver.ThreadingTCPServer):
    """Listens for orders. `port` is where."""

    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, address: tuple[str, int], bureau: VirtualBureau) -> None:
        self.bureau = bureau
        self._listeners: set[_Orders] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Orders)
        self.port = int(self.server_address[1])
        bureau.faults.on_reached = self._tell_reached
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="bureau-control")
        self._thread.start()

    def stop(self) -> None:
        """Cut all connections and wait for the threads."""
        self.shutdown()
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.cut()
        self._thread.join()
        self.server_close()

    def listens(self, orders: _Orders) -> None:
        """Tell this connection of faults from now on."""
        with self._lock:
            self._listeners.add(orders)

    def listens_no_more(self, orders: _Orders) -> None:
        """The connection ended."""
        with self._lock:
            self._listeners.discard(orders)

    def _tell_reached(self, fault_id: int) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.tell({"event": "reached", "fault": fault_id})


class _Orders(socketserver.StreamRequestHandler):
    """One connection."""

    server: ControlServer

    def setup(self) -> None:
        super().setup()
        self._sending = threading.Lock()
        self.server.listens(self)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while line := self.rfile.readline(LINE_LIMIT):
                self.tell(self._obeyed(line))

    def finish(self) -> None:
        self.server.listens_no_more(self)
        with contextlib.suppress(OSError):
            super().finish()

    def tell(self, message: dict[str, Any]) -> None:
        """Send one line; a connection that is gone is no error."""
        with self._sending, contextlib.suppress(OSError, ValueError):
            self.wfile.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    def cut(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _obeyed(self, line: bytes) -> dict[str, Any]:
        try:
            order = msgspec.json.decode(line, type=Order)
            return {"ok": True, **self._obey(order)}
        except (msgspec.MsgspecError, ValueError) as error:
            return {"ok": False, "error": str(error)}

    def _obey(self, order: Order) -> dict[str, Any]:
        bureau = self.server.bureau
        match order:
            case Fault():
                return {"fault": bureau.faults.order(order)}
            case Release():
                return {"released": bureau.faults.release(order.fault)}
            case FileReturn():
                filed = bureau.file_return(order.taxpayer, period(order.period), order.state, order.text)
                return _plain(filed)
            case Show():
                return _shown(bureau)
            case ShowLog():
                return {"calls": [_plain(call) for call in bureau.calls()]}


def _plain(value: Value) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(to_json(value))
    return plain


def _shown(bureau: VirtualBureau) -> dict[str, Any]:
    memory = bureau.memory
    return {
        "clock_ms": bureau.now_ms(),
        "reports": [_plain(report.receipt) for report in memory.reports.values()],
        "tickets": [
            {**_plain(one.ticket), "confirmed_ms": one.confirmed_ms}
            for tickets in memory.tickets.values()
            for one in tickets
        ],
        "returns": [_plain(filed) for filed in memory.returns.values()],
        "held": list(bureau.faults.held()),
    }


class Control:
    """The other end: gives orders to a bureau's control port. One thread; use as a context."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout_s: float = 10.0) -> None:
        """Connect. Raises OSError."""
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._lines = self._socket.makefile("rb")
        self._reached: list[int] = []

    def order(self, order: Order) -> dict[str, Any]:
        """Give an order and return the answer. ValueError with its words where the bureau did not obey."""
        self._socket.sendall(to_json(order) + b"\n")
        while True:
            answer = self._next()
            if "event" in answer:
                self._reached.append(answer["fault"])
            elif answer["ok"]:
                return answer
            else:
                raise ValueError(answer["error"])

    def wait_reached(self, fault_id: int) -> None:
        """Return when a call has met the fault. Raises TimeoutError after the time-out."""
        while fault_id not in self._reached:
            self._reached.append(self._next()["fault"])

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> dict[str, Any]:
        line = self._lines.readline(1 << 24)
        if not line:
            raise ConnectionError("the bureau hung up")
        message: dict[str, Any] = json.loads(line)
        return message
