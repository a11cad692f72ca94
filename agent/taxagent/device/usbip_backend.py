"""A pyusb backend over USB/IP: what a USB/IP server exports looks like a plugged device to usb.core.

Errors are those that pyusb's libusb backend raises. There is no kernel driver behind USB/IP. Must not know
mass storage commands or tax-control devices.
"""

from __future__ import annotations

import array
import contextlib
import errno
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import usb.backend
import usb.core

from taxagent.device.descriptors import (
    ConfigurationDescriptor,
    DeviceDescriptor,
    EndpointDescriptor,
    InterfaceDescriptor,
)
from taxagent.device.usbip_client import Attachment
from taxagent.device.usbip_requests import (
    announced,
    as_libusb,
    control_in,
    control_out,
    imported,
    read_descriptors,
    usb_error,
)
from taxagent.device.usbip_server import Connect, ExportedDevice, Gone, exported

_MASS_STORAGE = (0x08, 0x06, 0x50)
_SPEED = {1: 1, 2: 2, 3: 3, 5: 4, 6: 5}  # the kernel's usb_device_speed -> libusb_speed


@dataclass(eq=False)
class Plugged:
    """A device as it arrived: `arrival` is new each time it is plugged in, and is its USB address here."""

    exported: ExportedDevice
    arrival: int
    device: DeviceDescriptor
    configurations: tuple[ConfigurationDescriptor, ...] = ()


@dataclass(eq=False)
class Handle:
    """An opened device."""

    plugged: Plugged
    attachment: Attachment
    claimed: set[int] = field(default_factory=set)


class UsbipBackend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb is untyped
    """usb.backend.IBackend over a carrier; see usb.backend for each method.

    `enumerate_devices` answers from a table without I/O; `refresh` brings the table up to date.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()  # guards the three below
        self._table: dict[str, Plugged] = {}
        self._open: dict[str, Handle | None] = {}  # None: being opened
        self._arrivals = 0
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Ask the server what is plugged; read the descriptors of new mass-storage devices.

        Over USB/IP reading descriptors means importing, so no other device is ever asked for them. Raises
        OSError or Gone where the server is not there; then nothing is plugged.
        """
        with self._refreshing:
            try:
                devices = exported(self._connect)
            except (OSError, Gone):
                self.forget()
                raise
            for busid in set(self._table) - {device.busid for device in devices}:
                self.forget(busid)
            for device in devices:
                self._renew(device)

    def forget(self, busid: str | None = None) -> None:
        """Treat `busid` (None: everything) as unplugged; transfers under way end with ENODEV.

        A handle of it that nobody closes (its thread hangs) does not keep the next arrival from being opened.
        """
        with self._lock:
            gone = list(self._table) if busid is None else [busid]
            for one in gone:
                self._table.pop(one, None)
            handles = [self._open.pop(one) for one in gone if self._open.get(one) is not None]
        for handle in handles:
            if handle is not None:
                handle.attachment.close()

    def _renew(self, device: ExportedDevice) -> None:
        known = self._table.get(device.busid)
        if known is not None and (known.exported != device or self._was_lost(device.busid)):
            self.forget(device.busid)
            known = None
        if known is not None and (known.configurations or _MASS_STORAGE not in device.interfaces):
            return
        with self._lock:
            if known is None:
                self._arrivals += 1
            arrival = known.arrival if known else self._arrivals
        plugged = Plugged(device, arrival, announced(device))
        if _MASS_STORAGE in device.interfaces:
            # Held by another client, or broken: asked again at the next refresh.
            with contextlib.suppress(usb.core.USBError):
                plugged.device, plugged.configurations = read_descriptors(self._connect, device.busid)
        with self._lock:
            self._table[device.busid] = plugged

    def _was_lost(self, busid: str) -> bool:
        handle = self._open.get(busid)
        return handle is not None and handle.attachment.gone

    def exported(self, arrival: int) -> ExportedDevice | None:
        """Return what the server says of the device with this address here, None where it is gone."""
        with self._lock:
            return next((one.exported for one in self._table.values() if one.arrival == arrival), None)

    # ---- usb.backend.IBackend: descriptors

    def enumerate_devices(self) -> Iterator[Plugged]:
        with self._lock:
            return iter(list(self._table.values()))

    def get_parent(self, dev: Plugged) -> None:
        return None

    def get_device_descriptor(self, dev: Plugged) -> object:
        ports = tuple(int(number) for number in re.findall(r"\d+", dev.exported.busid)[1:])
        return _Placed(
            dev.device,
            bus=dev.exported.busnum,
            address=dev.arrival,
            port_number=ports[-1] if ports else None,
            port_numbers=ports or None,
            speed=_SPEED.get(dev.exported.speed, 0),
        )

    def get_configuration_descriptor(self, dev: Plugged, config: int) -> ConfigurationDescriptor:
        if config >= len(dev.configurations):
            raise usb_error(errno.ENOENT)
        return dev.configurations[config]

    def get_interface_descriptor(self, dev: Plugged, intf: int, alt: int, config: int) -> InterfaceDescriptor:
        return self.get_configuration_descriptor(dev, config).interface(intf, alt)

    def get_endpoint_descriptor(
        self, dev: Plugged, ep: int, intf: int, alt: int, config: int
    ) -> EndpointDescriptor:
        return self.get_interface_descriptor(dev, intf, alt, config).endpoints[ep]

    # ---- usb.backend.IBackend: handles

    def open_device(self, dev: Plugged) -> Handle:
        busid = dev.exported.busid
        with self._lock:
            if self._table.get(busid) is not dev:
                raise usb_error(errno.ENODEV)
            if busid in self._open:
                raise usb_error(errno.EBUSY)
            self._open[busid] = None
        try:
            handle = Handle(dev, imported(self._connect, busid))
        except usb.core.USBError:
            with self._lock:
                del self._open[busid]
            raise
        with self._lock:
            self._open[busid] = handle
            unplugged = self._table.get(busid) is not dev
        if unplugged:
            self.close_device(handle)
            raise usb_error(errno.ENODEV)
        return handle

    def close_device(self, dev_handle: Handle) -> None:
        busid = dev_handle.plugged.exported.busid
        with self._lock:
            if dev_handle.attachment.gone and self._table.get(busid) is dev_handle.plugged:
                del self._table[busid]  # it was cut off: what is there next is a new arrival
        dev_handle.attachment.close()
        with self._lock:
            if self._open.get(busid) is dev_handle:
                del self._open[busid]

    def get_configuration(self, dev_handle: Handle) -> int:
        data = control_in(dev_handle.attachment, 0x80, 0x08, 0, 0, 1)
        return data[0] if data else 0

    def set_configuration(self, dev_handle: Handle, config_value: int) -> None:
        control_out(dev_handle.attachment, 0x00, 0x09, config_value, 0)

    def set_interface_altsetting(self, dev_handle: Handle, intf: int, altsetting: int) -> None:
        control_out(dev_handle.attachment, 0x01, 0x0B, altsetting, intf)

    def claim_interface(self, dev_handle: Handle, intf: int) -> None:
        if dev_handle.attachment.gone:
            raise usb_error(errno.ENODEV)
        dev_handle.claimed.add(intf)  # the import already excludes everyone else

    def release_interface(self, dev_handle: Handle, intf: int) -> None:
        dev_handle.claimed.discard(intf)

    def is_kernel_driver_active(self, dev_handle: Handle, intf: int) -> bool:
        return False

    def detach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:
        raise usb_error(errno.ENOENT)

    def attach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:
        raise usb_error(errno.ENOENT)

    # ---- usb.backend.IBackend: transfers

    def bulk_write(self, dev_handle: Handle, ep: int, intf: int, data: array.array[int], timeout: int) -> int:
        with as_libusb():
            return dev_handle.attachment.write(ep & 0x0F, data.tobytes(), timeout)

    def bulk_read(self, dev_handle: Handle, ep: int, intf: int, buff: array.array[int], timeout: int) -> int:
        with as_libusb(), memoryview(buff).cast("B") as view:
            data = dev_handle.attachment.read(ep & 0x0F, len(view), timeout)
            view[: len(data)] = data
            return len(data)

    def ctrl_transfer(
        self,
        dev_handle: Handle,
        bmRequestType: int,  # noqa: N803
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: array.array[int],
        timeout: int,
    ) -> int:
        setup = (bmRequestType, bRequest, wValue, wIndex)
        if not bmRequestType & 0x80:
            return control_out(dev_handle.attachment, *setup, data.tobytes(), timeout)
        with memoryview(data).cast("B") as view:
            answer = control_in(dev_handle.attachment, *setup, len(view), timeout)
            view[: len(answer)] = answer
            return len(answer)

    def clear_halt(self, dev_handle: Handle, ep: int) -> None:
        control_out(dev_handle.attachment, 0x02, 0x01, 0, ep)  # CLEAR_FEATURE(ENDPOINT_HALT)

    def reset_device(self, dev_handle: Handle) -> None:
        # SET_FEATURE(PORT_RESET) to the hub's port: what the kernel's server takes as a reset of the device.
        control_out(dev_handle.attachment, 0x23, 0x03, 4, 0)


class _Placed:
    """A device descriptor with where the device sits, as pyusb wants it."""

    def __init__(self, device: DeviceDescriptor, **place: object) -> None:
        self.__dict__.update({name: getattr(device, name) for name in device.__struct_fields__}, **place)
