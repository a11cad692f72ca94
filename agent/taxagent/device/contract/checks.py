"""The checks, in the order in which they are made: later ones rely on what earlier ones found.

docs/drivers.md lists them; a check's name is its function's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from taxagent.device.contract import asking, bus, listing, reading, refusing, session, writing
from taxagent.device.contract.bench import Bench

Probe = Callable[[Bench], str]  # returns what it saw ("" for nothing to add), raises where it is not so


@dataclass(frozen=True)
class Check:
    """One promise of ports.Device or ports.DeviceSource, and the function that holds a driver to it."""

    probe: Probe

    @property
    def name(self) -> str:
        """The check's name, as printed and documented."""
        return self.probe.__name__.replace("_", "-")


_PROBES: tuple[Probe, ...] = (
    bus.driver_loads,
    bus.trouble_is_told,
    bus.seen_is_described,
    bus.seen_is_repeatable,
    bus.watch_stops,
    bus.unknown_location_is_absent,
    bus.device_is_found,
    bus.hold_is_exclusive,
    bus.hold_is_exclusive_between_programs,
    bus.hold_is_given_back,
    session.hello_is_described,
    session.identity_is_stable,
    session.sessions_are_new,
    session.nothing_before_open,
    writing.hashes_are_pure,
    session.session_opens,
    session.hello_ends_a_session,
    session.close_never_raises,
    session.may_go_on_is_asked,
    bus.seen_opens_nothing,
    reading.info_agrees,
    reading.clock_is_naive,
    reading.monitor_is_described,
    reading.groups_hang_together,
    reading.dates_are_ordered,
    reading.limits_are_possible,
    reading.statistics_are_described,
    reading.stock_identity_holds,
    reading.statistics_add_up,
    reading.stock_is_described,
    reading.stock_is_the_closing_one,
    reading.unknown_type_is_refused,
    reading.self_test_is_plain,
    listing.invoices_are_described,
    listing.invoices_come_once,
    listing.invoices_are_all_there,
    listing.interval_is_closed,
    listing.list_may_be_left,
    listing.invoices_are_found,
    writing.summary_is_a_pure_read,
    writing.last_writes_are_ordered,
    writing.reading_writes_nothing,
    session.wrong_password_is_told,
    refusing.wrong_seal_is_refused,
    refusing.forged_ticket_is_refused,
    refusing.forged_clock_ticket_is_refused,
    refusing.seal_is_done_once,
    asking.watch_tells,
    asking.absent_is_told,
    writing.errors_are_of_the_catalogue,
)
CHECKS: tuple[Check, ...] = tuple(Check(probe) for probe in _PROBES)
