"""Standard USB requests to a device behind USB/IP, with the errors that pyusb's libusb backend raises."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import usb.core

from taxagent.device import descriptors
from taxagent.device.descriptors import ConfigurationDescriptor, DeviceDescriptor
from taxagent.device.usbip_client import Attachment, TransferFailed, TransferTimeout
from taxagent.device.usbip_server import Connect, ExportedDevice, Gone, ImportRefused

_CONTROL_MS = 2000
_SETUP = struct.Struct("<BBHHH")
_STATUS_BUSY = 2  # ST_DEV_BUSY of an import

# errno -> (libusb's code, its words)
_LIBUSB = {
    errno.EIO: (-1, "Input/Output Error"),
    errno.ENODEV: (-4, "No such device (it may have been disconnected)"),
    errno.ENOENT: (-5, "Entity not found"),
    errno.EBUSY: (-6, "Resource busy"),
    errno.ETIMEDOUT: (-7, "Operation timed out"),
    errno.EOVERFLOW: (-8, "Overflow"),
    errno.EPIPE: (-9, "Pipe error"),
}
# URB status (a Linux errno, whatever the host) -> errno; everything else is EIO, as in libusb
_URB_STATUS = {-19: errno.ENODEV, -32: errno.EPIPE, -75: errno.EOVERFLOW, -108: errno.ENODEV}


def announced(device: ExportedDevice) -> DeviceDescriptor:
    """Return what the server's list says as a device descriptor."""
    return DeviceDescriptor(
        bcdUSB=0x0200,
        bDeviceClass=device.device_class,
        bDeviceSubClass=device.device_subclass,
        bDeviceProtocol=device.device_protocol,
        bMaxPacketSize0=64,
        idVendor=device.vendor_id,
        idProduct=device.product_id,
        bcdDevice=device.bcd_device,
        iManufacturer=0,
        iProduct=0,
        iSerialNumber=0,
        bNumConfigurations=device.configurations,
    )


def read_descriptors(
    connect: Connect, busid: str
) -> tuple[DeviceDescriptor, tuple[ConfigurationDescriptor, ...]]:
    """Import the device, read its device and configuration descriptors, give it back. Raises USBError."""
    attachment = imported(connect, busid)
    try:
        device = descriptors.parse_device(
            _descriptor(attachment, descriptors.DEVICE, 0, descriptors.DEVICE_SIZE)
        )
        found = tuple(_configuration(attachment, index) for index in range(device.bNumConfigurations))
        return device, found
    except descriptors.DescriptorError as error:
        raise usb_error(errno.EIO) from error
    finally:
        attachment.close()


def _configuration(attachment: Attachment, index: int) -> ConfigurationDescriptor:
    head = _descriptor(attachment, descriptors.CONFIGURATION, index, descriptors.CONFIGURATION_SIZE)
    size = descriptors.total_length(head)
    return descriptors.parse_configuration(_descriptor(attachment, descriptors.CONFIGURATION, index, size))


def _descriptor(attachment: Attachment, kind: int, index: int, size: int) -> bytes:
    return control_in(attachment, 0x80, 0x06, kind << 8 | index, 0, size)


def imported(connect: Connect, busid: str) -> Attachment:
    """Return the imported device. Raises USBError (EBUSY, ENODEV)."""
    try:
        return Attachment(connect, busid)
    except ImportRefused as error:
        raise usb_error(errno.EBUSY if error.status == _STATUS_BUSY else errno.ENODEV) from error
    except (OSError, Gone) as error:
        raise usb_error(errno.ENODEV) from error


def control_in(
    attachment: Attachment,
    kind: int,
    request: int,
    value: int,
    index: int,
    size: int,
    timeout: int = _CONTROL_MS,
) -> bytes:
    """Return at most `size` bytes of a control-in request (fields of its setup packet). Raises USBError."""
    with as_libusb():
        return attachment.read(0, size, timeout, _SETUP.pack(kind, request, value, index, size))


def control_out(
    attachment: Attachment,
    kind: int,
    request: int,
    value: int,
    index: int,
    data: bytes = b"",
    timeout: int = _CONTROL_MS,
) -> int:
    """Make a control-out request with `data`; return how much went out. Raises USBError."""
    with as_libusb():
        attachment.write(0, data, timeout, _SETUP.pack(kind, request, value, index, len(data)))
        return len(data)


@contextmanager
def as_libusb() -> Iterator[None]:
    """Turn the client's errors into those of pyusb's libusb backend."""
    try:
        yield
    except TransferTimeout as error:
        raise usb_error(errno.ETIMEDOUT) from error
    except Gone as error:
        raise usb_error(errno.ENODEV) from error
    except TransferFailed as error:
        raise usb_error(_URB_STATUS.get(error.status, errno.EIO)) from error


def usb_error(number: int) -> usb.core.USBError:
    """Return the error of libusb with this errno."""
    code, words = _LIBUSB[number]
    kind = usb.core.USBTimeoutError if number == errno.ETIMEDOUT else usb.core.USBError
    return kind(words, code, number)
