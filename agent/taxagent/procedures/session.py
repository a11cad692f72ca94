"""Opening a device: is it the one, may its password be tried, and what does it show?"""

from __future__ import annotations

import hashlib
import hmac
import secrets as random_bytes
from typing import Protocol

from taxagent.model.device import DeviceState, Hello
from taxagent.model.errors import AnswerLost, DeviceAbsent, PasswordRefused, Refusal
from taxagent.ports import Device, Secrets

_LAST_TRY = 1


class Latch(Protocol):
    """What is remembered of refused passwords (domain: a refused one is never tried again by itself)."""

    def refused(self, device_no: str) -> tuple[str, str, int] | None:
        """Return (salt hex, salted SHA-256 hex, tries left) of the last refused password, or None."""

    def remember(self, device_no: str, salt: str, salted_sha256: str, tries_left: int) -> None:
        """Make a refusal durable; returns after the commit."""


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
    """Open the greeted device with its password, at most one try per password, ever.

    Raises Refusal with PASSWORD_MISSING, PASSWORD_LATCHED, PASSWORD_LAST_TRY or PASSWORD_BLOCKED without
    having tried, and PasswordRefused after the device's no, which is then remembered.
    """
    no = hello.device_no
    password = secrets.get(f"device-{no}")
    if password is None:
        raise Refusal("PASSWORD_MISSING", device_no=no)
    _may_try(hello, password, latch)
    try:
        _open(device, no, password, latch)
    except AnswerLost:
        after = _not_refused(device, hello, password, latch)
        try:
            _open(device, no, password, latch)
        except AnswerLost:
            _not_refused(device, after, password, latch)
            raise


def _open(device: Device, no: str, password: str, latch: Latch) -> None:
    try:
        device.open(password)
    except PasswordRefused as refusal:
        _remember(latch, no, password, refusal.tries_left)
        raise


def _may_try(hello: Hello, password: str, latch: Latch) -> None:
    no = hello.device_no
    refused = latch.refused(no)
    if refused is not None and hmac.compare_digest(_salted(refused[0], password), refused[1]):
        raise Refusal("PASSWORD_LATCHED", device_no=no, tries_left=str(hello.tries_left))
    if hello.tries_left == 0:
        raise Refusal("PASSWORD_BLOCKED", device_no=no)
    if hello.tries_left <= _LAST_TRY:
        raise Refusal("PASSWORD_LAST_TRY", device_no=no, tries_left=str(hello.tries_left))


def _not_refused(device: Device, before: Hello, password: str, latch: Latch) -> Hello:
    """After a lost answer to OPEN, the tries left tell whether the password was refused."""
    after = device.hello()
    if after.device_no != before.device_no:
        raise DeviceAbsent("DEVICE_ABSENT", device_no=before.device_no, seen=after.device_no)
    if after.tries_left < before.tries_left:
        _remember(latch, before.device_no, password, after.tries_left)
        raise PasswordRefused(after.tries_left)
    return after


def _remember(latch: Latch, device_no: str, password: str, tries_left: int) -> None:
    salt = random_bytes.token_hex(16)
    latch.remember(device_no, salt, _salted(salt, password), tries_left)


def _salted(salt: str, password: str) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + password.encode()).hexdigest()


def read_state(device: Device, hello: Hello) -> DeviceState:
    """Read identity, clock and monitor data of an opened device, the clock first."""
    clock = device.clock()
    return DeviceState(hello=hello, info=device.info(), clock=clock, monitor=device.monitor())
