"""The orders that concern one simulated device: its power, its manners, its clock, what it shows.

Knows no connection and no fault script.
"""

from __future__ import annotations

from taxagent.simulator import control_messages as m
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.quirks import Quirks
from taxagent.simulator.usb_bus import Port, UsbBus

DeviceOrder = (
    m.Plug | m.Unplug | m.PowerCycle | m.Hang | m.Silence | m.SetUsb | m.SetClock | m.SetPassword | m.Upload
)


class BadOrder(Exception):
    """An order that cannot be carried out; the text says why."""


def carry_out(bus: UsbBus, port: Port, order: DeviceOrder) -> None:
    """Do what is ordered with the device at `port`. Raises BadOrder."""
    match order:
        case m.Plug() | m.Unplug() | m.PowerCycle():
            _power(bus, port, order)
        case m.Hang() | m.Silence() | m.SetUsb():
            _behave(port.quirks, order)
        case _:
            _change(port.device, order)


def _power(bus: UsbBus, port: Port, order: m.Plug | m.Unplug | m.PowerCycle) -> None:
    try:
        if isinstance(order, m.Unplug):
            bus.unplug(port.busid)
        elif isinstance(order, m.PowerCycle):
            bus.power_cycle(port.busid, order.port or "")
        elif port.plugged and order.port not in (None, port.busid):
            raise BadOrder(f"{order.device} is plugged in at {port.busid}: unplug it first, or power_cycle")
        else:
            bus.plug(port.busid, order.port or "")
    except ValueError as error:
        raise BadOrder(str(error)) from error


def _behave(quirks: Quirks, order: m.Hang | m.Silence | m.SetUsb) -> None:
    if isinstance(order, m.Hang):
        quirks.hung = True
    elif isinstance(order, m.Silence):
        quirks.silent = True
    else:
        if order.readable_strings is not None:
            quirks.readable_strings = order.readable_strings
        if order.empty_reads is not None:
            quirks.empty_reads = order.empty_reads


def _set_clock(device: VirtualDevice, order: m.SetClock) -> None:
    if (order.set, order.advance_s, order.battery) == (None, None, None):
        raise BadOrder("clock: give set, advance_s or battery")
    if order.battery is not None:
        device.kept.change_battery(order.battery)
    if order.set is not None:
        device.kept.set_clock(order.set)
    if order.advance_s is not None:
        try:
            device.kept.advance_clock(order.advance_s)
        except OverflowError as error:
            raise BadOrder("clock: beyond the years that a date has") from error


def _change(device: VirtualDevice, order: m.SetClock | m.SetPassword | m.Upload) -> None:
    with device.lock:
        if isinstance(order, m.SetClock):
            _set_clock(device, order)
        elif isinstance(order, m.SetPassword):
            device.kept.set_password(order.set)
        else:
            device.kept.upload_all()


def shown(port: Port) -> m.Shown:
    """Return how the device stands now."""
    device = port.device
    with device.lock:
        memory, clock = device.memory, device.now().replace(microsecond=0)
        battery, pending = device.kept.battery, device.pending_uploads()
    return m.Shown(
        busid=port.busid,
        device_no=device.scenario.device_no,
        kind=device.scenario.kind.value,
        taxpayer_id=device.scenario.taxpayer_id,
        plugged=port.plugged,
        held_by_host=port.host is not None,
        address=port.usb.devnum,
        state=port.quirks.state,
        battery=battery.value,
        pending_uploads=pending,
        readable_strings=port.quirks.readable_strings,
        empty_reads=port.quirks.empty_reads,
        largest_read=port.quirks.largest_read,
        terminal_no=device.scenario.terminal_no,
        clock=clock,
        tries_left=memory.tries_left,
        groups={g.group: (g.last_report, g.invoicing_deadline) for g in memory.groups},
    )
