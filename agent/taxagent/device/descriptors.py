"""USB descriptors out of their bytes, with the field names of the USB specification. Does no I/O."""

# ruff: noqa: N815  (the fields carry the specification's names, which pyusb asks for)

from __future__ import annotations

import struct
from collections.abc import Iterator

from taxagent.model.value import Value

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT = 1, 2, 3, 4, 5
DEVICE_SIZE = 18
CONFIGURATION_SIZE = 9

_DEVICE = struct.Struct("<BBHBBBBHHHBBBB")
_CONFIGURATION = struct.Struct("<BBHBBBBB")
_INTERFACE = struct.Struct("<9B")
_ENDPOINT = struct.Struct("<BBBBHB")


class DescriptorError(ValueError):
    """The bytes are no such descriptor."""


class DeviceDescriptor(Value, frozen=True, kw_only=True):
    """USB 2.0, table 9-8."""

    bLength: int = DEVICE_SIZE
    bDescriptorType: int = DEVICE
    bcdUSB: int
    bDeviceClass: int
    bDeviceSubClass: int
    bDeviceProtocol: int
    bMaxPacketSize0: int
    idVendor: int
    idProduct: int
    bcdDevice: int
    iManufacturer: int
    iProduct: int
    iSerialNumber: int
    bNumConfigurations: int


class EndpointDescriptor(Value, frozen=True, kw_only=True):
    """USB 2.0, table 9-13, and the class-specific descriptors behind it."""

    bLength: int
    bDescriptorType: int
    bEndpointAddress: int
    bmAttributes: int
    wMaxPacketSize: int
    bInterval: int
    bRefresh: int = 0
    bSynchAddress: int = 0
    extra_descriptors: bytes = b""


class InterfaceDescriptor(Value, frozen=True, kw_only=True):
    """USB 2.0, table 9-12, the class-specific descriptors behind it, and its endpoints."""

    bLength: int
    bDescriptorType: int
    bInterfaceNumber: int
    bAlternateSetting: int
    bNumEndpoints: int
    bInterfaceClass: int
    bInterfaceSubClass: int
    bInterfaceProtocol: int
    iInterface: int
    extra_descriptors: bytes = b""
    endpoints: tuple[EndpointDescriptor, ...] = ()


class ConfigurationDescriptor(Value, frozen=True, kw_only=True):
    """USB 2.0, table 9-10. `interfaces` has a row for each alternate setting, in the device's order."""

    bLength: int
    bDescriptorType: int
    wTotalLength: int
    bNumInterfaces: int
    bConfigurationValue: int
    iConfiguration: int
    bmAttributes: int
    bMaxPower: int
    extra_descriptors: bytes = b""
    interfaces: tuple[InterfaceDescriptor, ...] = ()

    def interface(self, index: int, setting: int) -> InterfaceDescriptor:
        """Return alternate setting `setting` of the `index`-th interface; IndexError where there is none."""
        numbers = list(dict.fromkeys(one.bInterfaceNumber for one in self.interfaces))
        settings = [one for one in self.interfaces if one.bInterfaceNumber == numbers[index]]
        return settings[setting]


def parse_device(data: bytes) -> DeviceDescriptor:
    """Return the device descriptor in `data`; DescriptorError where it is none."""
    if len(data) < DEVICE_SIZE or data[1] != DEVICE:
        raise DescriptorError(f"{data.hex()} is no device descriptor")
    fields = _DEVICE.unpack_from(data)
    return DeviceDescriptor(**dict(zip(DeviceDescriptor.__struct_fields__, fields, strict=True)))


def total_length(data: bytes) -> int:
    """Return wTotalLength of the configuration descriptor that begins with `data` (9 bytes or more)."""
    if len(data) < CONFIGURATION_SIZE or data[1] != CONFIGURATION:
        raise DescriptorError(f"{data.hex()} is no configuration descriptor")
    return int.from_bytes(data[2:4], "little")


def parse_configuration(data: bytes) -> ConfigurationDescriptor:
    """Return the configuration with all its interfaces; DescriptorError where the bytes do not add up."""
    if total_length(data) != len(data):
        raise DescriptorError(f"{len(data)} bytes of a configuration of {total_length(data)}")
    head = dict(
        zip(ConfigurationDescriptor.__struct_fields__, _CONFIGURATION.unpack_from(data), strict=False)
    )
    own, interfaces = b"", list[InterfaceDescriptor]()
    for part in _parts(data[data[0] :]):
        if part[1] == INTERFACE:
            interfaces.append(_interface(part))
        elif interfaces:
            interfaces[-1] = _with(interfaces[-1], part)
        else:
            own += part
    return ConfigurationDescriptor(**head, extra_descriptors=own, interfaces=tuple(interfaces))


def parts(data: bytes) -> tuple[bytes, ...]:
    """Return the descriptors that stand one behind the other in `data`; DescriptorError for a bad length."""
    return tuple(_parts(data))


def _parts(data: bytes) -> Iterator[bytes]:
    while data:
        size = data[0]
        if size < 2 or size > len(data):
            raise DescriptorError(f"a descriptor of {size} bytes where {len(data)} are left")
        yield data[:size]
        data = data[size:]


def _interface(part: bytes) -> InterfaceDescriptor:
    if len(part) < _INTERFACE.size:
        raise DescriptorError(f"{part.hex()} is no interface descriptor")
    fields = _INTERFACE.unpack_from(part)
    return InterfaceDescriptor(**dict(zip(InterfaceDescriptor.__struct_fields__, fields, strict=False)))


def _with(interface: InterfaceDescriptor, part: bytes) -> InterfaceDescriptor:
    """Return `interface` with one more endpoint, or with `part` behind what came last."""
    fields = {name: getattr(interface, name) for name in interface.__struct_fields__}
    if part[1] == ENDPOINT:
        if len(part) < _ENDPOINT.size:
            raise DescriptorError(f"{part.hex()} is no endpoint descriptor")
        names = EndpointDescriptor.__struct_fields__
        endpoint = EndpointDescriptor(**dict(zip(names, _ENDPOINT.unpack_from(part), strict=False)))
        fields["endpoints"] = (*interface.endpoints, endpoint)
    elif interface.endpoints:
        last = interface.endpoints[-1]
        named = {name: getattr(last, name) for name in last.__struct_fields__}
        named["extra_descriptors"] = last.extra_descriptors + part
        fields["endpoints"] = (*interface.endpoints[:-1], EndpointDescriptor(**named))
    else:
        fields["extra_descriptors"] = interface.extra_descriptors + part
    return InterfaceDescriptor(**fields)
