"""The verification code that the simulated bureau asks for: one at a time, until it is answered rightly.

Knows no call and no rule. It is kept in memory alone: a bureau that is started again asks for none.
"""

from __future__ import annotations

import threading

from taxagent.bureau.messages import ChallengeMessage, Code
from taxagent.model.value import Value
from taxagent.simulator.bureau_requests import BureauSaysNo

QUESTION = "请输入图片中的验证码"


class Asking(Value, frozen=True, kw_only=True):
    """What to ask and what to hear."""

    question: str = QUESTION
    answer: str
    image: bytes = b""
    image_type: str = ""


class Challenges:
    """The challenge that is open, if any. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: tuple[str, Asking] | None = None
        self._answered: set[str] = set()
        self._count = 0

    def ask(self, asking: Asking) -> None:
        """Stop every call from now on."""
        with self._lock:
            self._renew(asking)

    def stop(self) -> None:
        """Raise BureauSaysNo with the open challenge; return where there is none."""
        with self._lock:
            if self._open is None:
                return
            challenge_id, asking = self._open
        asked = ChallengeMessage(
            challenge_id=challenge_id,
            text=asking.question,
            image=asking.image,
            image_type=asking.image_type,
        )
        raise BureauSaysNo(503, Code.CHALLENGE, asking.question, challenge=asked)

    def answer(self, challenge_id: str, answer: str) -> None:
        """Take an answer, also one that was taken before. BureauSaysNo where it is wrong or too late."""
        with self._lock:
            if challenge_id in self._answered:
                return
            if self._open is None or self._open[0] != challenge_id:
                raise BureauSaysNo(422, Code.CHALLENGE_WRONG, "验证码已失效")
            if answer.strip().casefold() != self._open[1].answer.casefold():
                self._renew(self._open[1])
                raise BureauSaysNo(422, Code.CHALLENGE_WRONG, "验证码不正确")
            self._answered.add(challenge_id)
            self._open = None

    def forget(self) -> None:
        """Ask no more."""
        with self._lock:
            self._open = None

    @property
    def open_id(self) -> str:
        """Return the id of the open challenge, "" where there is none."""
        with self._lock:
            return self._open[0] if self._open else ""

    def _renew(self, asking: Asking) -> None:
        self._count += 1
        self._open = (f"C{self._count:08d}", asking)
