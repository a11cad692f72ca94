"""What is shown of a device, made of what was read of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from taxagent.jobs.asks import DeviceView, TypeView
from taxagent.model.device import QUIRKS, DeviceState, Hello
from taxagent.model.job import Job, JobState
from taxagent.model.period_state import due_periods, locked, overdue, period_state


def away(view: DeviceView) -> DeviceView:
    """Return the view of a device that is not plugged any more."""
    return msgspec.structs.replace(view, location="", held_by="", held_since_ms=0, stale=True)


def worked_on(views: tuple[DeviceView, ...], live: Iterable[Job]) -> tuple[DeviceView, ...]:
    """Return the views, those of devices that a running job works on as held by the agent.

    `held_since_ms` is then the beginning of the job's newest step, or where the device is kept, of that.
    """
    since = {
        job.scope.device_no: max((run.begun_ms for run in job.steps), default=job.accepted_ms)
        for job in live
        if job.state is JobState.RUNNING
    }
    return tuple(
        msgspec.structs.replace(view, held_by="agent", held_since_ms=since[view.device_no])
        if view.location and view.device_no in since and view.held_by != "agent"
        else view
        for view in views
    )


def view_of(location: str, state: DeviceState, now_ms: int) -> DeviceView:
    """Return the view that a reading makes."""
    return DeviceView(
        device_no=state.hello.device_no,
        location=location,
        kind=state.hello.kind.value,
        simulated=state.hello.simulated,
        taxpayer_id=state.info.taxpayer_id,
        taxpayer_name=state.info.taxpayer_name,
        terminal_no=state.info.terminal_no,
        held_by="",
        held_since_ms=0,
        as_of_ms=now_ms,
        stale=False,
        state=state,
        types=tuple(_type_views(state)),
        problem=None,
    )


def _type_views(state: DeviceState) -> Iterable[TypeView]:
    quirks = QUIRKS.get(state.hello.kind)
    if quirks is None:
        return
    for row in state.monitor:
        due = [
            (month, period_state(month, state.clock, row, quirks).value)
            for month in due_periods(state.clock, row, quirks)
        ]
        yield TypeView(
            invoice_type=row.invoice_type,
            group=row.group,
            invoicing_deadline=row.invoicing_deadline,
            last_report=row.last_report,
            pending_uploads=row.pending_uploads,
            locked=locked(state.clock, row, quirks),
            overdue=overdue(state.clock, row, quirks),
            periods=tuple(due),
        )


def bare_view(device_no: str, hello: Hello | None, now_ms: int) -> DeviceView:
    """Return the view of a device of which nothing was read, or no more than its greeting."""
    return DeviceView(
        device_no=device_no,
        location="",
        kind=hello.kind.value if hello is not None else "",
        simulated=hello.simulated if hello is not None else False,
        taxpayer_id="",
        taxpayer_name="",
        terminal_no=0,
        held_by="",
        held_since_ms=0,
        as_of_ms=now_ms,
        stale=False,
        state=None,
        types=(),
        problem=None,
    )
