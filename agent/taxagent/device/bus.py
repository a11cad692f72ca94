"""What is plugged, who may be held, and the holding of it: ports.DeviceSource for devices that speak TCDP/1.

Candidates are recognised from descriptors alone; nothing else is ever opened. Must not know what is said to
a device, nor, beyond `Host`, how the bus is reached.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread
from typing import Protocol

import usb.backend
import usb.core

from taxagent.device.bulk_only import BulkOnly
from taxagent.device.claim import INTERFACE, claimed
from taxagent.device.identities import identity_of
from taxagent.device.libusb_host import LibusbHost
from taxagent.device.profile import ProfileDevice
from taxagent.device.recognition import speaks_profile
from taxagent.device.transport import TransportError, unasked, wait
from taxagent.device.usbip_host import UsbipHost, usbip_address
from taxagent.model.errors import AgentError, DeviceAbsent
from taxagent.model.job import Problem
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Device, MayGoOn, Watch

_HUB = 0x09
_SETTLING_S = 2.0  # udev may need so long after an arrival to set a device's permissions
_FAILED_HOLDS = 3  # in a row; then the USB library is started afresh


class Host(Protocol):
    """How a bus is reached."""

    @property
    def prefix(self) -> str:
        """The first word of a location."""

    @property
    def backend(self) -> usb.backend.IBackend | None:
        """The pyusb backend, None where there is no USB library."""

    def refresh(self) -> None:
        """Bring the backend's devices up to date. Raises AgentError where there can be none now."""

    def renew(self) -> None:
        """Start the backend afresh after repeated failures."""

    def product(self, device: usb.core.Device, *, ours: bool) -> tuple[str, str]:
        """Return manufacturer and product, "" where unreadable; a device that is not ours is never opened."""

    def arrival(self, device: usb.core.Device) -> str:
        """Return which plugging of a device this is, as SeenDevice.arrival promises."""

    def holder(self, device: usb.core.Device) -> str:
        """Return who has the device, "" where unknown."""

    def watch(self, changed: Callable[[], None], stop: Event) -> None:
        """Call `changed` whenever something may have changed, until `stop` is set."""

    def wake(self) -> None:
        """Have `watch` look at `stop` at once."""


def host(backend: str) -> Host:
    """Return the bus that the configuration names: "libusb" or "usbip://...". Raises ValueError."""
    if backend == "libusb":
        return LibusbHost()
    if backend.startswith("usbip:"):
        return UsbipHost(usbip_address(backend))
    raise ValueError(f"{backend!r}: write libusb, or usbip://HOST:PORT?control=PORT")


class UsbSource:
    """ports.DeviceSource over USB. A location is "usb:BUS-PORTS#ADDRESS", new at each arrival."""

    def __init__(
        self,
        backend: str | Host,
        *,
        monotonic: Callable[[], float] = time.monotonic,  # noqa: TID251  (a driver is made without a Clock)
        pause: Callable[[float], None] = wait,
    ) -> None:
        """Find devices on the bus `backend` (see `host`). Raises ValueError for a text that names none.

        `monotonic` is ports.Clock.monotonic; `pause` waits that many seconds between tries to open.
        """
        self._host = host(backend) if isinstance(backend, str) else backend
        self._monotonic = monotonic
        self._pause = pause
        self._scanning = Lock()  # one look at a time; what it found is replaced as a whole
        self._seen: dict[str, SeenDevice] = {}
        self._unread: frozenset[str] = frozenset()  # whose descriptors could not be read yet
        self._arrived: dict[str, float] = {}
        self._trouble: Problem | None = None
        self._watched = False
        self._failed_holds = 0

    def seen(self) -> tuple[SeenDevice, ...]:
        """Return what is plugged, hubs left out. While a watch runs this is its last look, without I/O."""
        if not self._watched:
            self._look()
        return tuple(self._seen.values())

    def trouble(self) -> Problem | None:
        """Return why nothing can be seen (no USB library, no USB/IP server), None where all is well."""
        return self._trouble

    def watch(self, on_change: Callable[[], None]) -> Watch:
        """Follow the bus as the port promises. One watch at a time; `on_change` must not stop it."""
        if self._watched:
            raise RuntimeError("this source is watched already")
        self._look()
        self._watched = True
        return _Watch(self._host, self._look, on_change, self._unwatched)

    def _unwatched(self) -> None:
        self._watched = False

    @contextlib.contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = unasked) -> Iterator[Device]:
        """Claim the device at `location` for the length of the block, in one thread, as the port promises.

        Raises DeviceAbsent or DeviceInUse (DEVICE_IN_USE with the holder where known, DEVICE_FORBIDDEN).
        """
        device = self._found(location)
        arrived = self._arrived.get(location, 0.0)
        grip = claimed(
            device,
            location,
            holder=lambda: self._host.holder(device),
            settling=lambda: self._monotonic() - arrived < _SETTLING_S,
            pause=self._pause,
        )
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(grip)
                transport = BulkOnly(
                    device, monotonic=self._monotonic, interface=INTERFACE, may_go_on=may_go_on
                )
            except DeviceAbsent:
                self._count_failure()
                raise
            except TransportError as error:
                raise DeviceAbsent("DEVICE_ABSENT", location=location, reason=str(error)) from error
            self._failed_holds = 0
            yield ProfileDevice(transport, self._monotonic, self._pause, may_go_on)

    def _count_failure(self) -> None:
        """After repeated failures drop the library's context too: it may be the one that is broken."""
        self._failed_holds += 1
        if self._failed_holds >= _FAILED_HOLDS:
            self._failed_holds = 0
            self._host.renew()

    def _found(self, location: str) -> usb.core.Device:
        seen = {one.location: one for one in self.seen()}.get(location)
        if seen is None:
            raise DeviceAbsent("DEVICE_ABSENT", location=location)
        if seen.recognised is not Recognised.PROFILE:
            raise DeviceAbsent("DEVICE_ABSENT", location=location, what="no_profile")
        for device in self._plugged():
            if _location(self._host.prefix, device) == location:
                return device
        raise DeviceAbsent("DEVICE_ABSENT", location=location)

    # ---- looking

    def _look(self) -> bool:
        """Bring `seen` and `trouble` up to date; return whether anything changed."""
        with self._scanning:
            before = (self._seen, self._trouble)
            try:
                self._host.refresh()
                devices, trouble = list(self._plugged()), None
            except AgentError as error:
                devices, trouble = [], error.problem()
            except usb.core.USBError as error:
                devices, trouble = [], AgentError("USB_FAILED", reason=str(error)).problem()
            self._note(devices)
            self._trouble = trouble
            return before != (self._seen, self._trouble)

    def _note(self, devices: list[usb.core.Device]) -> None:
        seen, unread, now = dict[str, SeenDevice](), set[str](), self._monotonic()
        for device in devices:
            location = _location(self._host.prefix, device)
            known = None if location in self._unread else self._seen.get(location)
            if known is None:
                speaks = _speaks_profile(device)
                if speaks is None:
                    unread.add(location)
                known = self._described(location, device, ours=bool(speaks))
            seen[location] = known
        self._arrived = {location: self._arrived.get(location, now) for location in seen}
        self._seen, self._unread = seen, frozenset(unread)

    def _plugged(self) -> Iterator[usb.core.Device]:
        if self._host.backend is not None:
            for device in usb.core.find(find_all=True, backend=self._host.backend):
                if device.bDeviceClass != _HUB:
                    yield device

    def _described(self, location: str, device: usb.core.Device, *, ours: bool) -> SeenDevice:
        recognised, name = Recognised.PROFILE, " ".join(self._host.product(device, ours=ours)).strip()
        if not ours:
            identity = identity_of(
                device.idVendor, device.idProduct, self._host.product(device, ours=False)[1]
            )
            recognised = Recognised.VENDOR if identity else Recognised.OTHER
            name = identity.name if identity else name
        return SeenDevice(
            location=location,
            vendor_id=device.idVendor,
            product_id=device.idProduct,
            recognised=recognised,
            name=name,
            arrival=self._host.arrival(device),
        )


class _Watch:
    """A thread that follows the bus."""

    def __init__(
        self, bus: Host, look: Callable[[], bool], on_change: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        self._bus = bus
        self._look = look
        self._on_change = on_change
        self._ended = ended
        self._stop = Event()
        self._thread = Thread(
            target=bus.watch, args=(self._changed, self._stop), name="usb-watch", daemon=True
        )
        self._thread.start()

    def _changed(self) -> None:
        if self._look() and not self._stop.is_set():
            self._on_change()

    def stop(self) -> None:
        """End the watch and wait for its thread; no callback comes afterwards."""
        if not self._stop.is_set():
            self._stop.set()
            self._bus.wake()
            self._thread.join()
            self._ended()


def _location(prefix: str, device: usb.core.Device) -> str:
    ports = ".".join(str(port) for port in device.port_numbers or ())
    return f"{prefix}:{device.bus}-{ports or 0}#{device.address}"


def _speaks_profile(device: usb.core.Device) -> bool | None:
    """Return what the interfaces of the first configuration say, None where it cannot be read."""
    try:
        return any(
            speaks_profile(
                device.idVendor,
                device.idProduct,
                (interface.bInterfaceClass, interface.bInterfaceSubClass, interface.bInterfaceProtocol),
                bytes(interface.extra_descriptors),
            )
            for interface in device[0]
        )
    except (usb.core.USBError, NotImplementedError, IndexError):
        return None
