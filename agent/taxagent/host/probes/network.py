"""The way to the bureau gateway, step by step: name, connection, TLS, HTTP, each with its time."""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from taxagent.model.checks import made
from taxagent.model.lines import CheckLine
from taxagent.model.value import Value
from taxagent.ports import Clock

STEP_S = 5.0
SKEW_MS = 60_000  # tickets and reports carry times; a minute is harmless
_READ_BYTES = 1 << 16
_AUTH = frozenset({401, 403})

Resolve = Callable[[str, int], list[Any]]


class Gateway(Value, frozen=True, kw_only=True):
    """Where the bureau is: its status page, and the files of mutual TLS."""

    url: str
    status_path: str
    ca: str
    certificate: str
    key: str


def _resolved(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def path(gateway: Gateway, clock: Clock, resolve: Resolve = _resolved) -> Iterator[CheckLine]:
    """Yield a finding a step, up to the first that fails."""
    parts = urlsplit(gateway.url)
    host, port = parts.hostname or "", parts.port or 443
    facts = {"host": host, "port": str(port)}
    begun = clock.monotonic()
    try:
        addresses = list(dict.fromkeys(row[4][0] for row in resolve(host, port)))
    except OSError as error:
        yield made("dns", "DNS_FAILED", **facts, what=_words(error))
        return
    yield made("dns", "DNS_OK", **facts, addresses=", ".join(addresses), ms=_ms(clock, begun))
    begun = clock.monotonic()
    try:
        line = socket.create_connection((host, port), timeout=STEP_S)
    except OSError as error:
        yield made("tcp", "TCP_FAILED", **facts, what=_words(error))
        return
    yield made("tcp", "TCP_OK", **facts, ms=_ms(clock, begun))
    with closing(line):
        yield from _tls(gateway, clock, line, host)


def _tls(gateway: Gateway, clock: Clock, line: socket.socket, host: str) -> Iterator[CheckLine]:
    begun = clock.monotonic()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=gateway.ca)
    except (OSError, ValueError) as error:
        yield made("tls", "TLS_NO_CA", path=gateway.ca, what=_words(error))
        return
    try:
        context.load_cert_chain(gateway.certificate, gateway.key, password=lambda: "")
    except (OSError, ValueError) as error:
        facts = {"certificate": gateway.certificate, "key": gateway.key}
        yield made("tls", "TLS_NO_PAPERS", **facts, what=_words(error))
        return
    try:
        secure = context.wrap_socket(line, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        yield made("tls", "TLS_GATEWAY_UNKNOWN", host=host, what=error.verify_message, ca=gateway.ca)
        return
    except (OSError, ValueError) as error:
        yield made("tls", "TLS_FAILED", host=host, what=_words(error))
        return
    with closing(secure):
        yield made("tls", "TLS_OK", host=host, version=secure.version() or "", ms=_ms(clock, begun))
        yield from _http(gateway, clock, secure, host)


def _http(gateway: Gateway, clock: Clock, secure: ssl.SSLSocket, host: str) -> Iterator[CheckLine]:
    begun = clock.monotonic()
    connection = http.client.HTTPConnection(host)
    connection.sock = secure
    where = urlsplit(gateway.url).path.rstrip("/") + gateway.status_path
    try:
        connection.request("GET", where, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        answer.read(_READ_BYTES)
    except ssl.SSLError as error:  # TLS 1.3: the gateway's no to our certificate comes with the first read
        yield made("tls", "TLS_REFUSED", host=host, what=_words(error), certificate=gateway.certificate)
        return
    except (OSError, http.client.HTTPException) as error:
        yield made("http", "HTTP_FAILED", host=host, what=_words(error))
        return
    facts = {"status": str(answer.status), "path": where, "ms": _ms(clock, begun)}
    if answer.status in _AUTH:
        yield made("http", "HTTP_AUTH", **facts)
    elif answer.status == http.client.SERVICE_UNAVAILABLE:
        yield made("http", "HTTP_NOT_NOW", **facts)
    elif answer.status == http.client.OK:
        yield made("http", "HTTP_OK", **facts)
    else:
        yield made("http", "HTTP_WRONG", **facts)
    yield from _skew(answer.getheader("Date") or "", clock)


def _skew(date: str, clock: Clock) -> Iterator[CheckLine]:
    """Yield how far the host's clock is from the gateway's, where that says its time."""
    try:
        there = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return
    apart_ms = clock.utc_ms() - round(there.timestamp() * 1000)
    facts = {"seconds": str(abs(apart_ms) // 1000), "side": "+" if apart_ms > 0 else "-"}
    yield made("clock", "CLOCK_SKEW" if abs(apart_ms) > SKEW_MS else "CLOCK_AGREES", **facts)


def _ms(clock: Clock, begun: float) -> str:
    return str(round((clock.monotonic() - begun) * 1000))


def _words(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
