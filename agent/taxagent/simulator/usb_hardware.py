"""The USB device around a simulated device's interface: identity and strings. Knows no command."""

from __future__ import annotations

from usbip.core import SPEED_HIGH, Stall
from usbip.device import USBDevice

from taxagent.device import recognition
from taxagent.simulator.quirks import Quirks
from taxagent.simulator.usb_device import TaxInterface


class TaxHardware(USBDevice):  # type: ignore[misc]  # usbip is untyped
    """The USB device around the interface, whose strings may fail to read."""

    quirks: Quirks

    def _string_bytes(self, index: int) -> bytes:
        if not self.quirks.readable_strings:
            raise Stall
        text: bytes = super()._string_bytes(index)
        return text


def usb_device(interface: TaxInterface, device_no: str, quirks: Quirks) -> USBDevice:
    """Return the USB device around the interface, at high speed."""
    vendor_id, product_id = recognition.SIMULATOR_ID
    device = TaxHardware(
        vendor_id,
        product_id,
        manufacturer="taxagent",
        product="Simulated tax-control device",
        serial=device_no,
    )
    device.quirks = quirks
    device.set_speed(SPEED_HIGH)
    device.add(interface)
    return device
