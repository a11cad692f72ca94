"""What the types of the configuration alone do not say: what is wrong, what is allowed.

Knows values, no file and no words; config.py asks it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from taxagent.model.job import JobKind
from taxagent.model.period import Period, period_of
from taxagent.model.simtime import simulated_time
from taxagent.model.taxpayer import taxpayer_id

if TYPE_CHECKING:
    from taxagent.config import DeviceRow, File, MetricsSection, TcpSection, WindowsSection

_SOCKET_BYTES = 100  # a unix socket's path has 107, and the channel of events beside it ends in ".events"
_CONSENTS = frozenset(kind for kind in JobKind if kind.irreversible)
_ROLES = "viewer, operator, technician, admin"
ALLOWED = {
    "agent.language": "zh, en",
    "agent.log_level": "debug, info, warning, error",
    "device.hold": "while_working, always",
    "device.restart_if_hung": "under_systemd, always, never",
    "devices.cycle": "month, quarter",
    "access.users": f"name or uid = one of {_ROLES}",
    "access.groups": f"name = one of {_ROLES}",
    "devices.device_no": "12 digits, each device once",
    "devices.taxpayer_id": "15, 17, 18 or 20 digits and capital letters, with the right check character",
    "consent.kinds": "a list of report, clear, settle",
    "consent.principals": "a list of names",
    "windows.overrides": '"yyyy-mm" = yyyy-mm-dd',
}
"""What may stand at a key, where the type does not tell it in words."""


def wrong(file: File) -> Iterator[tuple[str, str, str]]:
    """Yield (key, what stands there, what is allowed) for each value that has the right type and is wrong."""
    if not _is_endpoint(file.ipc.endpoint):
        expected = f"ipc:// and an absolute path of at most {_SOCKET_BYTES} bytes"
        yield "ipc.endpoint", file.ipc.endpoint, expected
    yield from _wrong_door(file.door.tcp)
    yield from _wrong_metrics(file.metrics)
    if not _is_gateway(file.bureau.url):
        yield "bureau.url", file.bureau.url, "https://HOST[:PORT][/PATH], without user, query and fragment"
    ours = file.usb.driver == "tcdp"  # another driver reads its text itself
    if ours and file.usb.backend != "libusb" and not _is_usbip(file.usb.backend):
        yield "usb.backend", file.usb.backend, "libusb, usbip://HOST:PORT, usbip://HOST:PORT?control=PORT"
    yield from _wrong_overrides("windows.overrides", file.windows.overrides)
    yield from _wrong_regions(file.windows)
    yield from _wrong_devices(file.devices)
    for kind in file.consent.kinds:
        if kind not in _CONSENTS:
            yield "consent.kinds", kind.value, ALLOWED["consent.kinds"]
    for table in ("users", "groups"):
        if "" in getattr(file.access, table):
            yield f"access.{table}", "an empty name", ALLOWED[f"access.{table}"]
    if file.simulation is not None and not _holds(simulated_time, file.simulation.clock):
        expected = "START@ORIGIN_MSxRATE, as in 2026-11-03T09:30:00+08:00@1795561200000x60"
        yield "simulation.clock", file.simulation.clock, expected


def _wrong_door(tcp: TcpSection) -> Iterator[tuple[str, str, str]]:
    for key, text in (("listen", tcp.listen), ("events", tcp.events)):
        if not text:
            continue
        address = _tcp_address(text)
        if address is None:
            yield f"door.tcp.{key}", text, "tcp://ADDRESS:PORT, the address in numbers"
        elif not address.is_loopback and not tcp.beyond_loopback:
            yield (
                f"door.tcp.{key}",
                text,
                "an address of this computer (127.0.0.1), or beyond_loopback = true",
            )
    if tcp.listen and tcp.listen == tcp.events:
        yield "door.tcp.events", tcp.events, "another port than that of listen"


def _wrong_metrics(metrics: MetricsSection) -> Iterator[tuple[str, str, str]]:
    if metrics.listen in ("", "systemd"):
        return
    address = _tcp_address(f"tcp://{metrics.listen}")
    if address is None:
        yield "metrics.listen", metrics.listen, '"", "systemd", or ADDRESS:PORT, the address in numbers'
    elif not address.is_loopback and not metrics.beyond_loopback:
        expected = "an address of this computer (127.0.0.1), or beyond_loopback = true"
        yield "metrics.listen", metrics.listen, expected


def _tcp_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    found = re.fullmatch(r"tcp://(?:\[([0-9a-fA-F:]+)\]|([0-9.]+)):(\d{1,5})", text)
    if found is None or not 0 < int(found[3]) < 65535:  # the last one has none after it for the events
        return None
    try:
        return ipaddress.ip_address(found[1] or found[2])
    except ValueError:
        return None


def _wrong_regions(windows: WindowsSection) -> Iterator[tuple[str, str, str]]:
    for region, deadlines in windows.regional.items():
        yield from _wrong_overrides(f"windows.regional.{region}", deadlines)
    if windows.region and windows.regional and windows.region not in windows.regional:
        yield "windows.region", windows.region, ", ".join(windows.regional)


def _wrong_overrides(key: str, overrides: Mapping[str, dt.date]) -> Iterator[tuple[str, str, str]]:
    for month, day in overrides.items():
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            yield f"{key}.{month}", month, "the key is the month in which is filed: yyyy-mm"
        elif period_of(day) != Period(month):
            yield f"{key}.{month}", day.isoformat(), f"a day of {month}"


def _wrong_devices(devices: tuple[DeviceRow, ...]) -> Iterator[tuple[str, str, str]]:
    numbers = [row.device_no for row in devices]
    for row in devices:
        if numbers.count(row.device_no) > 1:
            yield "devices.device_no", row.device_no, ALLOWED["devices.device_no"]
        if row.taxpayer_id and not _holds(taxpayer_id, row.taxpayer_id):
            yield "devices.taxpayer_id", row.taxpayer_id, ALLOWED["devices.taxpayer_id"]


def _is_endpoint(text: str) -> bool:
    path = text.removeprefix("ipc://")
    return path != text and path.startswith("/") and 1 < len(os.fsencode(path)) <= _SOCKET_BYTES


def _is_gateway(text: str) -> bool:
    parts = urlsplit(text)
    extra = parts.query or parts.fragment or parts.username or parts.password
    named = parts.scheme == "https" and parts.hostname and not re.search(r"\s", text)
    return bool(named) and not extra and _holds(lambda url: urlsplit(url).port, text)


def _is_usbip(text: str) -> bool:
    shape = r"usbip://(\[[0-9a-fA-F:]+\]|[^/:?#@\s]+):\d{1,5}(\?(control=\d{1,5}|remote=yes|&)+)?"
    return re.fullmatch(shape, text) is not None and _holds(lambda url: urlsplit(url).port, text)


def _holds(reads: Callable[[str], object], text: str) -> bool:
    try:
        reads(text)
    except (ValueError, OverflowError):
        return False
    return True
