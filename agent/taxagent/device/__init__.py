"""The driver for devices of the profile TCDP/1. Importing it costs nothing: no USB library is loaded here."""

from __future__ import annotations

from taxagent.ports import DeviceSource


def driver(backend: str) -> DeviceSource:
    """Return the source of devices that speak TCDP/1 (entry point `taxagent.devices`, name `tcdp`).

    `backend` is "libusb" or "usbip://HOST:PORT?control=PORT". Raises ValueError for any other text.
    """
    from taxagent.device.bus import UsbSource  # noqa: PLC0415  (usb.core stays off the path of `taxagent window`)

    return UsbSource(backend)
