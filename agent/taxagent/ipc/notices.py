"""The journal's rows as events for everyone: ids and states only, since the event channel knows no roles."""

from __future__ import annotations

from taxagent.model.events import (
    AnyEvent,
    DeviceEvent,
    JobAccepted,
    JobEnded,
    JobEvent,
    JobNeedsHuman,
    JobRunning,
    JobUnknown,
    JobWaiting,
    PasswordTried,
    StepBegun,
    StepEnded,
)
from taxagent.model.job import JobState
from taxclient.protocol.messages import EventView

_STATES: dict[type[JobEvent], JobState] = {
    JobAccepted: JobState.ACCEPTED,
    JobRunning: JobState.RUNNING,
    JobWaiting: JobState.WAITING,
    JobUnknown: JobState.UNKNOWN,
    JobNeedsHuman: JobState.NEEDS_HUMAN,
}


def notice(seq: int, event: AnyEvent, boot: str = "") -> EventView:
    """Return what may be told of a row to whoever listens."""
    kind = str(type(event).__struct_config__.tag)
    if isinstance(event, PasswordTried | DeviceEvent):
        number = event.device_no
        return EventView(
            seq=seq, boot=boot, topic=f"device.{number}", type=kind, at=event.at_ms, device_no=number
        )
    if not isinstance(event, JobEvent):
        return EventView(seq=seq, boot=boot, topic="agent", type=kind, at=event.at_ms)
    step = event.id if isinstance(event, StepBegun | StepEnded) else None
    state = event.state if isinstance(event, JobEnded) else _STATES.get(type(event), "")
    return EventView(
        seq=seq,
        boot=boot,
        topic=f"job.{event.job_id}",
        type=kind,
        at=event.at_ms,
        job_id=event.job_id,
        device_no=event.scope.device_no if isinstance(event, JobAccepted) else "",
        state=state,
        step=step.step if step else "",
        group=step.group if step else "",
        period=step.period if step else "",
        outcome=event.outcome if isinstance(event, JobEnded | StepEnded) else "",
    )
