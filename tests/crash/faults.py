"""The faults that strike in the campaign: what each is, at which places it can show, and how it may end.

A fault strikes once. One that passes must not end a job; one that stays may, with the truth.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import httpx

import tests.crash.strikes as do
from taxagent.model.bureau import DeclarationState
from taxagent.model.errors import (
    DeviceAbsent,
    DeviceInUse,
    JournalFull,
    JournalUnknown,
    Refusal,
)
from taxagent.simulator.bureau_faults import Act as BureauAct
from taxagent.simulator.bureau_faults import Point
from tests.builders.driven import DrivenBench
from tests.builders.scenario import clear_ticket
from tests.builders.work import CODE
from tests.crash.strikes import Strike

DEVICE_CALLS = frozenset(
    {"hello", "open", "info", "clock", "monitor", "stock", "statistics", "invoices", "seal", "reading"}
    | {"read_summary", "clock_ticket", "apply_ticket", "last_writes", "self_test"}
)
BUREAU_CALLS = frozenset(
    {"status", "get_report", "put_report", "get_declaration", "get_ticket", "put_ticket", "confirm"}
)
_CLOCKED = DEVICE_CALLS | {"commit"}
_TICKET = frozenset({"put_ticket"})
_FOREIGN = clear_ticket(device_no="661700000029")
_STALE = clear_ticket(serial=0)
PASSES = frozenset({"done"})
STAYS = frozenset({"done", "refused", "needs_human"})


@dataclass(frozen=True)
class Fault:
    """A fault. `places` are the calls at which it can show, `when` whether before or after them."""

    name: str
    when: str  # "before" | "after"
    places: frozenset[str]
    act: Strike  # from the bench and the call's name to what happens there
    ends: frozenset[str] = PASSES
    twice: bool = False  # it strikes again, do.AGAIN points later

    def shows_at(self, place: str) -> bool:
        """Return whether the fault can show at that point of a run."""
        when, _, name = place.partition(" ")
        return when == self.when and name in self.places

    def strike(self, bench: DrivenBench, number: int) -> None:
        """Let it strike at the point of that number."""
        tap, inner = bench.tap, bench.tap.pass_by

        def pass_by(place: str) -> None:
            here = len(tap.passed) == number
            inner(place)
            if here:
                self.act(bench, place.partition(" ")[2])()

        tap.pass_by = pass_by  # type: ignore[method-assign]


_LIST = (
    # ---- the device, as the driver tells it
    Fault("absent", "before", DEVICE_CALLS, do.raises(lambda: DeviceAbsent("DEVICE_ABSENT"))),
    Fault("mute", "before", DEVICE_CALLS, do.raises(lambda: DeviceAbsent("DEVICE_MUTE"))),
    Fault("busy", "before", DEVICE_CALLS, do.raises(lambda: DeviceInUse("DEVICE_BUSY"))),
    Fault("lost_unsent", "before", DEVICE_CALLS, do.raises(do.lost)),
    Fault("lost", "after", DEVICE_CALLS, do.raises(do.lost)),
    Fault("power_cycle", "before", DEVICE_CALLS, do.power_cycle),
    Fault("power_cycle_after", "after", DEVICE_CALLS, do.power_cycle),
    Fault("clock_ahead", "before", DEVICE_CALLS, do.clock(hours=13), STAYS),
    Fault("clock_behind", "before", DEVICE_CALLS, do.clock(hours=-13), STAYS),
    Fault("clock_dead", "before", DEVICE_CALLS, do.clock(days=-9000), STAYS),
    Fault("clock_next_month", "before", DEVICE_CALLS, do.clock(days=31), STAYS),
    Fault("clock_last_month", "before", DEVICE_CALLS, do.clock(days=-31), STAYS),
    Fault("password_changed", "before", DEVICE_CALLS, do.remembers(password="12345678"), STAYS),
    Fault("password_blocked", "before", DEVICE_CALLS, do.remembers(tries_left=0), STAYS),
    Fault("sealed_by_another", "before", DEVICE_CALLS, do.other_program, STAYS),
    Fault("cleared_by_another", "before", DEVICE_CALLS, do.other_program_clears, STAYS),
    Fault("another_device", "before", DEVICE_CALLS, do.another_device),
    Fault("counter_lies", "before", DEVICE_CALLS, do.counter_lies, STAYS),
    Fault("memory_full", "before", DEVICE_CALLS, do.memory_full, STAYS),
    # ---- the bureau, through the real client
    Fault("refused_connection", "before", BUREAU_CALLS, do.network(lambda: httpx.ConnectError("refused"))),
    Fault("too_slow", "before", BUREAU_CALLS, do.network(lambda: httpx.ReadTimeout("too slow"))),
    Fault("wrong_certificate", "before", BUREAU_CALLS, do.network(do.certificate), STAYS),
    Fault("reset_before", "before", BUREAU_CALLS, do.bureau(BureauAct.DROP)),
    Fault("reset_after", "before", BUREAU_CALLS, do.bureau(BureauAct.DROP, Point.AFTER)),
    Fault("too_many", "before", BUREAU_CALLS, do.bureau(BureauAct.BUSY, status=429, retry_after_s=1.0)),
    Fault("unavailable", "before", BUREAU_CALLS, do.bureau(BureauAct.BUSY, status=503)),
    Fault("maintenance", "before", BUREAU_CALLS, do.bureau(BureauAct.MAINTENANCE, retry_after_s=60.0)),
    Fault("garbled", "before", BUREAU_CALLS, do.bureau(BureauAct.GARBLE, Point.AFTER), STAYS),
    Fault(
        "bureau_says_no", "before", BUREAU_CALLS, do.bureau(BureauAct.REFUSE, code="DEVICE_UNKNOWN"), STAYS
    ),
    Fault("challenge", "before", BUREAU_CALLS, do.challenge(CODE)),
    Fault("challenge_wrong", "before", BUREAU_CALLS, do.challenge("wrong", CODE)),
    Fault("challenge_kept", "before", BUREAU_CALLS, do.challenge(CODE, kept=True)),
    Fault("challenge_unanswered", "before", BUREAU_CALLS, do.challenge(), STAYS | {"expired"}),
    Fault("withdrawn", "before", BUREAU_CALLS, do.returned(DeclarationState.MISSING), STAYS | {"waiting"}),
    Fault("mismatch", "before", BUREAU_CALLS, do.returned(DeclarationState.MISMATCH), STAYS | {"waiting"}),
    Fault("ticket_garbled", "before", _TICKET, do.tickets(clear_ticket=b"no ticket"), STAYS),
    Fault("ticket_foreign", "before", _TICKET, do.tickets(clear_ticket=_FOREIGN), STAYS),
    Fault("ticket_stale", "before", _TICKET, do.tickets(clear_ticket=_STALE), STAYS),
    Fault("ticket_too_early", "before", _TICKET, do.tickets(deadline=dt.date(2026, 11, 1)), STAYS),
    Fault("reports_forgotten", "before", BUREAU_CALLS, do.forgets_reports, STAYS),
    # ---- the host
    Fault("disk_full", "before", frozenset({"commit"}), do.raises(lambda: JournalFull("JOURNAL_FULL"))),
    Fault("fsync", "after", frozenset({"commit"}), do.raises(lambda: JournalUnknown("JOURNAL_UNKNOWN"))),
    Fault(
        "fsync_lost", "before", frozenset({"commit"}), do.raises(lambda: JournalUnknown("JOURNAL_UNKNOWN"))
    ),
    Fault(
        "no_room_for_backup",
        "before",
        frozenset({"archive"}),
        do.raises(lambda: Refusal("BACKUP_FAILED")),
        STAYS,
    ),
    Fault("batch_full", "before", frozenset({"batch"}), do.batch_full),
    Fault("batch_unknown", "after", frozenset({"COMMIT"}), do.raises(do.io_error)),
    Fault("batch_lost", "before", frozenset({"COMMIT"}), do.raises(do.io_error)),
    Fault("read_only", "before", frozenset({"commit", "archive"}), do.read_only),
    Fault("host_ahead", "before", _CLOCKED, do.host(hours=13), STAYS | {"expired"}),
    Fault("host_behind", "before", _CLOCKED, do.host(hours=-13), STAYS),
    Fault("host_next_year", "before", _CLOCKED, do.host(days=400), STAYS | {"expired"}),
    Fault("host_last_year", "before", _CLOCKED, do.host(days=-400), STAYS),
    Fault("suspended_an_hour", "before", _CLOCKED, do.all_clocks(hours=1)),
    Fault("suspended_twice", "before", _CLOCKED, do.twice(do.all_clocks(hours=1)), twice=True),
    Fault(
        "host_ahead_and_back",
        "before",
        _CLOCKED,
        do.twice(do.host(hours=13), do.host(hours=-13)),
        STAYS,
        twice=True,
    ),
    Fault(
        "host_back_and_ahead",
        "before",
        _CLOCKED,
        do.twice(do.host(hours=-13), do.host(hours=13)),
        STAYS,
        twice=True,
    ),
    Fault(
        "host_ahead_twice", "before", _CLOCKED, do.twice(do.host(hours=13)), STAYS | {"expired"}, twice=True
    ),
    Fault("month_turns", "before", _CLOCKED, do.all_clocks(days=28), STAYS | {"expired"}),
)
FAULTS = {fault.name: fault for fault in _LIST}
OF_A_BATCH = tuple(name for name in FAULTS if name.startswith("batch_"))  # only where commits are shared
