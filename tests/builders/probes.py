"""What the doctor's probes look at: users, papers, and a gateway that gives one canned answer."""

from __future__ import annotations

import datetime as dt
import os
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from taxagent.host.probes.users import User
from taxagent.model.lines import CheckLine
from taxagent.simulator.authority import Papers

ME = User(name="me", uid=os.geteuid(), groups=frozenset(os.getgroups()))
STRANGER = User(name="stranger", uid=54_321, groups=frozenset({54_321}))


def cases(findings: Iterable[CheckLine]) -> list[str]:
    """Return the names of the cases, in order."""
    return [finding.code for finding in findings]


def certificate(
    folder: Path, begins: dt.datetime, ends: dt.datetime, name: str = "agent"
) -> tuple[Path, Path]:
    """Write a certificate with these dates and its key (0600); return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    paths[1].chmod(0o600)
    return paths


@contextmanager
def answering(answer: bytes, papers: Papers | None) -> Iterator[int]:
    """Serve one connection on loopback: TLS by `papers` (None: none), then `answer`, then the end."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=_serve_one, args=(door, answer, papers))
        thread.start()
        yield door.getsockname()[1]
        thread.join(10)


def _serve_one(door: socket.socket, answer: bytes, papers: Papers | None) -> None:
    door.settimeout(10)
    with suppress(OSError):
        line, _ = door.accept()
        with line:
            if papers is None:
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(papers.server_certificate, papers.server_key)
            with context.wrap_socket(line, server_side=True) as secure:
                secure.recv(4096)
                secure.sendall(answer)
