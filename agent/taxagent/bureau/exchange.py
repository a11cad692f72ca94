"""One request and its answer over mutual TLS, and what a failure proves. Knows no retry, reads no body.

The one thing that matters here: after a failure, can the bureau have carried the request out? Raises
BureauDown where it certainly has not, AnswerLost where it may have, BureauRefused("BUREAU_AUTH") where the
two ends do not accept each other's certificates.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from taxagent import __version__
from taxagent.bureau.messages import BODY_LIMIT, KEY_HEADER, Op
from taxagent.model.errors import AgentError, AnswerLost, BureauDown, BureauRefused
from taxagent.model.value import Value
from taxagent.ports import Clock

if TYPE_CHECKING:
    import httpx

CONNECT_S = 5.0  # a gateway that does not complete TCP and TLS in 5 s is down for a shop's line, too
READ_S = 30.0  # a bridge asks the real bureau before it answers; a watchdog looks after 60 s
WRITE_S = 10.0  # a body is at most some KiB
POOL_S = 30.0  # the job's turn for one of the connections
ANSWER_S = 60.0  # all of an answer, however slowly it drips
CONNECTIONS = 8  # bureau calls at once in a process
KEEP_IDLE_S = 20.0  # well below the 60 to 75 s after which common HTTP servers close an idle connection


class GatewaySettings(Value, frozen=True, kw_only=True):
    """Where the gateway is and who we are; paths of PEM files."""

    url: str  # https://host[:port][/prefix]
    ca: str
    certificate: str
    key: str


class Call(Value, frozen=True, kw_only=True):
    """A request to send; `key` is empty for reads."""

    op: Op
    path: str
    body: bytes = b""
    key: str = ""


class RawAnswer(Value, frozen=True, kw_only=True):
    """What came back: the status, the whole body, and the Retry-After header as it stood."""

    status: int
    body: bytes
    retry_after: str = ""


class _Pool:
    """A client and how many calls use it now. Closed by whoever leaves it last, once it was dropped."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.users = 0


class Exchange:
    """A connection pool to one gateway; threads may share it.

    The certificates are read at the first call, and again after a certificate was refused: a renewed one is
    taken without a restart. The calls that are under way then end on the pool that they began on.
    """

    def __init__(
        self, settings: GatewaySettings, clock: Clock, transport: httpx.BaseTransport | None = None
    ) -> None:
        parts = urlsplit(settings.url)
        if parts.scheme != "https" or not parts.hostname:
            msg = f"{settings.url!r} is no gateway address: write it as https://HOST[:PORT][/PREFIX]"
            raise ValueError(msg)
        self.host = parts.netloc
        self._settings = settings
        self._clock = clock
        self._transport = transport
        self._lock = threading.Lock()
        self._pool: _Pool | None = None

    def send(self, call: Call) -> RawAnswer:
        """Send `call` once and return the answer, whatever its status."""
        import httpx  # noqa: PLC0415 - 10 MB and 100 ms that `taxagent window` and an idle agent do not pay

        pool = self._entered()
        begun = self._clock.monotonic()
        try:
            with pool.client.stream(
                call.op.method,
                call.path.lstrip("/"),
                content=call.body or None,
                headers=_headers(call),
            ) as response:
                body = self._body(response, begun)
                header = response.headers.get("Retry-After", "")
                return RawAnswer(status=response.status_code, body=body, retry_after=header)
        except httpx.HTTPError as error:
            failure = self._judged(error)
            if failure.fault == "BUREAU_AUTH":
                self._drop(pool)
            raise failure from error
        finally:
            self._left(pool)

    def close(self) -> None:
        """Drop the connections, those in use once their call has ended; the next call opens new ones."""
        with self._lock:
            pool = self._pool
        if pool is not None:
            self._drop(pool)

    def _entered(self) -> _Pool:
        with self._lock:
            if self._pool is None:
                self._pool = _Pool(self._client())
            self._pool.users += 1
            return self._pool

    def _left(self, pool: _Pool) -> None:
        with self._lock:
            pool.users -= 1
            idle = self._pool is not pool and not pool.users
        if idle:
            pool.client.close()

    def _drop(self, pool: _Pool) -> None:
        """Let no further call begin on `pool`: it may be an older one than that which others use now."""
        with self._lock:
            if self._pool is not pool:
                return
            self._pool = None
            idle = not pool.users
        if idle:
            pool.client.close()

    def _client(self) -> httpx.Client:
        import httpx  # noqa: PLC0415

        return httpx.Client(
            base_url=self._settings.url,
            transport=self._transport,
            verify=True if self._transport else self._context(),
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S, write=WRITE_S, pool=POOL_S),
            limits=httpx.Limits(
                max_connections=CONNECTIONS,
                max_keepalive_connections=CONNECTIONS,
                keepalive_expiry=KEEP_IDLE_S,
            ),
            follow_redirects=False,  # our certificate is for this gateway and no other
            trust_env=False,  # nor is a key file or proxy taken from whoever started the agent
        )

    def _context(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=settings.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
        except (OSError, ValueError) as error:
            files = f"{settings.ca}, {settings.certificate}, {settings.key}"
            raise BureauRefused("BUREAU_AUTH", what=f"{error} ({files})") from error
        return context

    def _body(self, response: httpx.Response, begun: float) -> bytes:
        chunks = bytearray()
        for chunk in response.iter_bytes():
            chunks += chunk
            if len(chunks) > BODY_LIMIT:
                raise AnswerLost("BUREAU_GARBLED", what=f"an answer of more than {BODY_LIMIT} bytes")
            if self._clock.monotonic() - begun > ANSWER_S:
                raise AnswerLost("ANSWER_LOST", what=f"the answer took more than {ANSWER_S:.0f} s")
        return bytes(chunks)

    def _judged(self, error: httpx.HTTPError) -> AgentError:
        import httpx  # noqa: PLC0415

        what = f"{self.host}: {_words(error)}"
        tls = _tls_error(error)
        if tls is not None and _is_about_certificates(tls):
            return BureauRefused("BUREAU_AUTH", what=what)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
            return BureauDown("BUREAU_DOWN", what=what)  # no byte of the request left
        return AnswerLost("ANSWER_LOST", what=what)


def _headers(call: Call) -> Mapping[str, str]:
    headers = {"Accept": "application/json", "User-Agent": f"taxagent/{__version__}"}
    if call.body:
        headers["Content-Type"] = "application/json"
    if call.key:
        headers[KEY_HEADER] = call.key
    return headers


def _no_password() -> str:
    msg = "the private key is encrypted: a service cannot type its password"
    raise ValueError(msg)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _is_about_certificates(error: ssl.SSLError) -> bool:
    """Return whether an end refused the other's certificate, as opposed to a connection that broke.

    With TLS 1.3 the client learns of it only at its first read, after it wrote the request; the gateway has
    not read that, for its handshake never ended.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    reason = error.reason or ""
    return "ALERT" in reason and any(word in reason for word in _CERTIFICATE_ALERTS)


_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE", "PROTOCOL_VERSION")
