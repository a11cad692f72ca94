"""Opening a device: is it the one, may its password be tried, and what does it show?"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets as random_bytes
from typing import Protocol

import msgspec

from taxagent.model.device import DeviceInfo, DeviceState, Hello, PasswordVerdict, TriedPassword
from taxagent.model.errors import (
    AnswerLost,
    DeviceAbsent,
    DeviceRefused,
    PasswordRefused,
    Refusal,
    Unavailable,
)
from taxagent.ports import Device, Secrets

_LAST_TRY = 1


class Latch(Protocol):
    """What is remembered of passwords: a refused one is never tried again by itself."""

    def tried(self, device_no: str) -> tuple[TriedPassword, ...]:
        """Return every password that was tried on the device, and what became of each."""

    def note(self, device_no: str, tried: TriedPassword) -> None:
        """Make a try, or its end, durable; returns after the commit."""

    def recall(self, device_no: str, tried: TriedPassword) -> None:
        """Keep a try, or its end, of a password that was good before; it need not outlive the process."""


def greet(device: Device, device_no: str = "", *, simulation: bool = False) -> Hello:
    """Say HELLO and make sure that it is the device that is meant.

    Raises DeviceAbsent("DEVICE_ABSENT") where another device is in the port, and
    Refusal("SIMULATION_REAL_DEVICE") where the agent's clock is simulated and the device is real.
    """
    hello = device.hello()
    if device_no and hello.device_no != device_no:
        raise DeviceAbsent("DEVICE_ABSENT", device_no=device_no, seen=hello.device_no)
    if simulation and not hello.simulated:
        raise Refusal("SIMULATION_REAL_DEVICE", device_no=hello.device_no)
    return hello


def open_session(device: Device, hello: Hello, secrets: Secrets, latch: Latch) -> None:
    """Open the greeted device with its password: a wrong one is tried once, until a person gives it anew.

    A password that is not known as good is announced durably before it is tried, so that a try whose end was
    lost (a cable, a kill) shows in the tries that the device has left at its next HELLO. One that was good is
    announced as well, within the process: no look at a device may cost a commit, but where the device has
    more tries left than were ever noted. Where a try's end is not known it is doubted: not tried while the
    device has fewer tries left than before it. It is not held to be refused, since others may mistype:
    it is tried again when the tries are all there again, or a person gives it anew.

    Raises Refusal with PASSWORD_MISSING, PASSWORD_LATCHED, PASSWORD_LAST_TRY or PASSWORD_BLOCKED without
    having tried, and PasswordRefused after the device's no, which is then remembered.
    """
    no = hello.device_no
    password = secrets.get(f"device-{no}")
    if password is None:
        raise Refusal("PASSWORD_MISSING", device_no=no)
    trial = _Trial(device, hello, password, secrets.given(f"device-{no}"), latch)
    trial.allowed()
    trial.run()


class _Trial:
    """One password on one greeted device."""

    def __init__(self, device: Device, hello: Hello, password: str, given: str, latch: Latch) -> None:
        self._device = device
        self._hello = hello
        self._password = password
        self._latch = latch
        tried = latch.tried(hello.device_no)
        self._salt = tried[0].salt if tried else random_bytes.token_hex(16)
        salted = hashlib.sha256(bytes.fromhex(self._salt) + given.encode() + password.encode()).hexdigest()
        self._sha256 = salted
        self._known = next((one for one in tried if hmac.compare_digest(one.salted_sha256, salted)), None)

    def allowed(self) -> None:
        """Raise Refusal where this password must not be tried now."""
        known, left = self._known, self._hello.tries_left
        facts = {"device_no": self._hello.device_no, "tries_left": str(left)}
        if known is not None and known.verdict is PasswordVerdict.TRYING and left < known.tries_left:
            self._note(PasswordVerdict.REFUSED, left)  # the try whose end was lost was refused
            raise Refusal("PASSWORD_LATCHED", **facts)
        if known is not None and known.verdict is PasswordVerdict.REFUSED:
            raise Refusal("PASSWORD_LATCHED", **facts)
        if left == 0:
            raise Refusal("PASSWORD_BLOCKED", device_no=self._hello.device_no)
        if left <= _LAST_TRY:
            raise Refusal("PASSWORD_LAST_TRY", **facts)
        if known is not None and known.verdict is PasswordVerdict.DOUBTED and left < known.tries_left:
            raise Refusal("PASSWORD_LATCHED", **facts)

    def run(self) -> None:
        """Open the device; a lost answer is settled by the tries left, and asked once more."""
        known, left = self._good, self._hello.tries_left
        trying = PasswordVerdict.TRYING if known is None else PasswordVerdict.DOUBTED
        full = left if known is None else max(left, known.tries_left)
        self._tell(trying, left)
        try:
            self._open()
        except AnswerLost:
            self._still_not_refused()
            try:
                self._open()
            except AnswerLost:
                self._still_not_refused()
                raise
        self._tell(PasswordVerdict.ACCEPTED, full)

    @property
    def _good(self) -> TriedPassword | None:
        """What is known of a password that the device has accepted before; else None."""
        accepted = (PasswordVerdict.ACCEPTED, PasswordVerdict.DOUBTED)
        return self._known if self._known is not None and self._known.verdict in accepted else None

    def _tell(self, verdict: PasswordVerdict, tries_left: int) -> None:
        """Keep it within the process where the journal knows the password as good, with as many tries."""
        known = self._known
        silent = known is not None and known.verdict is PasswordVerdict.ACCEPTED
        if silent and known is not None and self._hello.tries_left <= known.tries_left:
            self._recall(verdict, tries_left)
        else:
            self._note(verdict, tries_left)

    def _open(self) -> None:
        try:
            self._device.open(self._password)
        except PasswordRefused as refusal:
            self._note(PasswordVerdict.REFUSED, refusal.tries_left)
            raise
        except (Unavailable, DeviceRefused):  # certainly not tried: what was known of it still holds
            if self._good is not None:
                self._tell(self._good.verdict, self._good.tries_left)
            raise

    def _still_not_refused(self) -> None:
        """After a lost answer to OPEN, the tries left tell whether the password was refused."""
        after = self._device.hello()
        if after.device_no != self._hello.device_no:
            raise DeviceAbsent("DEVICE_ABSENT", device_no=self._hello.device_no, seen=after.device_no)
        if after.tries_left < self._hello.tries_left:
            self._note(PasswordVerdict.REFUSED, after.tries_left)
            raise PasswordRefused(after.tries_left)

    def _note(self, verdict: PasswordVerdict, tries_left: int) -> None:
        self._latch.note(self._hello.device_no, self._tried(verdict, tries_left))

    def _recall(self, verdict: PasswordVerdict, tries_left: int) -> None:
        self._latch.recall(self._hello.device_no, self._tried(verdict, tries_left))

    def _tried(self, verdict: PasswordVerdict, tries_left: int) -> TriedPassword:
        return TriedPassword(
            salt=self._salt, salted_sha256=self._sha256, tries_left=tries_left, verdict=verdict
        )


def read_state(device: Device, hello: Hello) -> DeviceState:
    """Read identity, clock and monitor data of an opened device, the clock first.

    Raises DeviceRefused("DEVICE_UNREGISTERED") with `what`: which of its meanings it is.
    """
    clock, info = device.clock(), device.info()
    try:
        monitor = device.monitor()
    except DeviceRefused as refused:
        if refused.fault != "DEVICE_UNREGISTERED":
            raise
        known = {"device_no": hello.device_no, "what": unregistered(info) or "no_registration_code"}
        code = "" if unregistered(info) else refused.device_code  # it says no more than that it is not
        raise DeviceRefused(refused.fault, device_code=code, **known) from refused
    return DeviceState(hello=hello, info=info, clock=clock, monitor=monitor)


def unregistered(info: DeviceInfo) -> str:
    """Return why the bureau does not know the device (never_issued, training_device), "" where it does."""
    if info.training:
        return "training_device"
    return "" if info.registered else "never_issued"


def with_stock(device: Device, state: DeviceState) -> DeviceState:
    """Add the blank invoices of each type; a type of which the device says no is left out."""
    stocks = []
    for row in state.monitor:
        with contextlib.suppress(DeviceRefused):
            stocks.append(device.stock(row.invoice_type))
    return msgspec.structs.replace(state, stock=tuple(stocks))
