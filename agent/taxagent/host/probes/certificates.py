"""The files of mutual TLS: there, readable by their owner alone, matching, and how long they are valid."""

from __future__ import annotations

import datetime as dt
import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

from taxagent.host.probes.users import User
from taxagent.host.probes.validity import validity
from taxagent.model.checks import made
from taxagent.model.lines import CheckLine

_CASES = {1: "CERTIFICATE_1_DAY", 7: "CERTIFICATE_7_DAYS", 30: "CERTIFICATE_30_DAYS"}


def files(ca: Path, certificate: Path, key: Path, now: dt.datetime, user: User) -> Iterator[CheckLine]:
    """Yield how each file is, and whether `user` may read it; `now` is aware, real time."""
    for path in (ca, certificate, key):
        try:
            path.open("rb").close()
        except OSError as error:
            yield made("certificate", "FILE_UNREADABLE", path=str(path), what=error.strerror or str(error))
            return
        if not user.may_read(path.stat()):
            yield made("certificate", "FILE_SHUT", path=str(path), user=user.name)
    yield from _validity(certificate, now)
    yield from _validity(ca, now, quiet=True)
    if os.name == "posix" and key.stat().st_mode & stat.S_IRWXO:
        yield made("certificate", "KEY_EXPOSED", path=str(key))
    yield from _pair(certificate, key)


def _validity(path: Path, now: dt.datetime, *, quiet: bool = False) -> Iterator[CheckLine]:
    """Yield until when the first certificate of the file is valid; `quiet`: only where that is soon."""
    try:
        begins, ends = validity(path.read_bytes())
    except ValueError as error:
        yield made("certificate", "CERTIFICATE_UNREADABLE", path=str(path), what=str(error))
        return
    left = ends - now
    facts = {"path": str(path), "until": ends.date().isoformat(), "days": str(max(0, left.days))}
    if now < begins:
        yield made("certificate", "CERTIFICATE_NOT_YET", **facts, since=begins.date().isoformat())
    elif left <= dt.timedelta(0):
        yield made("certificate", "CERTIFICATE_EXPIRED", **facts)
    else:
        near = next((case for days, case in _CASES.items() if left <= dt.timedelta(days=days)), None)
        if near is not None or not quiet:
            yield made("certificate", near or "CERTIFICATE_OK", **facts)


def _pair(certificate: Path, key: Path) -> Iterator[CheckLine]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        yield made("certificate", "KEY_WRONG", path=str(key), what=str(error))


def _no_password() -> str:
    msg = "the private key is encrypted: a service cannot type its password"
    raise ValueError(msg)
