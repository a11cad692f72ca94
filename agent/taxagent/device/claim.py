"""Taking a USB device for a while and giving it back to the kernel, whose driver may take it again.

The kernel is asked to take it back after every hold, also where no driver was found on it: an agent that was
killed in the middle left the device without one, and the next hold mends that without having to remember.

Must not know what is said to the device, nor which backend carries it.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator

import tenacity
import usb.core
import usb.util

from taxagent.device.transport import wait
from taxagent.model.errors import DeviceAbsent, DeviceInUse

INTERFACE = 0  # the one that every known device has
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ENXIO, errno.ESHUTDOWN})
_SILENT = frozenset({errno.ETIMEDOUT, errno.EPIPE, errno.EPROTO, errno.EIO})  # plugged, and no good answer
_UDEV_PAUSE_S = 0.2
_UDEV_TRIES = 12


@contextlib.contextmanager
def claimed(
    device: usb.core.Device,
    location: str,
    *,
    holder: Callable[[], str],
    settling: Callable[[], bool] = lambda: False,
    pause: Callable[[float], None] = wait,
) -> Iterator[None]:
    """Hold interface 0 of `device`, without the kernel's driver, for the length of the block.

    `settling` says whether the device arrived so recently that udev may still be setting its permissions:
    only then a denial is tried again. `holder` names who has it, or "". Raises DeviceInUse, or DeviceAbsent:
    DEVICE_MUTE where it is plugged and cannot be set up, DEVICE_ABSENT where it is gone.
    """
    taken = False
    try:
        try:
            _patient(settling, pause)(_take, device)
            taken = True
        except usb.core.USBError as error:
            raise _refusal(error, location, holder) from error
        yield
    finally:
        _give_back(device, reattach=taken)


def _patient(settling: Callable[[], bool], pause: Callable[[float], None]) -> tenacity.Retrying:
    def may_pass(error: BaseException) -> bool:
        return isinstance(error, usb.core.USBError) and error.errno in _DENIED and settling()

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        wait=tenacity.wait_fixed(_UDEV_PAUSE_S),
        stop=tenacity.stop_after_attempt(_UDEV_TRIES),
        sleep=pause,
        reraise=True,
    )


def _take(device: usb.core.Device) -> None:
    """Claim the interface; where that fails the kernel's driver is put back."""
    detached = _detach(device)
    try:
        _configure(device)
        usb.util.claim_interface(device, INTERFACE)
    except usb.core.USBError:
        if detached:
            _attach(device)
        raise


def _detach(device: usb.core.Device) -> bool:
    try:
        if not device.is_kernel_driver_active(INTERFACE):
            return False
        device.detach_kernel_driver(INTERFACE)
    except NotImplementedError:  # libusb has no such thing on this system
        return False
    return True


def _configure(device: usb.core.Device) -> None:
    """Set the first configuration where none is set; setting it again would reset the device."""
    try:
        device.get_active_configuration()
    except usb.core.USBError as error:
        if error.errno is not None:  # pyusb says "not set" without a number
            raise
        device.set_configuration()


def _attach(device: usb.core.Device) -> None:
    with contextlib.suppress(usb.core.USBError, NotImplementedError):
        device.attach_kernel_driver(INTERFACE)


def _give_back(device: usb.core.Device, *, reattach: bool) -> None:
    """Never raises: the device may be gone."""
    with contextlib.suppress(usb.core.USBError):
        usb.util.release_interface(device, INTERFACE)
    if reattach:
        _attach(device)
    with contextlib.suppress(usb.core.USBError):
        usb.util.dispose_resources(device)


def _refusal(
    error: usb.core.USBError, location: str, holder: Callable[[], str]
) -> DeviceAbsent | DeviceInUse:
    if error.errno == errno.EBUSY:
        return DeviceInUse("DEVICE_IN_USE", location=location, holder=holder())
    if error.errno in _DENIED:
        return DeviceInUse("DEVICE_FORBIDDEN", location=location)
    if error.errno in _GONE:
        return DeviceAbsent("DEVICE_ABSENT", location=location)
    what = "setup_unanswered" if error.errno in _SILENT else "setup_failed"
    return DeviceAbsent("DEVICE_MUTE", location=location, what=what, reason=str(error))
