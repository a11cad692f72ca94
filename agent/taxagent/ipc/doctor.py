"""doctor: the findings of the probes, and how each device stands that the agent knows of."""

from __future__ import annotations

from collections.abc import Iterator

import zmq

from taxagent.jobs.asks import DeskStatus
from taxagent.model.checks import made, of_error, of_problem
from taxagent.model.errors import Unavailable
from taxagent.model.lines import CheckLine, CheckState


def device_lines(status: DeskStatus) -> Iterator[CheckLine]:
    """Yield a line for each device of the newest snapshot: plugged and well, or its trouble."""
    for view in status.devices:
        if view.problem is not None:
            yield of_problem("device", view.problem, subject=view.device_no or view.location)
        elif view.location:
            yield made("device", "DEVICE_PRESENT", view.device_no, device_no=view.device_no, kind=view.kind)
        else:
            gone = Unavailable("DEVICE_ABSENT", device_no=view.device_no)
            yield of_error("device", gone, CheckState.WARN, view.device_no)


def library_version() -> str:
    """Return libzmq's version such as "4.3.5"."""
    return zmq.zmq_version()
