"""Two ways out for the metrics: HTTP on loopback (or a socket from systemd), and a file.

Each has threads of its own. What fails here is logged and hurts nothing else.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_FIRST_FD = 3  # SD_LISTEN_FDS_START
Asking = socket.socket | tuple[bytes, socket.socket]  # as socketserver has it
_AT_ONCE = 8  # scrapes; more are shut out
_CLIENT_S = 5.0


def given_socket(environment: Mapping[str, str], pid: int) -> socket.socket | None:
    """Return the socket that systemd listens on for this process, or None (sd_listen_fds(3))."""
    if environment.get("LISTEN_PID") != str(pid) or environment.get("LISTEN_FDS", "0") == "0":
        return None
    return socket.socket(fileno=_FIRST_FD)


class Endpoint:
    """Answers `GET /metrics` with what `render` returns."""

    def __init__(self, listen: str, render: Callable[[], bytes], given: socket.socket | None = None) -> None:
        """Listen on `given`, else on "ADDRESS:PORT". Raises OSError where that cannot be."""
        host, _, port = listen.rpartition(":")
        self._server = _Server((host.strip("[]"), int(port or 0)), _answering(render), given)

    @property
    def address(self) -> str:
        """Return "ADDRESS:PORT" as it is bound."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def start(self) -> None:
        """Answer from now on, in a thread."""
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], answering: type[BaseHTTPRequestHandler], given: socket.socket | None
    ) -> None:
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, answering, bind_and_activate=given is None)
        if given is not None:
            self.socket.close()
            self.socket, self.server_address = given, given.getsockname()

    def process_request(self, request: Asking, client_address: object) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Asking, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Asking, client_address: object) -> None:
        _log.debug("scrape_failed", exc_info=True)


def _answering(render: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = _CLIENT_S

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            text = render()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    return Answer


class TextFile:
    """Writes what `render` returns to `path`, whole or not at all, every `interval_s` seconds."""

    def __init__(self, path: Path, render: Callable[[], bytes], interval_s: float) -> None:
        self._path = path
        self._render = render
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._failed = False

    def start(self) -> None:
        """Write from now on, in a thread."""
        threading.Thread(target=self._run, name="metrics-file", daemon=True).start()

    def stop(self) -> None:
        """Write no more; the file stays, and its figures say how old they are."""
        self._stopping.set()

    def write(self) -> None:
        """Write it once. A failure is logged, once until it works again."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")  # the collector reads *.prom alone
        try:
            draft.write_bytes(self._render())
            draft.chmod(0o644)  # node_exporter is another user; no secret is in it
            draft.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                _log.warning("metrics_file_not_written", path=str(self._path), reason=str(error))
            self._failed = True

    def _run(self) -> None:
        while True:
            self.write()
            if self._stopping.wait(self._interval_s):
                return
