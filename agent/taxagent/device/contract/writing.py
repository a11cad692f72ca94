"""Checks of what is remembered and sealed: LAST_WRITE, payload hashes, summaries. They write nothing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from itertools import pairwise

from taxagent.device.contract.bench import Bench, described
from taxagent.device.contract.session import newest_write
from taxagent.device.contract.verdict import NotKept, NotTried, instance, ruled, same
from taxagent.model.device import SealOrder, WriteKind, WriteRecord
from taxagent.model.errors import DeviceRefused
from taxagent.model.faults import fault
from taxagent.model.period import period_of
from taxagent.model.period_state import reported_until
from taxagent.model.value import to_json
from taxagent.ports import Device

_REMEMBERED = 8
_OCTOBER, _NOVEMBER = (
    SealOrder(
        group="007",
        period_from=dt.date(2026, month, 1),
        period_to=dt.date(2026, month, 30),
        expected_last_report=dt.date(2026, month - 1, 30),
    )
    for month in (10, 11)
)
_HASHED: dict[str, Callable[[Device], str]] = {
    "seal_sha256(October)": lambda device: device.seal_sha256(_OCTOBER),
    "seal_sha256(November)": lambda device: device.seal_sha256(_NOVEMBER),
    "ticket_sha256(one)": lambda device: device.ticket_sha256(b"one", dt.date(2026, 11, 16)),
    "ticket_sha256(two)": lambda device: device.ticket_sha256(b"two", dt.date(2026, 11, 16)),
    "clock_ticket_sha256(one)": lambda device: device.clock_ticket_sha256(b"one"),
    "clock_ticket_sha256(two)": lambda device: device.clock_ticket_sha256(b"two"),
}


def last_writes_are_ordered(bench: Bench) -> str:
    """last_writes() has at most 8, newest first by write_no; what was refused changed nothing."""
    with bench.opened() as device:
        writes = device.last_writes()
    instance("last_writes()", writes, tuple)
    ruled("last_writes()", len(writes), "<= 8", kept=len(writes) <= _REMEMBERED)
    for write in writes:
        instance("last_writes()[]", write, WriteRecord)
        instance("kind", write.kind, WriteKind)
        sha256 = write.payload_sha256
        ruled("payload_sha256", sha256, "[0-9a-f]{64}", kept=re.fullmatch(r"[0-9a-f]{64}", sha256))
        ruled("write_no", write.write_no, ">= 1", kept=write.write_no >= 1)
        if not write.accepted:
            same(f"before, after of the refused write {write.write_no}", write.before, write.after)
    numbers = [write.write_no for write in writes]
    ruled("write_no", numbers, "newest first", kept=all(a > b for a, b in pairwise(numbers)))
    return f"writes={len(writes)}"


def hashes_are_pure(bench: Bench) -> str:
    """The payload hashes need no device: the same in every session, and after the device was given back."""
    with bench.held() as device:
        device.hello()
        first = _hashes(device)
        device.hello()
        _same_hashes("in another session", first, device)
    _same_hashes("after the hold", first, device)
    for what, sha256 in first.items():
        ruled(what, sha256, "[0-9a-f]{64}", kept=re.fullmatch(r"[0-9a-f]{64}", sha256))
    for (one, first_hash), (other, second_hash) in list(pairwise(first.items()))[::2]:
        ruled(f"{one}, {other}", first_hash, "different", kept=first_hash != second_hash)
    return ""


def summary_is_a_pure_read(bench: Bench) -> str:
    """read_summary() of the month reported last gives the same bytes each time, and changes nothing."""
    with bench.opened() as device:
        before, newest = device.monitor(), newest_write(device)
        row = before[0]
        month = period_of(reported_until(row, bench.quirks) - dt.timedelta(days=1))
        try:
            first, second = (device.read_summary(row.group, month) for _ in range(2))
        except DeviceRefused as refusal:
            bench.errors.append(refusal)
            same("fault", "NO_SUCH_DATA", refusal.fault)
            raise NotTried("no_summary", group=row.group, period=month) from refusal
        instance("read_summary()", first, bytes)
        ruled("read_summary()", len(first), ">= 1 bytes", kept=first)
        ruled("read_summary()", f"{len(first)}, {len(second)} bytes", "twice the same", kept=first == second)
        same("monitor()", before, device.monitor())
        same("newest write_no", newest, newest_write(device))
    return f"bytes={len(first)}"


def reading_writes_nothing(bench: Bench) -> str:
    """After all these reads LAST_WRITE is as it was before them."""
    with bench.opened() as device:
        newest = newest_write(device)
    if bench.writes_at_first is None:
        raise NotTried("no_baseline")
    same("newest write_no", bench.writes_at_first, newest)
    return f"write_no={newest}"


def errors_are_of_the_catalogue(bench: Bench) -> str:
    """Every error that the driver raised here has a code of the fault catalogue and facts that are texts."""
    for error in bench.errors:
        ruled(
            type(error).__name__, error.fault, "a code of the fault catalogue", kept=fault(error.fault).known
        )
        texts = all(isinstance(fact, str) for fact in (*error.detail.values(), error.device_code))
        ruled(f"detail of {error.fault}", error.detail, "texts", kept=texts)
        try:
            to_json(error.problem())
        except (TypeError, ValueError) as wrong:
            raise NotKept("raised", call="problem()", error=described(wrong)) from wrong
    return f"errors={len(bench.errors)}"


def _hashes(device: Device) -> dict[str, str]:
    return {what: hashed(device) for what, hashed in _HASHED.items()}


def _same_hashes(when: str, first: dict[str, str], device: Device) -> None:
    for what, hashed in _HASHED.items():
        try:
            again = hashed(device)
        except Exception as error:
            raise NotKept("raised", call=f"{what} {when}", error=described(error)) from error
        same(f"{what} {when}", first[what], again)
