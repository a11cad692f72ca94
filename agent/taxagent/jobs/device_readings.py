"""What is asked of a device itself, in its thread: how much of it may wait, and what is said where it fails.

A reading may be a viewer's: it is passed by all other work, and there is a bound to how many wait. What an
operator needs to submit a job passes these, and has room of its own. Lives in the loop's thread.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from taxagent.jobs.asks import Ask, InvoiceAsk
from taxagent.jobs.office import Office
from taxagent.jobs.queue import DeviceQueue
from taxagent.jobs.requests import fresh
from taxagent.model.errors import AgentError, AnswerLost, Unavailable
from taxagent.ports import Device

T = TypeVar("T")
Answer = Callable[[object, Callable[..., None]], None]
"""Gives an answer in the loop's thread."""
Line = tuple[str, bool]
"""A device, and whether it is read for a job."""

WAITING = 64  # questions about one device, of whomever; and as many prepares


class DeviceReadings:
    """Has devices read, a bounded number of readings at a time."""

    def __init__(self, office: Office, answer: Answer) -> None:
        self._office = office
        self._answer = answer
        self._waiting: Counter[Line] = Counter()  # asked and not answered

    def ask(
        self,
        ask: Ask | InvoiceAsk,
        read: Callable[[Device, DeviceQueue], T],
        done: Callable[[T | AgentError], None],
    ) -> None:
        """Answer what `read` returns; it is called with the device and its queue, in the device's thread.

        Unavailable("RATE_LIMITED") where too many wait already. A reading whose asker has given up meanwhile
        does not touch the device.
        """
        queue = self._office.roster.queue_of(ask.device_no)
        if queue is None:
            done(self._not_there(ask.device_no))
            return
        line = (ask.device_no, isinstance(ask, Ask))
        if self._waiting[line] >= WAITING:
            done(Unavailable("RATE_LIMITED", device_no=ask.device_no, limit=str(WAITING)))
            return
        done = self._counted(line, done)

        def work(device: Device) -> None:
            try:
                result: T | AgentError = read(device, queue)
            except AnswerLost as lost:
                # Only reads were asked of the device: nothing can have been done.
                result = Unavailable(lost.fault, device_code=lost.device_code, **lost.detail)
            except AgentError as error:
                device.close()  # nobody else may find its session open
                result = error
            self._answer(result, done)

        def failed(error: AgentError) -> None:
            # Only reads were asked of the device: nothing can have been done.
            lost = isinstance(error, AnswerLost)
            self._answer(Unavailable(error.fault, **error.detail) if lost else error, done)

        wanted = functools.partial(self._wanted, ask)
        if not queue.put_reading(work, failed, wanted, for_job=isinstance(ask, Ask)):
            done(Unavailable("DRAINING", device_no=ask.device_no))

    def _wanted(self, ask: Ask | InvoiceAsk) -> None:
        fresh(ask, self._office.clock.utc_ms())

    def _counted(self, line: Line, done: Callable[[T], None]) -> Callable[[T], None]:
        """Return `done` for its first call alone: a thread that was given up may come back, long after."""
        self._waiting[line] += 1
        answered = False

        def first(answer: T) -> None:
            nonlocal answered
            if answered:
                return
            answered = True
            self._waiting[line] -= 1
            if not self._waiting[line]:
                del self._waiting[line]
            done(answer)

        return first

    def _not_there(self, device_no: str) -> AgentError:
        if self._office.roster.view(device_no) is None:
            return Unavailable("DEVICE_UNKNOWN", device_no=device_no)
        return self._office.roster.missing(device_no)
