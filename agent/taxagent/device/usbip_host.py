"""A USB/IP server as the bus: its address, and the control connection that tells arrivals and removals.

The control connection is JSON, one object a line, from the server alone: {"event":"hello","devices":[...]}
first, then {"event":"arrival"|"removal","busid":"1-1"}, each after the server's list of devices has changed.
Unknown events and fields are passed over. The first may have "server": a word that no other run of it has.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Callable
from threading import Event
from urllib.parse import parse_qs, urlsplit

import msgspec
import usb.core
import usb.util

from taxagent.device.usbip_backend import UsbipBackend
from taxagent.device.usbip_server import Gone, over_tcp
from taxagent.model.errors import AgentError
from taxagent.model.value import Value

SCAN_S = 1.0
_CONNECT_S = 2.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_LONGEST_LINE = 64 * 1024
_FORM = "write usbip://HOST:PORT or usbip://HOST:PORT?control=PORT"


class UsbipAddress(Value, frozen=True, kw_only=True):
    """Where a USB/IP server is; `control` is the port of its control connection, None where it has none."""

    host: str
    port: int
    control: int | None = None


class _Said(Value, frozen=True, kw_only=True):
    event: str = ""
    busid: str = ""
    server: str = ""


def usbip_address(text: str) -> UsbipAddress:
    """Return the address written as usbip://HOST:PORT[?control=PORT][&remote=yes].

    USB/IP knows neither users nor encryption: hosts other than this one only with remote=yes. Raises
    ValueError with the form wanted.
    """
    parts = urlsplit(text)
    query = parse_qs(parts.query, keep_blank_values=True)
    control = query.pop("control", [""])[0]
    remote = query.pop("remote", ["no"])[0]
    if parts.scheme != "usbip" or not parts.hostname or parts.path or query:
        raise ValueError(f"{text!r}: {_FORM}")
    if control and not re.fullmatch(r"[0-9]{1,5}", control):
        raise ValueError(f"{text!r}: the control port is no number: {_FORM}")
    if remote != "yes" and not _is_this_machine(parts.hostname):
        raise ValueError(f"{text!r}: USB/IP is not protected: only 127.0.0.1, unless you add remote=yes")
    return UsbipAddress(
        host=parts.hostname, port=parts.port or 3240, control=int(control) if control else None
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class UsbipHost:
    """bus.Host over a USB/IP server."""

    prefix = "usbip"

    def __init__(self, address: UsbipAddress) -> None:
        self._address = address
        self.backend = UsbipBackend(over_tcp(address.host, address.port))
        self._control: socket.socket | None = None
        self._server: str | None = (
            None  # which run of the server it is; "" where it does not say, None: not asked
        )
        self._pause_s = _FIRST_PAUSE_S

    def refresh(self) -> None:
        """Ask the server for its devices. Raises AgentError(USB_SERVER_DOWN) where it does not answer."""
        try:
            self.backend.refresh()
        except (OSError, Gone) as error:
            server = f"{self._address.host}:{self._address.port}"
            raise AgentError("USB_SERVER_DOWN", server=server, reason=str(error)) from error
        if self._server is None:
            self._server = self._asked()

    def renew(self) -> None:
        """Nothing to start afresh: each open has its own connection."""

    def product(self, device: usb.core.Device, *, ours: bool) -> tuple[str, str]:
        """Return manufacturer and product, "" where unreadable; opens the device, so only if it is ours."""
        if not ours:
            return "", ""
        try:
            return (
                usb.util.get_string(device, device.iManufacturer) or "",
                usb.util.get_string(device, device.iProduct) or "",
            )
        except (usb.core.USBError, ValueError):  # ValueError: pyusb found no language
            return "", ""
        finally:
            usb.util.dispose_resources(device)

    def arrival(self, device: usb.core.Device) -> str:
        """Return the plugging by the run of the server and the address that it gave."""
        there = self.backend.exported(device.address)
        return f"{self._server}:{there.busid}#{there.devnum}" if self._server and there is not None else ""

    def holder(self, device: usb.core.Device) -> str:
        """Return a code for another host: the server does not tell to which it gave a device."""
        return "usbip_host"

    def _asked(self) -> str | None:
        """Return which run of the server it is by its first line; None where nothing can be had now."""
        if self._address.control is None:
            return ""
        address = (self._address.host, self._address.control)
        try:
            with (
                socket.create_connection(address, timeout=_CONNECT_S) as control,
                control.makefile("rb") as lines,
            ):
                return msgspec.json.decode(lines.readline(_LONGEST_LINE), type=_Said).server
        except (TimeoutError, msgspec.DecodeError):
            return ""  # it does not say, and is not waited for again
        except OSError:
            return None

    # ---- the watch's thread

    def watch(self, changed: Callable[[], None], stop: Event) -> None:
        """Call `changed` after each arrival and removal until `stop` is set and `wake` was called."""
        if self._address.control is None:
            while not stop.wait(SCAN_S):
                changed()
            return
        while not stop.is_set():
            self._follow(changed, stop)
            stop.wait(self._pause_s)
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def wake(self) -> None:
        """End a blocked read of the control connection (from any thread)."""
        control = self._control
        if control is not None:
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)

    def _follow(self, changed: Callable[[], None], stop: Event) -> None:
        """Keep one control connection for as long as it lasts."""
        address = (self._address.host, self._address.control)
        try:
            with socket.create_connection(address, timeout=_CONNECT_S) as control:
                control.settimeout(None)
                self._control = control
                if not stop.is_set():
                    self._listen(control, changed)
        except OSError:
            changed()  # there may be a server without a control connection
            return
        finally:
            self._control = None
        if stop.is_set():
            return  # the watch ends, not the server: who holds a device keeps it
        self._server = None
        self.backend.forget()  # the server ended: to its devices that is a loss of power
        changed()

    def _listen(self, control: socket.socket, changed: Callable[[], None]) -> None:
        with control.makefile("rb") as lines:
            while line := lines.readline(_LONGEST_LINE):
                self._pause_s = _FIRST_PAUSE_S
                try:
                    said = msgspec.json.decode(line, type=_Said)
                except msgspec.DecodeError:
                    return
                if said.event == "removal":
                    self.backend.forget(said.busid)
                if said.event in {"hello", "arrival", "removal"}:
                    changed()
