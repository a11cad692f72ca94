"""How often and how long one call tries. Long waits are the job's (WAITING(bureau)), never this file's."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from taxagent.model.errors import AgentError, AnswerLost, BureauDown
from taxagent.ports import Clock

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

GIVE_UP_S = 20.0  # a device's thread waits no longer than this between the first try and the last one
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0
REPEATABLE_FAULTS = frozenset({"BUREAU_DOWN", "BUREAU_BUSY", "ANSWER_LOST"})


class Retrying:
    """Runs an attempt until it succeeds, fails for good, or time is up.

    `pause(seconds)` sleeps and returns True where the agent is ending: then the last failure is raised at
    once. `threading.Event.wait` of the stop event is such a function.
    """

    def __init__(
        self,
        clock: Clock,
        pause: Callable[[float], bool],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._jitter = jitter

    def run(self, attempt: Callable[[], T], *, repeatable: bool = True) -> T:
        """Return what `attempt` returns; raise its last error.

        Only errors on the allow-list are tried again: not reached, busy, and, where `attempt` is repeatable,
        answer lost.
        """
        import tenacity  # noqa: PLC0415 - 14 ms that no other command pays

        begun = self._clock.monotonic()

        def too_late(state: RetryCallState) -> bool:
            return self._clock.monotonic() - begun + state.upcoming_sleep > GIVE_UP_S

        last: list[AgentError] = []

        def remembered(error: BaseException) -> bool:
            lost = isinstance(error, AnswerLost)
            if isinstance(error, AgentError) and _repeatable(error) and (repeatable or not lost):
                last[:] = [error]
                return True
            return False

        def slept(seconds: float) -> None:
            if self._pause(seconds):
                raise last[0]

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(remembered),
            wait=self._wait_s,
            stop=too_late,
            sleep=slept,
            reraise=True,
        )(attempt)

    def _wait_s(self, state: RetryCallState) -> float:
        """Return the bureau's own Retry-After where it gave one, else a growing time; both with jitter.

        A whole street of shops comes back at the same moment otherwise. Never less than the bureau said.
        """
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, BureauDown) and error.retry_after_s is not None:
            said_s = max(error.retry_after_s, FIRST_WAIT_S)  # 0 is no reason to spin
            return said_s + self._jitter() * FIRST_WAIT_S
        ceiling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (state.attempt_number - 1))
        return float(ceiling * (0.5 + self._jitter() / 2))


def _repeatable(error: AgentError) -> bool:
    return isinstance(error, BureauDown | AnswerLost) and error.fault in REPEATABLE_FAULTS
