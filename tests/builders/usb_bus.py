"""A bus in memory under pyusb: devices that can be plugged, held by others, forbidden, and watched."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event

import usb.backend
import usb.core

from taxagent.device.descriptors import (
    ConfigurationDescriptor,
    DeviceDescriptor,
    EndpointDescriptor,
    InterfaceDescriptor,
)
from taxagent.device.recognition import ProfileDescriptor, encode_descriptor
from taxagent.model.device import DeviceKind
from taxagent.model.errors import AgentError

PROFILE = encode_descriptor(ProfileDescriptor(kind=DeviceKind.CONTROL_DISK, simulated=True))


@dataclass(eq=False)
class FakeDevice:
    """A device on the fake bus. `fails` has the errnos with which an operation fails, one a call."""

    vid: int = 0x1209
    pid: int = 0x0010
    extra: bytes = PROFILE
    bus: int = 1
    ports: tuple[int, ...] = (4,)
    address: int = 7
    device_class: int = 0
    kernel_driver: bool = True
    configured: int = 1
    product: tuple[str, str] = ("Maker", "Thing")
    held_by: str = ""
    unreadable: bool = False
    fails: dict[str, list[int]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


class FakeBackend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb is untyped
    """usb.backend.IBackend over a list of FakeDevices."""

    def __init__(self, devices: list[FakeDevice]) -> None:
        self.devices = devices

    def enumerate_devices(self) -> Iterator[FakeDevice]:
        return iter(list(self.devices))

    def get_device_descriptor(self, dev: FakeDevice) -> object:
        return _described(dev)

    def get_configuration_descriptor(self, dev: FakeDevice, config: int) -> ConfigurationDescriptor:
        if dev.unreadable:
            raise usb.core.USBError("Entity not found", -5, errno.ENOENT)
        return _configuration(dev)

    def get_interface_descriptor(
        self, dev: FakeDevice, intf: int, alt: int, config: int
    ) -> InterfaceDescriptor:
        return _configuration(dev).interface(intf, alt)

    def get_endpoint_descriptor(
        self, dev: FakeDevice, ep: int, intf: int, alt: int, config: int
    ) -> EndpointDescriptor:
        return _configuration(dev).interface(intf, alt).endpoints[ep]

    def open_device(self, dev: FakeDevice) -> FakeDevice:
        return self._does(dev, "open")

    def close_device(self, dev_handle: FakeDevice) -> None:
        self._does(dev_handle, "close")

    def get_configuration(self, dev_handle: FakeDevice) -> int:
        return dev_handle.configured

    def set_configuration(self, dev_handle: FakeDevice, config_value: int) -> None:
        self._does(dev_handle, "configure").configured = config_value

    def claim_interface(self, dev_handle: FakeDevice, intf: int) -> None:
        self._does(dev_handle, "claim")

    def release_interface(self, dev_handle: FakeDevice, intf: int) -> None:
        self._does(dev_handle, "release")

    def is_kernel_driver_active(self, dev_handle: FakeDevice, intf: int) -> bool:
        return dev_handle.kernel_driver

    def detach_kernel_driver(self, dev_handle: FakeDevice, intf: int) -> None:
        self._does(dev_handle, "detach").kernel_driver = False

    def attach_kernel_driver(self, dev_handle: FakeDevice, intf: int) -> None:
        self._does(dev_handle, "attach").kernel_driver = True

    @staticmethod
    def _does(dev: FakeDevice, what: str) -> FakeDevice:
        failures = dev.fails.get(what, [])
        if failures:
            number = failures.pop(0)
            dev.log.append(f"{what} fails")
            raise usb.core.USBError(errno.errorcode[number], None, number)
        dev.log.append(what)
        return dev


class FakeHost:
    """bus.Host over a fake bus; `event` is what a test calls after it changed the list."""

    prefix = "usb"

    def __init__(self, *devices: FakeDevice) -> None:
        self.devices = list(devices)
        self.backend: usb.backend.IBackend | None = FakeBackend(self.devices)
        self.trouble: AgentError | None = None
        self.renewed = 0
        self.opened_for_names: list[bool] = []
        self._changed: Callable[[], None] = lambda: None
        self._following = Event()
        self._stop = Event()

    def refresh(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def renew(self) -> None:
        self.renewed += 1

    def product(self, device: usb.core.Device, *, ours: bool) -> tuple[str, str]:
        self.opened_for_names.append(ours)
        return self._of(device).product

    def arrival(self, device: usb.core.Device) -> str:
        return f"boot-1:{self._of(device).address}"

    def holder(self, device: usb.core.Device) -> str:
        return self._of(device).held_by

    def watch(self, changed: Callable[[], None], stop: Event) -> None:
        self._changed, self._stop = changed, Event()
        self._following.set()
        self._stop.wait()

    def wake(self) -> None:
        self._following.wait()
        self._stop.set()

    def event(self) -> None:
        """Have the watch look, in the caller's thread."""
        self._following.wait()
        self._changed()

    def _of(self, device: usb.core.Device) -> FakeDevice:
        return next(one for one in self.devices if one.address == device.address)


@dataclass
class _Placed:
    bus: int
    address: int
    port_number: int | None
    port_numbers: tuple[int, ...] | None
    speed: int = 3


def _described(dev: FakeDevice) -> object:
    placed = _Placed(dev.bus, dev.address, dev.ports[-1] if dev.ports else None, dev.ports or None)
    device = DeviceDescriptor(
        bcdUSB=0x0200,
        bDeviceClass=dev.device_class,
        bDeviceSubClass=0,
        bDeviceProtocol=0,
        bMaxPacketSize0=64,
        idVendor=dev.vid,
        idProduct=dev.pid,
        bcdDevice=0x0100,
        iManufacturer=1,
        iProduct=2,
        iSerialNumber=0,
        bNumConfigurations=1,
    )
    for name in device.__struct_fields__:
        setattr(placed, name, getattr(device, name))
    return placed


def _configuration(dev: FakeDevice) -> ConfigurationDescriptor:
    endpoints = tuple(
        EndpointDescriptor(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=address,
            bmAttributes=2,
            wMaxPacketSize=512,
            bInterval=0,
        )
        for address in (0x81, 0x02)
    )
    interface = InterfaceDescriptor(
        bLength=9,
        bDescriptorType=4,
        bInterfaceNumber=0,
        bAlternateSetting=0,
        bNumEndpoints=2,
        bInterfaceClass=8,
        bInterfaceSubClass=6,
        bInterfaceProtocol=0x50,
        iInterface=0,
        extra_descriptors=dev.extra,
        endpoints=endpoints,
    )
    return ConfigurationDescriptor(
        bLength=9,
        bDescriptorType=2,
        wTotalLength=0,
        bNumInterfaces=1,
        bConfigurationValue=1,
        iConfiguration=0,
        bmAttributes=0x80,
        bMaxPower=50,
        interfaces=(interface,),
    )
