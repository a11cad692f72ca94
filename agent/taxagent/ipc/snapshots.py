"""Devices, the agent's status and what `prepare` shows, as the wire shows them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from taxagent.ipc.views import problem_view, scope_view, short_view
from taxagent.jobs.asks import DeskStatus, DeviceView, Prepared, TypeView
from taxagent.model.device import Statistics
from taxagent.model.faults import Lang
from taxagent.model.job import Job
from taxagent.model.usb import SeenDevice
from taxagent.model.words import word
from taxclient.protocol import messages as m

LIVE_SHOWN = 100  # jobs in a status: it stays small (60 kB), whoever submits how much


class LiveViews:
    """Views of live jobs, each made once for a job's state: two statuses often differ by one job."""

    def __init__(self) -> None:
        self._made: dict[Lang, dict[str, tuple[Job, m.JobView]]] = {}

    def of(self, jobs: Sequence[Job], lang: Lang) -> tuple[m.JobView, ...]:
        """Return the jobs' views, and remember these alone."""
        before, now = self._made.get(lang, {}), dict[str, tuple[Job, m.JobView]]()
        for job in jobs:
            known = before.get(job.job_id)
            now[job.job_id] = known if known and known[0] is job else (job, short_view(job, lang))
        self._made[lang] = now
        return tuple(view for _, view in now.values())


def status_result(status: DeskStatus, lang: Lang, live: LiveViews) -> m.StatusResult:
    """Return what the agent knows at once."""
    return m.StatusResult(
        version=status.version,
        started_ms=status.started_ms,
        simulated=status.simulated,
        verifying=status.verifying,
        draining=status.draining,
        devices=tuple(device_view(device, lang) for device in status.devices),
        seen=tuple(seen_view(thing) for thing in status.seen),
        live_jobs=live.of(status.live_jobs[:LIVE_SHOWN], lang),
        live_count=len(status.live_jobs),
        trouble=problem_view(status.trouble, lang) if status.trouble else None,
    )


def devices_result(status: DeskStatus, lang: Lang) -> m.DevicesResult:
    """Return the devices alone."""
    return m.DevicesResult(
        devices=tuple(device_view(device, lang) for device in status.devices),
        seen=tuple(seen_view(thing) for thing in status.seen),
    )


def device_view(device: DeviceView, lang: Lang) -> m.DeviceView:
    """Return a device's snapshot."""
    state = device.state
    return m.DeviceView(
        device_no=device.device_no,
        location=device.location,
        kind=device.kind,
        simulated=device.simulated,
        firmware=state.hello.firmware if state else "",
        taxpayer_id=device.taxpayer_id,
        taxpayer_name=device.taxpayer_name,
        terminal_no=device.terminal_no,
        held_by=word("holder", device.held_by, lang),
        held_since_ms=device.held_since_ms,
        as_of_ms=device.as_of_ms,
        stale=device.stale,
        clock=state.clock.isoformat() if state else "",
        tries_left=state.hello.tries_left if state else None,
        types=tuple(_type(view) for view in device.types),
        problem=problem_view(device.problem, lang) if device.problem else None,
    )


def prepared_result(prepared: Prepared, lang: Lang) -> m.PreparedResult:
    """Return what a person must see before confirming."""
    return m.PreparedResult(
        token=prepared.token,
        expires_ms=prepared.expires_ms,
        kind=prepared.kind,
        scope=scope_view(prepared.scope),
        device=device_view(prepared.device, lang),
        totals=tuple(_totals(statistics) for statistics in prepared.totals),
        consequences=prepared.consequences,
        warnings=tuple(problem_view(problem, lang) for problem in prepared.warnings),
    )


def _type(view: TypeView) -> m.TypeView:
    return m.TypeView(
        invoice_type=view.invoice_type,
        group=view.group,
        invoicing_deadline=view.invoicing_deadline.isoformat(),
        last_report=view.last_report.isoformat(),
        pending_uploads=view.pending_uploads,
        locked=view.locked,
        overdue=view.overdue,
        periods=tuple(m.PeriodView(period=month, state=state) for month, state in view.periods),
    )


def seen_view(thing: SeenDevice) -> m.SeenView:
    """Return what is on the bus at a place."""
    return m.SeenView(
        location=thing.location,
        usb_id=f"{thing.vendor_id:04x}:{thing.product_id:04x}",
        recognised=thing.recognised,
        name=thing.name,
    )


def _totals(s: Statistics) -> m.TotalsView:
    return m.TotalsView(
        invoice_type=s.invoice_type,
        date_from=s.date_from.isoformat(),
        date_to=s.date_to.isoformat(),
        opening=s.opening,
        bought=s.bought,
        returned=s.returned,
        positive=s.positive,
        positive_voided=s.positive_voided,
        negative=s.negative,
        negative_voided=s.negative_voided,
        blank_voided=s.blank_voided,
        closing=s.closing,
        positive_amount=s.positive_amount,
        positive_tax=s.positive_tax,
        positive_voided_amount=s.positive_voided_amount,
        positive_voided_tax=s.positive_voided_tax,
        negative_amount=s.negative_amount,
        negative_tax=s.negative_tax,
        negative_voided_amount=s.negative_voided_amount,
        negative_voided_tax=s.negative_voided_tax,
    )
