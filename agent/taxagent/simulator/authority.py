"""A test authority for the simulated gateway: a CA, a server and a client certificate, made on the spot.

The CA's key is thrown away: whoever finds the directory can use the client's identity and make no other.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from taxagent.model.value import Value

_LIFE = dt.timedelta(days=400)
_EARLY = dt.timedelta(days=1)  # valid from yesterday: a client whose clock is a little behind is no riddle
_RENEW = dt.timedelta(days=30)


class Papers(Value, frozen=True, kw_only=True):
    """The PEM files of a gateway and of its one client, as paths."""

    ca: str
    server_certificate: str
    server_key: str
    client_certificate: str
    client_key: str


def papers_in(directory: Path, now_ms: int, *, host: str = "127.0.0.1") -> Papers:
    """Return the files in `directory`; they are made where one is missing or ends within 30 days.

    `now_ms` is real UTC, for certificates are checked against real time. Keys have mode 0600.
    """
    papers = Papers(
        ca=str(directory / "ca.pem"),
        server_certificate=str(directory / "server.pem"),
        server_key=str(directory / "server.key"),
        client_certificate=str(directory / "client.pem"),
        client_key=str(directory / "client.key"),
    )
    now = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    if not _usable(papers, now):
        directory.mkdir(parents=True, exist_ok=True)
        _make(papers, now, host)
    return papers


def expired_in(papers: Papers) -> Papers | None:
    """Return the papers with a server certificate that is over; None beside papers that were made without."""
    expired = msgspec.structs.replace(
        papers,
        server_certificate=_beside(papers, "server-expired.pem"),
        server_key=_beside(papers, "server-expired.key"),
    )
    return expired if Path(expired.server_key).is_file() else None


def _usable(papers: Papers, now: dt.datetime) -> bool:
    paths = (papers.ca, papers.server_certificate, papers.server_key, papers.client_certificate)
    if not all(Path(path).is_file() for path in (*paths, papers.client_key)):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(Path(papers.server_certificate).read_bytes())
    except ValueError:
        return False
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - _RENEW


def _make(papers: Papers, now: dt.datetime, host: str) -> None:
    ca_key = _key()
    ca_name = _name("taxagent simulated bureau: authority")
    ca = _builder(ca_name, ca_name, ca_key.public_key(), ca_key.public_key(), now)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_usage(signs_certificates=True), critical=True)
    _write(papers.ca, ca.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    over = _beside(papers, "server-expired.pem"), _beside(papers, "server-expired.key")
    serves, asks = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    ends = (
        (papers.server_certificate, papers.server_key, "gateway", serves, now),
        (papers.client_certificate, papers.client_key, "agent", asks, now),
        (*over, "gateway", serves, now - _LIFE - _EARLY),
    )
    for certificate_path, key_path, name, use, since in ends:
        key = _key()
        subject = _name(f"taxagent simulated bureau: {name}")
        end = _builder(subject, ca_name, key.public_key(), ca_key.public_key(), since)
        end = end.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        end = end.add_extension(_usage(signs_certificates=False), critical=True)
        end = end.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        end = end.add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(key_path, private)
        _write(certificate_path, end.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))


def _beside(papers: Papers, name: str) -> str:
    return str(Path(papers.ca).parent / name)


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    return names


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer_public: ec.EllipticCurvePublicKey,
    now: dt.datetime,
) -> x509.CertificateBuilder:
    """Return a certificate with both key identifiers: Python 3.13 refuses chains without (X509_STRICT)."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: str, content: bytes) -> None:
    """Write a file that only its owner reads, whatever the umask."""
    Path(path).unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
