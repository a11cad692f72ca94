"""Lines of a check that the device alone answers: who it is, whose, its clock, its room, what is pending."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from taxagent.model.bureau import BureauStatus
from taxagent.model.checks import made, of_error
from taxagent.model.device import DeviceInfo, DeviceState, Hello, MonitorData
from taxagent.model.errors import AgentError, DeviceRefused, Refusal
from taxagent.model.lines import CheckLine, CheckState
from taxagent.model.simtime import SHANGHAI, local_time
from taxagent.model.taxpayer import taxpayer_id
from taxagent.model.windows import CLOCKS_APART
from taxagent.procedures.checks_windows import something_due
from taxagent.procedures.work import Work

CLOSE_S = 60  # clocks that are a minute apart change nothing but the hour's edge
CAPACITY_LOW = 100
_DAYS = {1: "DEVICE_CERTIFICATE_1_DAY", 7: "DEVICE_CERTIFICATE_7_DAYS", 30: "DEVICE_CERTIFICATE_30_DAYS"}


def greeted(hello: Hello) -> Iterator[CheckLine]:
    """Yield that the device is there, and its firmware."""
    yield made("device", "DEVICE_PRESENT", device_no=hello.device_no, kind=hello.kind.value)
    yield made("firmware", "FIRMWARE" if hello.firmware else "FIRMWARE_UNKNOWN", firmware=hello.firmware)


def registration(info: DeviceInfo, refused: AgentError | None) -> Iterator[CheckLine]:
    """Yield whether the bureau issued it and its vendor registered it, and whether it is one for lessons."""
    if refused is not None and refused.fault == "DEVICE_UNREGISTERED":
        yield of_error("registered", refused)
    else:
        yield made("registered", "REGISTERED")
    training = {True: "TRAINING_DEVICE", False: "NOT_TRAINING", None: "TRAINING_UNKNOWN"}
    yield made("training", training[info.training])


def wrong_taxpayer(work: Work, info: DeviceInfo) -> Refusal | None:
    """Return the refusal of a device whose taxpayer is not the one that was asked for, or configured."""
    known = work.known.get(info.device_no)
    for expected in (work.job.scope.taxpayer_id, known.taxpayer_id if known is not None else ""):
        if expected and expected != info.taxpayer_id:
            return Refusal("TAXPAYER_WRONG", expected=expected, found=info.taxpayer_id)
    return None


def taxpayer(info: DeviceInfo, wrong: Refusal | None) -> Iterator[CheckLine]:
    """Yield whether the taxpayer is the right one and its number well formed."""
    if wrong is not None:
        yield of_error("taxpayer", wrong)
        return
    facts = {"taxpayer_id": info.taxpayer_id, "name": info.taxpayer_name}
    try:
        taxpayer_id(info.taxpayer_id)
    except ValueError:
        yield made("taxpayer", "TAXPAYER_MALFORMED", **facts)
        return
    yield made("taxpayer", "TAXPAYER_OK", **facts)


def certificate(info: DeviceInfo, today: dt.date) -> Iterator[CheckLine]:
    """Yield until when the device's own certificate is valid."""
    left = (info.certificate_to - today).days
    facts = {"until": info.certificate_to.isoformat(), "days": str(max(0, left))}
    if today < info.certificate_from:
        since = info.certificate_from.isoformat()
        yield made("certificate", "DEVICE_CERTIFICATE_NOT_YET", "device", since=since)
    elif left < 0:
        yield made("certificate", "DEVICE_CERTIFICATE_EXPIRED", "device", **facts)
    else:
        near = next((case for days, case in _DAYS.items() if left <= days), "DEVICE_CERTIFICATE_OK")
        yield made("certificate", near, "device", **facts)


def self_test(work: Work) -> Iterator[CheckLine]:
    """Yield what the device finds of itself."""
    try:
        work.device.self_test()
    except DeviceRefused as refused:
        yield of_error("self_test", refused)
        return
    yield made("self_test", "SELF_TEST_OK")


def capacity(work: Work, state: DeviceState) -> Iterator[CheckLine]:
    """Yield how many invoices still fit, a line a type."""
    for row in rows_of(work, state):
        left = row.capacity_left
        case = "CAPACITY_FULL" if left <= 0 else "CAPACITY_LOW" if left < CAPACITY_LOW else "CAPACITY_OK"
        yield made("capacity", case, row.invoice_type, left=str(left))


def clocks(work: Work, state: DeviceState, bureau: BureauStatus | None) -> Iterator[CheckLine]:
    """Yield how far the device's clock is from this computer's, and from the bureau's where that is known."""
    host = work.clock.local().astimezone(SHANGHAI).replace(tzinfo=None)
    yield _apart("host", state.clock, host)
    if bureau is not None:
        yield _apart("bureau", state.clock, local_time(bureau.clock_ms).replace(tzinfo=None))


def _apart(other: str, device: dt.datetime, there: dt.datetime) -> CheckLine:
    apart = abs(device - there)
    if apart > CLOCKS_APART and other == "host":
        facts = {"device_clock": _text(device), "host_clock": _text(there)}
        return of_error("clock", Refusal("CLOCK_WRONG", **facts), subject=other)
    case = "CLOCK_CLOSE" if apart.total_seconds() <= CLOSE_S else "CLOCK_OFF"
    seconds = str(round(apart.total_seconds()))
    return made("clock", case, other, seconds=seconds, device=_text(device), there=_text(there))


def uploads(work: Work, state: DeviceState) -> Iterator[CheckLine]:
    """Yield how many invoices are not uploaded, a line a type: they block what is due, else they warn."""
    stops = CheckState.FAIL if something_due(work, state) else CheckState.WARN
    for row in rows_of(work, state):
        if not row.pending_uploads:
            yield made("uploads", "UPLOADS_NONE", row.invoice_type)
            continue
        facts = {"pending": str(row.pending_uploads), "types": row.invoice_type}
        if row.upload_deadline is not None:
            facts["deadline"] = row.upload_deadline.isoformat()
        yield of_error("uploads", Refusal("UPLOAD_PENDING", **facts), stops, row.invoice_type)


def rows_of(work: Work, state: DeviceState) -> tuple[MonitorData, ...]:
    """Return the monitor data of the types in scope."""
    return tuple(row for row in state.monitor if row.invoice_type in work.job.scope.types)


def _text(moment: dt.datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")
