"""The simulated bureau's door: HTTPS with mutual TLS, HTTP/1.1, a thread a connection. Knows no rule.

`serve_bureau` starts a whole bureau inside the process; `taxagent simulate bureau` does it as a program.
"""

from __future__ import annotations

import contextlib
import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from taxagent.bureau.messages import BODY_LIMIT, KEY_HEADER, Code
from taxagent.ports import Clock
from taxagent.simulator.authority import Papers, papers_in
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_certificates import Contexts
from taxagent.simulator.bureau_control import ControlServer
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_requests import BureauSaysNo, ConnectionDropped, Reply, request_of
from taxagent.simulator.bureau_state import BureauStore
from taxclient.protocol.built import build_types

HANDSHAKE_S = 5.0
IDLE_S = 60.0  # a connection on which nothing is asked is closed after that
_LINGER_S = 1.0
_STOP_POLL_S = 0.05


class GatewayServer(http.server.ThreadingHTTPServer):
    """Listens on loopback or wherever it is told; every client needs a certificate of the authority."""

    daemon_threads = False  # so that server_close waits for the threads
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], bureau: VirtualBureau, papers: Papers, clock: Clock) -> None:
        self.bureau = bureau
        self._contexts = Contexts(papers, clock)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Conversation)
        self._thread = threading.Thread(target=self.serve_forever, args=(_STOP_POLL_S,), name="bureau-https")
        self._thread.start()

    def stop(self) -> None:
        """Cut all connections and wait for the threads."""
        self.bureau.faults.end()
        self.shutdown()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _cut(connection)
        self._thread.join()
        self.server_close()

    def finish_request(self, request: Any, client_address: object) -> None:  # noqa: ANN401 - socketserver's
        """Shake hands in the connection's own thread: a slow client keeps no other one waiting."""
        request.settimeout(HANDSHAKE_S)
        context = self._contexts.of(self.bureau.conditions.certificate)
        tls = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        with self._known(tls):
            try:
                tls.do_handshake()
            except OSError:  # ssl.SSLError is one
                _linger(tls)
                return
            _Conversation(tls, client_address, self)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is the client's affair; anything else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def _known(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


class _Conversation(http.server.BaseHTTPRequestHandler):
    """One connection: requests one after the other."""

    server: GatewayServer
    protocol_version = "HTTP/1.1"
    server_version = "taxagent-simulated-bureau"
    sys_version = ""
    timeout = IDLE_S
    wbufsize = -1  # head and body leave in one write: two would cost 40 ms (Nagle meets delayed ACK)
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server itself refuses in our form, and close."""
        self.close_connection = True
        self._send(BureauSaysNo(int(code), Code.BAD_REQUEST, message or explain or "").reply())

    def log_message(self, format: str, *args: object) -> None:
        """Be silent: the log of calls is the bureau's."""

    def _answer(self) -> None:
        try:
            body = self._body()
            key, agent = self.headers.get(KEY_HEADER, ""), self.headers.get("User-Agent", "")
            request = request_of(self.command, self.path, key, body, agent)
            reply = self.server.bureau.reply(request)
        except BureauSaysNo as no:
            reply = no.reply()
        except ConnectionDropped:
            self.close_connection = True
            _cut(self.connection)
            return
        self._send(reply)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise BureauSaysNo(411, Code.BAD_REQUEST, "a body needs a Content-Length")
        if int(length) > BODY_LIMIT:
            self.close_connection = True
            raise BureauSaysNo(413, Code.TOO_LARGE, f"more than {BODY_LIMIT} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionDropped
        return body

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)


class Running:
    """A bureau that serves: its address, its files, itself. Use as a context or call `stop`."""

    def __init__(
        self, bureau: VirtualBureau, server: GatewayServer, control: ControlServer, papers: Papers
    ) -> None:
        host, port = server.server_address[:2]
        self.url = f"https://{host!s}:{port}"
        self.control_port = control.port
        self.paths = papers
        self.bureau = bureau
        self._server = server
        self._control = control

    def stop(self) -> None:
        """Stop serving; the state stays in the directory."""
        self._server.stop()
        self._control.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve_bureau(
    directory: Path,
    clock: Clock,
    *,
    scenario: BureauScenario | None = None,
    listen: tuple[str, int] = ("127.0.0.1", 0),
    control: tuple[str, int] = ("127.0.0.1", 0),
) -> Running:
    """Start a bureau whose state, log and certificates live in `directory`; port 0 = any free one.

    Raises OSError where it cannot listen, AgentError SCENARIO_INVALID where its state is not readable.
    """
    build_types()  # before its threads use them
    bureau = VirtualBureau(BureauStore(directory), scenario or BureauScenario(), clock)
    papers = papers_in(directory, clock.utc_ms(), host=listen[0])
    server = GatewayServer(listen, bureau, papers, clock)
    try:
        return Running(bureau, server, ControlServer(control, bureau), papers)
    except BaseException:
        server.stop()
        raise


def _linger(connection: socket.socket) -> None:
    """Let the alert arrive: closing with unread data would send a reset that overtakes it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_LINGER_S)
        while connection.recv(4096):
            pass


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
