"""Rows about devices: what an exchange costs above its bytes on the bus, and how soon a change is seen."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import usb.core

from taxagent.device import commands, wire
from taxagent.device.bulk_only import CBW_SIZE, CSW_SIZE, BulkOnly, encode_cbw
from taxagent.device.bus import host
from taxagent.device.claim import claimed
from taxagent.device.profile import ProfileDevice
from taxagent.device.wire import Request
from taxagent.simulator.site import Site, example
from taxclient.protocol.messages import DeviceView
from tests.bench.figures import Measured, median, percentile, rotated
from tests.bench.ground import Ground, ground
from tests.builders.site import DEVICE, SCENARIO

_BATCH = 40  # exchanges of a round
_PASSWORD_SEQUENCE = 1  # OPEN is the first command of a session
_PATIENCE_S = 10.0
_TIMEOUT_MS = 5_000


def exchange(rounds: int) -> Measured:
    """The question CLOCK by the driver, beside its six transfers by pyusb alone, on the same device."""
    with _plugged() as device:
        driver = ProfileDevice(BulkOnly(device, monotonic=time.monotonic), time.monotonic)

        def by_driver() -> list[float]:
            driver.hello()
            driver.open(SCENARIO.password)
            return [_timed(driver.clock) for _ in range(_BATCH)]

        def raw() -> list[float]:
            session = bytes.fromhex(driver.hello().session)
            driver.open(SCENARIO.password)
            asked = [_Raw(device, session, _PASSWORD_SEQUENCE + n) for n in range(1, _BATCH + 1)]
            return [_timed(each.carry_out) for each in asked]

        bare, driven = rotated(rounds, raw, by_driver)
    floor, value = median(bare), median(driven)
    note = f"{value * 1e3:.2f} ms by the driver, {floor * 1e3:.2f} ms raw; 6 transfers by USB/IP each"
    return Measured(value=(value - floor) * 1e3, note=note)


def unplug_seen(rounds: int) -> Measured:
    """From the order to the bus to a status without the device; the slowest of all rounds."""
    with ground() as at:
        took = [_changes(at)[0] for _ in range(rounds)]
    return Measured(
        value=percentile(took, 1.0), note=f"slowest of {rounds}, median {median(took) * 1e3:.0f} ms"
    )


def replug_ready(rounds: int) -> Measured:
    """From the order to the bus to a status in which the device was read anew; the slowest of all rounds."""
    with ground() as at:
        took = [_changes(at)[1] for _ in range(rounds)]
    return Measured(
        value=percentile(took, 1.0), note=f"slowest of {rounds}, median {median(took) * 1e3:.0f} ms"
    )


def _changes(at: Ground) -> tuple[float, float]:
    """Unplug and plug; return the seconds until each was seen."""
    with at.shop.device_orders() as orders:
        begun = time.perf_counter()
        orders.order({"do": "unplug", "device": DEVICE})
        gone = _until(at, begun, lambda view: not view.location)
        begun = time.perf_counter()
        orders.order({"do": "plug", "device": DEVICE})
        ready = _until(at, begun, lambda view: bool(view.location) and bool(view.types) and not view.stale)
    return gone, ready


def _until(at: Ground, begun: float, holds: Callable[[DeviceView], bool]) -> float:
    while not any(holds(view) for view in at.one.status().devices):
        if time.perf_counter() - begun > _PATIENCE_S:
            msg = f"not within {_PATIENCE_S:.0f} s"
            raise TimeoutError(msg)
        time.sleep(0.001)
    return time.perf_counter() - begun


@contextmanager
def _plugged() -> Iterator[usb.core.Device]:
    """Yield the simulated device, claimed by this process; no agent."""
    with tempfile.TemporaryDirectory(prefix="tca-") as folder, Site(Path(folder)) as shop:
        ready = shop.start_devices([example("control_disk")]).ready
        bus = host(f"usbip://{ready['usbip']}?control={ready['control'].rpartition(':')[2]}")
        bus.refresh()
        device = next(iter(usb.core.find(find_all=True, backend=bus.backend)))
        with claimed(device, "bench", holder=lambda: ""):
            yield device


class _Raw:
    """One question as its transfers, made beforehand: nothing is packed, looked at or checked meanwhile."""

    def __init__(self, device: usb.core.Device, session: bytes, sequence: int) -> None:
        body = commands.CLOCK.body(commands.Nothing())
        request = Request(command=commands.Command.CLOCK, session=session, sequence=sequence, body=body)
        self._frame = wire.encode_request(request)
        execute = wire.execute_cdb(request, len(self._frame))
        fetch = wire.fetch_cdb(session, sequence, 0)
        self._execute = encode_cbw(2 * sequence, len(self._frame), execute, data_in=False)
        self._fetch = encode_cbw(2 * sequence + 1, wire.BLOCK, fetch, data_in=True)
        self._device = device
        self._out, self._in = _endpoints(device)

    def carry_out(self) -> None:
        """Move the bytes."""
        write, read = self._device.write, self._device.read
        write(self._out, self._execute, _TIMEOUT_MS)
        write(self._out, self._frame, _TIMEOUT_MS)
        read(self._in, CSW_SIZE, _TIMEOUT_MS)
        write(self._out, self._fetch, _TIMEOUT_MS)
        read(self._in, wire.BLOCK, _TIMEOUT_MS)
        status = read(self._in, CSW_SIZE, _TIMEOUT_MS)
        if len(self._fetch) != CBW_SIZE or status[-1] != 0:
            msg = "the device refused the raw exchange"
            raise RuntimeError(msg)


def _endpoints(device: usb.core.Device) -> tuple[int, int]:
    addresses = [endpoint.bEndpointAddress for endpoint in device.get_active_configuration()[(0, 0)]]
    return next(one for one in addresses if one < 0x80), next(one for one in addresses if one >= 0x80)


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
