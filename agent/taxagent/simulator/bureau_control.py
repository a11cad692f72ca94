"""The remote control of the simulated bureau: one JSON object a line over loopback TCP, as the devices' is.

Each connection is first sent {"event":"hello","devices":[]} (a bureau has none) and then
{"event":"reached","fault":ID,"op":...,"point":...,"act":...} whenever a call meets a fault. An order is one
line {"do":NAME, "id":N, ...}, answered by {"reply":N,"ok":true,...} or {"reply":N,"ok":false,"error":TEXT};
N is 0 without `id`. Orders:
  fault {op, act, nth?, point?, status?, code?, text?, retry_after_s?, seconds?, answer?, image?, image_type?}
      -> {"fault":ID}
      the fields are those of bureau_faults.Fault
  release {fault?} -> {"released":N}    without `fault`, all that are held go on
  clear_faults -> {"released":N}        forgets what has not struck yet, too
  file {taxpayer_id, period, state?, text?} -> the return; state accepted, mismatch, missing or not_due
  set {maintenance?, notices?, minimum_agent_version?, refuses_login?, certificate?, pace_s?} -> "conditions"
      the fields are those of bureau_conditions.Conditions; what is left out stays as it is
  show -> clock_ms, reports, tickets, returns, held, conditions, machines,
      challenge (the open one's id, or "")
  log -> {"calls":[...]}                every call and what became of it, oldest first
Knows no rule of the bureau.
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
from taxagent.simulator.bureau_conditions import Certificate, MaintenanceTime, Seconds, Version
from taxagent.simulator.bureau_faults import Fault
from taxagent.simulator.control_lines import BadLine, read_order

LINE_LIMIT = 1 << 16


class Order(Value, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """A command. `id` comes back in the reply."""

    id: int = 0


class OrderFault(Fault, frozen=True, kw_only=True, tag_field="do", tag="fault", forbid_unknown_fields=True):
    """Order a fault."""

    id: int = 0


class Release(Order, frozen=True, kw_only=True, tag="release"):
    """Let a held call go on; all of them where `fault` is None."""

    fault: int | None = None


class ClearFaults(Order, frozen=True, kw_only=True, tag="clear_faults"):
    """Forget what has not struck yet, and release every hold."""


class FileReturn(Order, frozen=True, kw_only=True, tag="file"):
    """File a return as the taxpayer would at the e-tax bureau."""

    taxpayer_id: str
    period: str
    state: DeclarationState = DeclarationState.ACCEPTED
    text: str = ""


class SetConditions(Order, frozen=True, kw_only=True, tag="set"):
    """Change what holds for every call; a field that is left out stays as it is."""

    maintenance: MaintenanceTime | msgspec.UnsetType | None = msgspec.UNSET  # None ends it
    notices: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    minimum_agent_version: Version | msgspec.UnsetType = msgspec.UNSET
    refuses_login: bool | msgspec.UnsetType = msgspec.UNSET
    certificate: Certificate | msgspec.UnsetType = msgspec.UNSET  # for connections that begin from now on
    pace_s: Seconds | msgspec.UnsetType = msgspec.UNSET

    def changes(self) -> dict[str, object]:
        """Return the fields that were given."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "id"}
        return {name: value for name, value in fields.items() if value is not msgspec.UNSET}


class Show(Order, frozen=True, kw_only=True, tag="show"):
    """Show what the bureau holds."""


class Log(Order, frozen=True, kw_only=True, tag="log"):
    """Show the log of calls."""


AnyOrder = OrderFault | Release | ClearFaults | FileReturn | SetConditions | Show | Log


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

    def _tell_reached(self, fault_id: int, fault: Fault) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.tell(
                {
                    "event": "reached",
                    "fault": fault_id,
                    "op": fault.op,
                    "point": fault.point,
                    "act": fault.act,
                }
            )


class _Orders(socketserver.StreamRequestHandler):
    """One connection."""

    server: ControlServer

    def setup(self) -> None:
        super().setup()
        self._sending = threading.Lock()
        self.tell({"event": "hello", "devices": []})
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
            order: AnyOrder = read_order(line, AnyOrder)
        except BadLine as error:
            return {"reply": 0, "ok": False, "error": str(error)}
        try:
            return {"reply": order.id, "ok": True, **self._obey(order)}
        except ValueError as error:
            return {"reply": order.id, "ok": False, "error": str(error)}

    def _obey(self, order: AnyOrder) -> dict[str, Any]:
        bureau = self.server.bureau
        match order:
            case OrderFault():
                return {"fault": bureau.faults.order(order)}
            case Release():
                return {"released": bureau.faults.release(order.fault)}
            case ClearFaults():
                return {"released": bureau.faults.clear()}
            case FileReturn():
                month = period(order.period)
                return _plain(bureau.file_return(order.taxpayer_id, month, order.state, order.text))
            case SetConditions():
                return {"conditions": _plain(bureau.change(order.changes()))}
            case Show():
                return _shown(bureau)
            case Log():
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
        "conditions": _plain(bureau.conditions),
        "machines": {
            device_no: {"taxpayer_id": bureau.memory.owners.get(device_no, ""), **_plain(machine)}
            for device_no, machine in bureau.memory.machines.items()
        },
        "challenge": bureau.faults.challenges.open_id,
    }


class Control:
    """The other end: gives orders to a bureau's control port. One thread; use as a context."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", timeout_s: float = 10.0) -> None:
        """Connect. Raises OSError."""
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._lines = self._socket.makefile("rb")
        self._reached: list[int] = []

    def order(self, order: AnyOrder) -> dict[str, Any]:
        """Give an order and return the answer. ValueError with its words where the bureau did not obey."""
        self._socket.sendall(to_json(order) + b"\n")
        while True:
            answer = self._next()
            if "event" in answer:
                self._note(answer)
            elif answer["ok"]:
                return answer
            else:
                raise ValueError(answer["error"])

    def wait_reached(self, fault_id: int) -> None:
        """Return when a call has met the fault. Raises TimeoutError after the time-out."""
        while fault_id not in self._reached:
            self._note(self._next())

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, event: dict[str, Any]) -> None:
        if event["event"] == "reached":
            self._reached.append(event["fault"])

    def _next(self) -> dict[str, Any]:
        line = self._lines.readline(1 << 24)
        if not line:
            raise ConnectionError("the bureau hung up")
        message: dict[str, Any] = json.loads(line)
        return message
