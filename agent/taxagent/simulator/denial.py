"""How a simulated device says no: a row of the profile's table of refusals, raised."""

from __future__ import annotations

from taxagent.device import refusals
from taxagent.device.refusals import Refused


class Denied(Exception):
    """The device refuses the command; it changed nothing but its memory of the refusal."""

    def __init__(self, why: Refused, *, tries_left: int = 0) -> None:
        super().__init__(why.code, why.meaning)
        self.why = why
        self.tries_left = tries_left

    @property
    def code(self) -> str:
        """The device code in hex, with the tries left in it where it has them."""
        return self.why.code.replace("x", f"{min(self.tries_left, 15):x}")

    def sense(self) -> bytes:
        """Return the sense data that says it."""
        return self.why.sense(self.tries_left)


def password_wrong(tries_left: int) -> Denied:
    """Return the refusal of a wrong password; a device with no try left is blocked."""
    return Denied(refusals.PASSWORD_WRONG if tries_left else refusals.PASSWORD_BLOCKED, tries_left=tries_left)
