"""The bus: recognised from descriptors alone, held for a while, given back as it was found."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Literal

import pytest

from taxagent.device.bus import UsbSource, host
from taxagent.device.identities import identities, identity_of
from taxagent.device.libusb_host import LibusbHost
from taxagent.device.usbip_host import UsbipHost
from taxagent.model.errors import AgentError, DeviceAbsent, DeviceInUse
from taxagent.model.faults import text
from taxagent.model.usb import Recognised
from tests.builders.usb import Ticking
from tests.builders.usb_bus import FakeBackend, FakeDevice, FakeHost

LOCATION = "usb:1-4#7"


class Bus:
    """A source over a fake bus, with a clock that only its pauses move."""

    def __init__(self, *devices: FakeDevice) -> None:
        self.clock = Ticking()
        self.pauses: list[float] = []
        self.host = FakeHost(*devices)
        self.source = UsbSource(self.host, monotonic=self.clock, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.now += seconds


# ---- recognising


def test_the_profiles_descriptor_makes_a_candidate() -> None:
    (seen,) = Bus(FakeDevice()).source.seen()
    assert (seen.recognised, seen.location, seen.name) == (Recognised.PROFILE, LOCATION, "Maker Thing")


def test_a_known_identity_is_a_vendors_device_named_in_both_languages() -> None:
    bus = Bus(FakeDevice(vid=0x1432, pid=0x07DC, extra=b""))
    (seen,) = bus.source.seen()
    assert seen.recognised is Recognised.VENDOR
    assert "税控盘" in seen.name
    assert "tax-control disk" in seen.name


def test_everything_else_is_other() -> None:
    (seen,) = Bus(FakeDevice(vid=0x0781, pid=0x5567, extra=b"")).source.seen()
    assert (seen.recognised, seen.name) == (Recognised.OTHER, "Maker Thing")


def test_nothing_is_opened_to_find_out_what_it_is() -> None:
    devices = [
        FakeDevice(),
        FakeDevice(vid=0x1432, pid=0x07DC, extra=b"", ports=(5,), address=8),
        FakeDevice(vid=0x0781, pid=0x5567, extra=b"", ports=(6,), address=9),
    ]
    bus = Bus(*devices)
    assert len(bus.source.seen()) == 3
    assert [device.log for device in devices] == [[], [], []]
    assert bus.host.opened_for_names[0] is True
    assert not any(bus.host.opened_for_names[1:])


def test_hubs_are_left_out() -> None:
    assert Bus(FakeDevice(device_class=9)).source.seen() == ()


def test_a_device_whose_descriptors_cannot_be_read_yet_is_looked_at_again() -> None:
    device = FakeDevice(unreadable=True)
    source = Bus(device).source
    assert source.seen()[0].recognised is Recognised.OTHER
    device.unreadable = False
    assert source.seen()[0].recognised is Recognised.PROFILE


def test_the_location_is_new_after_a_replug() -> None:
    bus = Bus(FakeDevice(address=7))
    first = bus.source.seen()[0].location
    bus.host.devices[0] = FakeDevice(address=8)
    bus.host.backend = FakeBackend(bus.host.devices)
    assert bus.source.seen()[0].location != first


def test_the_same_numbers_are_a_golden_disk_or_a_ukey_by_their_product_string() -> None:
    disk, ukey = identity_of(0x101D, 0x0003), identity_of(0x101D, 0x0003, "ChinaTax SWUKey")
    assert disk is not None
    assert ukey is not None
    assert (disk.kind, ukey.kind) == ("golden_disk", "ukey")


def test_every_identity_has_names_in_both_languages() -> None:
    assert all(row.zh and row.en for row in identities())
    assert len({(row.vendor_id, row.product_id, row.product) for row in identities()}) == len(identities())


# ---- holding


def test_a_hold_takes_the_device_from_the_kernel_and_gives_it_back() -> None:
    device = FakeDevice()
    with Bus(device).source.hold(LOCATION):
        assert device.log == ["open", "detach", "claim"]
    assert device.log[3:] == ["release", "attach", "close"]
    assert device.kernel_driver


def test_a_device_left_without_its_kernel_driver_gets_it_back_at_the_next_hold() -> None:
    """A killed agent could not give it back; the kernel's driver takes the device again after this hold."""
    device = FakeDevice(kernel_driver=False)
    with Bus(device).source.hold(LOCATION):
        pass
    assert device.log == ["open", "claim", "release", "attach", "close"]


def test_the_device_is_given_back_when_the_work_raises() -> None:
    device = FakeDevice()
    with pytest.raises(ZeroDivisionError), Bus(device).source.hold(LOCATION):
        raise ZeroDivisionError
    assert device.log[3:] == ["release", "attach", "close"]


def test_giving_back_a_device_that_vanished_raises_nothing() -> None:
    gone = [errno.ENODEV]
    device = FakeDevice(fails={"release": list(gone), "attach": list(gone), "close": list(gone)})
    with Bus(device).source.hold(LOCATION):
        pass
    assert device.log[3:6] == ["release fails", "attach fails", "close fails"]


def test_a_configuration_is_set_only_where_there_is_none() -> None:
    bare = FakeDevice(configured=0, kernel_driver=False)
    with Bus(bare).source.hold(LOCATION):
        pass
    assert bare.log[:3] == ["open", "configure", "claim"]


def test_a_device_in_other_hands_is_in_use_and_by_whom() -> None:
    device = FakeDevice(held_by="invoicing (pid 42)", fails={"claim": [errno.EBUSY]})
    with pytest.raises(DeviceInUse) as failed, Bus(device).source.hold(LOCATION):
        pass
    assert (failed.value.fault, failed.value.detail["holder"]) == ("DEVICE_IN_USE", "invoicing (pid 42)")
    assert device.log == ["open", "detach", "claim fails", "attach", "close"]


def test_a_denial_just_after_arrival_is_udev_still_working() -> None:
    device = FakeDevice(fails={"open": [errno.EACCES] * 3})
    bus = Bus(device)
    with bus.source.hold(LOCATION):
        pass
    assert len(bus.pauses) == 3


def test_a_denial_that_stays_is_forbidden_after_two_seconds() -> None:
    bus = Bus(FakeDevice(fails={"open": [errno.EACCES] * 99}))
    with pytest.raises(DeviceInUse) as failed, bus.source.hold(LOCATION):
        pass
    assert failed.value.fault == "DEVICE_FORBIDDEN"
    assert 1.8 <= sum(bus.pauses) <= 2.2


def test_a_denial_of_an_old_arrival_is_not_tried_again() -> None:
    bus = Bus(FakeDevice(fails={"open": [errno.EACCES]}))
    bus.source.seen()
    bus.clock.now += 60
    with pytest.raises(DeviceInUse), bus.source.hold(LOCATION):
        pass
    assert bus.pauses == []


@pytest.mark.parametrize("step", ["open", "detach", "claim"])
def test_a_device_that_vanishes_while_it_is_taken_is_absent(step: str) -> None:
    bus = Bus(FakeDevice(fails={step: [errno.ENODEV]}))
    with pytest.raises(DeviceAbsent), bus.source.hold(LOCATION):
        pass


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EPIPE, errno.EPROTO, errno.EIO])
@pytest.mark.parametrize("step", ["open", "configure", "claim"])
def test_a_device_that_is_plugged_and_cannot_be_set_up_is_mute_and_not_absent(step: str, number: int) -> None:
    bus = Bus(FakeDevice(configured=0, fails={step: [number]}))
    with pytest.raises(DeviceAbsent) as caught, bus.source.hold(LOCATION):
        pass
    assert (caught.value.fault, caught.value.detail["what"]) == ("DEVICE_MUTE", "setup_unanswered")


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.ENOSYS, errno.ENODEV])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_people_read_no_errno(number: int, lang: Literal["zh", "en"]) -> None:
    bus = Bus(FakeDevice(fails={"open": [number]}))
    with pytest.raises(DeviceAbsent) as caught, bus.source.hold(LOCATION):
        pass
    assert errno.errorcode[number] not in text(caught.value.problem(), lang).cause


def test_a_location_that_is_no_more_is_absent() -> None:
    with pytest.raises(DeviceAbsent), Bus().source.hold(LOCATION):
        pass


@pytest.mark.parametrize("vid", [0x1432, 0x0781])
def test_what_does_not_speak_the_profile_is_never_held(vid: int) -> None:
    device = FakeDevice(vid=vid, pid=0x07DC, extra=b"")
    with pytest.raises(DeviceAbsent), Bus(device).source.hold(LOCATION):
        pass
    assert device.log == []


def test_after_three_failures_in_a_row_the_library_is_started_afresh() -> None:
    bus = Bus(FakeDevice(fails={"open": [errno.EIO] * 3}))
    for _ in range(3):
        with pytest.raises(DeviceAbsent), bus.source.hold(LOCATION):
            pass
    assert bus.host.renewed == 1


# ---- watching


def test_a_watch_tells_arrivals_and_removals_once_each() -> None:
    bus, told = Bus(), []
    watch = bus.source.watch(lambda: told.append([seen.location for seen in bus.source.seen()]))
    bus.host.devices.append(FakeDevice())
    bus.host.event()
    bus.host.event()
    bus.host.devices.clear()
    bus.host.event()
    watch.stop()
    assert told == [[LOCATION], []]


def test_after_a_watch_is_stopped_there_is_no_call() -> None:
    bus, told = Bus(), list[str]()
    watch = bus.source.watch(lambda: told.append("changed"))
    watch.stop()
    watch.stop()
    bus.host.devices.append(FakeDevice())
    bus.host.event()
    assert told == []
    bus.source.watch(lambda: None).stop()


def test_trouble_is_told_as_a_change_and_ends() -> None:
    bus, told = Bus(FakeDevice()), []
    watch = bus.source.watch(lambda: told.append((bus.source.trouble(), len(bus.source.seen()))))
    bus.host.trouble = AgentError("USB_SERVER_DOWN")
    bus.host.event()
    bus.host.trouble = None
    bus.host.event()
    watch.stop()
    assert told == [(AgentError("USB_SERVER_DOWN").problem(), 0), (None, 1)]


# ---- without the library


def test_without_libusb_nothing_is_seen_and_the_reason_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usb.backend.libusb1.get_backend", lambda: None)
    source = UsbSource("libusb")
    assert source.seen() == ()
    trouble = source.trouble()
    assert trouble is not None
    assert trouble.fault == "USB_LIBRARY_MISSING"
    with pytest.raises(DeviceAbsent), source.hold(LOCATION):
        pass


def test_the_simulators_bus_needs_no_libusb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usb.backend.libusb1.get_backend", lambda: None)
    assert isinstance(host("usbip://127.0.0.1:3240"), UsbipHost)


def test_another_backend_is_refused_by_its_text() -> None:
    with pytest.raises(ValueError, match="write libusb"):
        UsbSource("winusb")


# ---- what Linux shows


def linux(root: Path) -> LibusbHost:
    device = root / "sys/bus/usb/devices/1-4"
    device.mkdir(parents=True)
    (device / "manufacturer").write_text("NISEC\n")
    (device / "product").write_text("Disk\n")
    return LibusbHost(FakeBackend([FakeDevice(vid=0x1432, pid=0x07DC, extra=b"")]), root)


def held(root: Path, pid: int, comm: str, node: str) -> None:
    (root / f"proc/{pid}/fd").mkdir(parents=True)
    (root / f"proc/{pid}/comm").write_text(comm + "\n")
    (root / f"proc/{pid}/fd/3").symlink_to(node)


def only_device(bus: LibusbHost) -> object:
    import usb.core

    return usb.core.find(backend=bus.backend)


def test_a_plugging_is_named_by_the_start_of_the_machine_the_port_and_the_address(tmp_path: Path) -> None:
    device = only_device(LibusbHost(FakeBackend([FakeDevice()]), tmp_path))
    boot = tmp_path / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("b007\n")
    assert LibusbHost(FakeBackend([]), tmp_path).arrival(device) == "b007:1-4#7"
    assert LibusbHost(FakeBackend([]), tmp_path / "none").arrival(device) == ""


def test_names_come_from_what_the_kernel_read(tmp_path: Path) -> None:
    bus = linux(tmp_path)
    assert bus.product(only_device(bus), ours=False) == ("NISEC", "Disk")


def test_programs_that_hold_the_node_are_named(tmp_path: Path) -> None:
    bus = linux(tmp_path)
    held(tmp_path, 42, "invoicing", "/dev/bus/usb/001/007")
    held(tmp_path, 43, "editor", "/dev/null")
    assert bus.holder(only_device(bus)) == "invoicing (pid 42)"


def test_else_the_kernels_driver_is_named(tmp_path: Path) -> None:
    bus = linux(tmp_path)
    interface = tmp_path / "sys/bus/usb/devices/1-4:1.0"
    interface.mkdir()
    (interface / "driver").symlink_to("../../../drivers/usb-storage")
    assert bus.holder(only_device(bus)) == "kernel driver usb-storage"


def test_where_nothing_is_known_nobody_is_accused(tmp_path: Path) -> None:
    bus = linux(tmp_path)
    assert bus.holder(only_device(bus)) == ""
