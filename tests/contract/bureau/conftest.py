"""A simulated bureau on loopback, a client with its certificate, and a bare connection."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxagent.bureau.client import GatewayClient
from taxagent.simulator.authority import Papers, papers_in
from taxagent.simulator.bureau_server import Running
from tests.builders.bureau import (
    BureauClock,
    Pauses,
    client_of,
    real_ms,
    running_bureau,
)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Certificates are made once: they are the slow part."""
    return papers_in(tmp_path_factory.mktemp("papers"), real_ms())


@pytest.fixture
def clock() -> BureauClock:
    return BureauClock(real_ms=real_ms())


@pytest.fixture
def running(tmp_path: Path, papers: Papers, clock: BureauClock) -> Iterator[Running]:
    for path in Path(papers.ca).parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with running_bureau(tmp_path, clock) as bureau:
        yield bureau


@pytest.fixture
def pauses(clock: BureauClock) -> Pauses:
    return Pauses(clock)


@pytest.fixture
def client(running: Running, clock: BureauClock, pauses: Pauses) -> Iterator[GatewayClient]:
    with client_of(running, clock, pauses) as gateway:
        yield gateway


@pytest.fixture
def raw(running: Running) -> Iterator[http.client.HTTPSConnection]:
    context = ssl.create_default_context(cafile=running.paths.ca)
    context.load_cert_chain(running.paths.client_certificate, running.paths.client_key)
    port = int(running.url.rpartition(":")[2])
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    yield connection
    connection.close()
