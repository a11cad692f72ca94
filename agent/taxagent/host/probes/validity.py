"""From when until when a certificate is valid (RFC 5280, 4.1): the two times alone, out of its DER.

A library for all of X.509 would cost the running agent 10 MB at its first check.
"""

from __future__ import annotations

import datetime as dt
import re
import ssl

_SEQUENCE, _INTEGER, _VERSION = 0x30, 0x02, 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def validity(pem: bytes) -> tuple[dt.datetime, dt.datetime]:
    """Return (not before, not after), aware, of the first certificate; ValueError where there is none."""
    block = _PEM.search(pem)
    if block is None:
        msg = "no PEM certificate stands in it"
        raise ValueError(msg)
    der = ssl.PEM_cert_to_DER_cert(block[0].decode("ascii"))
    certificate, _ = _inside(der, _SEQUENCE)
    rest, _ = _inside(certificate, _SEQUENCE)
    if rest[:1] == bytes([_VERSION]):
        rest = _inside(rest, _VERSION)[1]
    for tag in (_INTEGER, _SEQUENCE, _SEQUENCE):  # serial number, signature, issuer
        rest = _inside(rest, tag)[1]
    times, _ = _inside(rest, _SEQUENCE)
    begins, times = _time(times)
    return begins, _time(times)[0]


def _time(data: bytes) -> tuple[dt.datetime, bytes]:
    tag = _UTC_TIME if data[:1] == bytes([_UTC_TIME]) else _GENERALIZED_TIME
    text, rest = _inside(data, tag)
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    moment = dt.datetime.strptime(text.decode("ascii"), form).replace(tzinfo=dt.UTC)
    if tag == _UTC_TIME and moment.year >= 2050:  # RFC 5280: 50 to 99 are of the century before
        moment = moment.replace(year=moment.year - 100)
    return moment, rest


def _inside(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return (content of the first element, what stands behind it); ValueError where that is not `tag`."""
    if len(data) < 2 or data[0] != tag:
        msg = "it is no certificate"
        raise ValueError(msg)
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    if end > len(data):
        msg = "it is cut off"
        raise ValueError(msg)
    return data[start:end], data[end:]
