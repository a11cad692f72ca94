"""Fault scripts: what goes wrong with which command, once, and where a test may hold the device still.

Knows no USB: the device's USB side asks at each point whether something is to happen there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum

import msgspec

from taxagent.model.value import Value


class Point(StrEnum):
    """Where in a command's life a fault strikes."""

    BEFORE = "before"  # the request is complete, nothing is done yet
    AFTER = "after"  # executed and durable, EXECUTE's status not sent yet
    ANSWER = "answer"  # EXECUTE has ended; the host fetches the answer


class Act(StrEnum):
    """What happens."""

    HOLD = "hold"  # stand still until released; a reset or disconnect drops the command (before: undone)
    LOSE = "lose"  # send nothing for this command: the host's transfer times out
    MUTE = "mute"  # send nothing any more until the device is plugged in again
    STALL = "stall"  # halt the IN pipe and send no status
    PHASE_ERROR = "phase_error"  # status 2
    UNPLUG = "unplug"
    HANG = "hang"  # answers nothing any more, not even control transfers, until it is unplugged
    EMPTY = "empty"  # an empty packet before the status, the answer after it (after, answer)
    REFUSE = "refuse"  # only before: the device says no with `code`


class Fault(Value, frozen=True, kw_only=True):
    """One fault. `nth` counts the command's visits to `point` from the order on."""

    device_no: str
    command: str
    act: Act
    point: Point = Point.BEFORE
    nth: int = 1
    code: str = ""  # of a refusal, as in the profile's table
    fault_id: int = 0


class Turn:
    """A command under way: it can be held still, released, and dropped."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._dropped = False
        self._released = False

    def dropped(self) -> bool:
        """Return whether the host has given the command up."""
        return self._dropped

    def drop(self) -> None:
        """Give it up: a wait ends at once."""
        with self._changed:
            self._dropped = True
            self._changed.notify_all()

    def release(self) -> None:
        """End the hold."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def hold(self) -> None:
        """Wait until the hold is released or the command dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self._released or self._dropped)
            self._released = False

    def pass_time(self, seconds: float) -> None:
        """Let time pass, less where the command is dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self._dropped, timeout=seconds)


class FaultScript:
    """The faults of all devices of a simulator. `tell` hears when one is reached."""

    def __init__(self, tell: Callable[[Fault], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._armed: list[Fault] = []
        self._held: dict[int, Turn] = {}
        self._last_id = 0

    def arm(self, fault: Fault) -> int:
        """Order a fault and return its id."""
        with self._lock:
            self._last_id += 1
            self._armed.append(msgspec.structs.replace(fault, fault_id=self._last_id))
            return self._last_id

    def clear(self) -> None:
        """Forget the faults that have not struck yet, and release the holds."""
        with self._lock:
            self._armed.clear()
            held, self._held = list(self._held.values()), {}
        for turn in held:
            turn.release()

    def release(self, fault_id: int) -> bool:
        """End a hold; False where there is none of that id."""
        with self._lock:
            turn = self._held.pop(fault_id, None)
        if turn is None:
            return False
        turn.release()
        return True

    def at(self, device_no: str, command: str, point: Point, turn: Turn) -> Fault | None:
        """Return the fault that strikes here, after the hold where it is one; None where nothing happens."""
        with self._lock:
            fault = self._due(device_no, command, point)
            if fault is None:
                return None
            if fault.act is Act.HOLD:
                self._held[fault.fault_id] = turn
        self._tell(fault)
        if fault.act is Act.HOLD:
            turn.hold()
            with self._lock:
                self._held.pop(fault.fault_id, None)
        return fault

    def _due(self, device_no: str, command: str, point: Point) -> Fault | None:
        struck: Fault | None = None
        left: list[Fault] = []
        for fault in self._armed:
            if (fault.device_no, fault.command, fault.point) != (device_no, command, point):
                left.append(fault)
            elif fault.nth > 1:
                left.append(msgspec.structs.replace(fault, nth=fault.nth - 1))
            elif struck is None:
                struck = fault
            else:
                left.append(fault)
        self._armed = left
        return struck
