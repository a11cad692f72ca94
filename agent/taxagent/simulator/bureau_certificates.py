"""Which certificate the simulated bureau shows: the right one, another authority's, or one that is over."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

from taxagent.ports import Clock
from taxagent.simulator.authority import Papers, expired_in, papers_in
from taxagent.simulator.bureau_conditions import Certificate


class Contexts:
    """The TLS contexts of a gateway, each made when it is first wanted. Any thread."""

    def __init__(self, papers: Papers, clock: Clock) -> None:
        """`clock` for its real UTC: TLS knows no simulated time."""
        self._papers = papers
        self._clock = clock
        self._lock = threading.Lock()
        self._made = {Certificate.RIGHT: _context(papers, papers)}

    def of(self, certificate: Certificate) -> ssl.SSLContext:
        """Return the context that shows that certificate; clients need the right authority's in any case."""
        with self._lock:
            if certificate not in self._made:
                self._made[certificate] = _context(self._papers, self._shown(certificate))
            return self._made[certificate]

    def _shown(self, certificate: Certificate) -> Papers:
        expired = expired_in(self._papers)
        if certificate is Certificate.EXPIRED and expired is not None:
            return expired
        folder = Path(self._papers.ca).parent / "foreign"
        return papers_in(folder, self._clock.utc_ms())


def _context(trusted: Papers, shown: Papers) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=trusted.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(shown.server_certificate, shown.server_key)
    return context
