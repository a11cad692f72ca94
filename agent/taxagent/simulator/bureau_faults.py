"""The bad days that a test orders from the simulated bureau: each once, at the n-th call of its kind.

Knows no rule of the bureau. A fault that waits holds only the call that met it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from taxagent.bureau.messages import IMAGE_LIMIT, Code, Op
from taxagent.model.value import Value
from taxagent.simulator.bureau_challenge import QUESTION, Asking, Challenges
from taxagent.simulator.bureau_picture import IMAGE_TYPE, picture_of
from taxagent.simulator.bureau_requests import BureauSaysNo, ConnectionDropped, Reply

BUSY_WORDS = "系统繁忙，请稍后再试"
HOLD_LIMIT_S = 120.0  # a forgotten hold ends by itself: the connection is dropped


class Point(StrEnum):
    """Where in a call a fault strikes."""

    BEFORE = "before"  # before the bureau looks at it: it is not carried out unless the fault lets it go on
    AFTER = "after"  # carried out and on disk, not answered yet


class Act(StrEnum):
    """What happens. `refuse`, `maintenance` and `busy` only before."""

    REFUSE = "refuse"  # with `code`, `text` and `status` (default 409)
    MAINTENANCE = "maintenance"  # 503 MAINTENANCE with `retry_after_s`
    BUSY = "busy"  # `status` 429 or 503 (default) BUSY with `retry_after_s`
    DROP = "drop"  # the connection is cut without an answer
    HOLD = "hold"  # until it is released
    SLOW = "slow"  # for `seconds`
    GARBLE = "garble"  # the answer is a web page
    CHALLENGE = "challenge"  # only before: this call and all that follow, until `answer` is given


class Fault(Value, frozen=True, kw_only=True):
    """A fault as it is ordered.

    `nth` counts from the order on: before, all calls of `op`; after, those that were answered with 200.
    """

    op: Op
    act: Act
    nth: Annotated[int, Meta(ge=1)] = 1
    point: Point = Point.BEFORE
    status: int = 0
    code: str = Code.BUSY
    text: str = BUSY_WORDS
    retry_after_s: float | None = None
    seconds: Annotated[float, Meta(ge=0, le=HOLD_LIMIT_S)] = 0.0
    answer: str = ""  # of a challenge; its question is `text`
    image: Annotated[bytes, Meta(max_length=IMAGE_LIMIT)] = b""  # base64 in JSON
    image_type: str = ""  # its MIME type


_INSTEAD = (Act.REFUSE, Act.MAINTENANCE, Act.BUSY, Act.CHALLENGE)


class FaultScript:
    """The faults that are still to come. Any thread."""

    def __init__(self) -> None:
        self.challenges = Challenges()
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[Fault, int]] = {}  # id -> (fault, calls until it strikes)
        self._held: dict[int, threading.Event] = {}
        self._next_id = 1
        self._ended = threading.Event()
        self.on_reached: Callable[[int, Fault], None] = lambda _id, _fault: None

    def order(self, fault: Fault) -> int:
        """Add a fault and return its id. ValueError where it makes no sense."""
        if fault.point is Point.AFTER and fault.act in _INSTEAD:
            msg = f"{fault.act} says that the call was not carried out: it cannot come after"
            raise ValueError(msg)
        if fault.act is Act.CHALLENGE and not fault.answer:
            msg = "a challenge needs the answer that ends it"
            raise ValueError(msg)
        with self._lock:
            fault_id, self._next_id = self._next_id, self._next_id + 1
            self._pending[fault_id] = (fault, fault.nth)
            return fault_id

    def release(self, fault_id: int | None = None) -> int:
        """Let the held call go on, or all of them; return how many."""
        with self._lock:
            chosen = [fault_id] if fault_id is not None else list(self._held)
            events = [self._held.pop(one) for one in chosen if one in self._held]
        for event in events:
            event.set()
        return len(events)

    def clear(self) -> int:
        """Forget what has not struck yet and release every hold; return how many held."""
        self.challenges.forget()
        with self._lock:
            self._pending.clear()
        return self.release()

    def held(self) -> tuple[int, ...]:
        """Return the ids of the faults that hold a call now."""
        with self._lock:
            return tuple(self._held)

    def end(self) -> None:
        """Drop whatever is held or slow."""
        self._ended.set()
        self.release()

    def wait(self, seconds: float) -> None:
        """Let time pass before an answer; the connection is dropped where the bureau ends meanwhile."""
        if seconds and self._ended.wait(seconds):
            raise ConnectionDropped

    def strike(self, op: Op, point: Point, reply: Reply | None = None) -> Reply | None:
        """Play what is due at this point of a call; return the reply, which may be another one then."""
        for fault_id, fault in self._due(op, point):
            event = threading.Event()
            if fault.act is Act.HOLD:
                with self._lock:
                    self._held[fault_id] = event
            self.on_reached(fault_id, fault)
            reply = self._play(fault, event, reply)
        return reply

    def _due(self, op: Op, point: Point) -> list[tuple[int, Fault]]:
        due = []
        with self._lock:
            for fault_id, (fault, left) in list(self._pending.items()):
                if (fault.op, fault.point) != (op, point):
                    continue
                if left > 1:
                    self._pending[fault_id] = (fault, left - 1)
                else:
                    del self._pending[fault_id]
                    due.append((fault_id, fault))
        return due

    def _play(self, fault: Fault, released: threading.Event, reply: Reply | None) -> Reply | None:
        match fault.act:
            case Act.REFUSE | Act.MAINTENANCE | Act.BUSY:
                raise _no(fault)
            case Act.CHALLENGE:
                self.challenges.ask(_asking(fault))
                self.challenges.stop()
            case Act.DROP:
                raise ConnectionDropped
            case Act.HOLD:
                if not released.wait(HOLD_LIMIT_S) or self._ended.is_set():
                    raise ConnectionDropped
            case Act.SLOW:
                self.wait(fault.seconds)
            case Act.GARBLE:
                return Reply(status=200, body=b"<html><body>Please log in to the network</body></html>")
        return reply


def _no(fault: Fault) -> BureauSaysNo:
    wait_s = fault.retry_after_s
    if fault.act is Act.MAINTENANCE:
        return BureauSaysNo(503, Code.MAINTENANCE, "系统维护中", retry_after_s=wait_s)
    status = 409 if fault.act is Act.REFUSE else 503
    return BureauSaysNo(fault.status or status, fault.code, fault.text, retry_after_s=wait_s)


def _asking(fault: Fault) -> Asking:
    drawn = b"" if fault.image else picture_of(fault.answer)
    return Asking(
        question=QUESTION if fault.text == BUSY_WORDS else fault.text,
        answer=fault.answer,
        image=fault.image or drawn,
        image_type=fault.image_type or (IMAGE_TYPE if drawn else ""),
    )
