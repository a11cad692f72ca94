"""A town's ports: clocks that can disagree, cables that are pulled, a bureau behind a bad line, passwords."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import httpx

from taxagent.bureau.client import GatewayClient, GatewaySettings
from taxagent.device.profile import ProfileDevice
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceAbsent,
    DeviceInUse,
    JournalUnknown,
)
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Device, MayGoOn
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_requests import ConnectionDropped, request_of
from taxagent.simulator.device import VirtualDevice
from tests.builders.driven import Carried, tapped
from tests.builders.scenario import StillClock
from tests.builders.tap import Tap

T = TypeVar("T")
_NEVER_RAISES = frozenset({"close"})


class TownClock(StillClock):
    """True time; what never jumps goes on by itself."""

    def __init__(self, local: dt.datetime) -> None:
        super().__init__(local)
        self._steady = 0.0

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everyone."""
        self._steady += seconds
        self.now += dt.timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """The machine slept: all wall clocks are later, the steady one is not."""
        self.now += dt.timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self._steady


class HostClock(StillClock):
    """The machine's wall clock: the true one, and an error."""

    def __init__(self, true: TownClock) -> None:
        super().__init__(true.now)
        self._true = true
        self.error = dt.timedelta()
        self.was_wrong = False

    def utc_ms(self) -> int:
        self.was_wrong = self.was_wrong or bool(self.error)
        return self._true.utc_ms() + round(self.error.total_seconds() * 1000)

    def local(self) -> dt.datetime:
        return self._true.local() + self.error

    def monotonic(self) -> float:
        return self._true.monotonic()


class Weather:
    """How often something goes wrong: once in `one_in` calls, never where it is 0."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.one_in = 0
        self.struck = 0

    def strikes(self) -> bool:
        """Return whether it does now."""
        if not self.one_in or self.draw.randrange(self.one_in):
            return False
        self.struck += 1
        return True


class Stepper(Protocol):
    """Where a call stands still and hands the baton on."""

    def __call__(self, place: str) -> None: ...


class TownTap(Tap):
    """Commits and archives: they stand still before and after, and fail in bad weather."""

    def __init__(self, step: Stepper, weather: Weather, doomed: Callable[[], None]) -> None:
        super().__init__()
        self._step = step
        self._weather = weather
        self._doomed = doomed
        self.disk_full = False

    def free_bytes(self, _folder: object) -> int:
        """Return what is left on the journal's disk."""
        return 0 if self.disk_full else 1 << 40

    def call(self, name: str, work: Callable[[], T]) -> T:
        self._step(f"before {name}")
        if name == "commit" and self._weather.strikes():
            kind = self._weather.draw.randrange(6)
            if kind == 0:
                self._doomed()  # nothing more may be committed: the process ends
                if self._weather.draw.randrange(2):
                    work()  # it is on the disk all the same
                raise JournalUnknown("JOURNAL_UNKNOWN")
            if kind == 1:
                self.disk_full = True
        try:
            result = work()
        finally:
            self.disk_full = False
        self._step(f"after {name}")
        return result


class Cable(Tap):
    """The way to one device: calls stand still, are lost, or find it unplugged."""

    def __init__(self, number: str, step: Stepper, weather: Weather, plugged: Callable[[], bool]) -> None:
        super().__init__()
        self._number = number[-4:]
        self._step = step
        self._weather = weather
        self._plugged = plugged

    def pass_by(self, place: str) -> None:
        self._step(f"{self._number} {place}")

    def call(self, name: str, work: Callable[[], T]) -> T:
        self.pass_by(f"before {name}")
        if name in _NEVER_RAISES:
            return work()
        if not self._plugged():
            raise DeviceAbsent("DEVICE_ABSENT")
        if self._weather.strikes():
            raise self._trouble()
        result = work()
        self.pass_by(f"after {name}")
        if not self._plugged() or self._weather.strikes():
            raise AnswerLost("ANSWER_LOST", what=name)
        return result

    def _trouble(self) -> AgentError:
        return self._weather.draw.choice(
            (DeviceAbsent("DEVICE_MUTE"), DeviceInUse("DEVICE_BUSY"), AnswerLost("ANSWER_LOST"))
        )


class Bus:
    """ports.DeviceSource: which device is at which place now."""

    def __init__(self, step: Stepper, weather: Weather, clock: TownClock) -> None:
        self._step = step
        self._weather = weather
        self._clock = clock
        self.devices: dict[str, VirtualDevice] = {}  # by number
        self.plugged: dict[str, str] = {}  # location -> number

    def seen(self) -> tuple[SeenDevice, ...]:
        return tuple(
            SeenDevice(
                location=location, vendor_id=1, product_id=2, recognised=Recognised.PROFILE, name="device"
            )
            for location in sorted(self.plugged)
        )

    def trouble(self) -> Any:
        return None

    def watch(self, on_change: Callable[[], None]) -> Any:
        raise NotImplementedError

    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        self._step(f"hold {location}")
        number = self.plugged.get(location)
        if number is None:
            raise DeviceAbsent("DEVICE_ABSENT", location=location)
        if self._weather.strikes():
            raise DeviceInUse("DEVICE_IN_USE", holder="another program")
        cable = Cable(number, self._step, self._weather, lambda: self.plugged.get(location) == number)
        carried = Carried(self.devices[number], cable)
        device = ProfileDevice(carried, self._clock.monotonic, self._clock.pass_time, may_go_on)
        yield tapped(device, cable)


class Line:
    """The bureau's client over a line that breaks: calls stand still, and fail below HTTP and above it."""

    def __init__(self, clock: HostClock, weather: Weather, bureau: Callable[[], VirtualBureau]) -> None:
        self._weather = weather
        self._bureau = bureau
        self.client = GatewayClient(
            GatewaySettings(url="https://bureau.test", ca="-", certificate="-", key="-"),
            clock,
            pause=lambda _seconds: True,
            jitter=lambda: 0.0,
            transport=httpx.MockTransport(self._answered),
        )

    def _answered(self, request: httpx.Request) -> httpx.Response:
        before = self._weather.strikes()
        if before:
            kind = self._weather.draw.randrange(4)
            if kind == 0:
                raise httpx.ConnectError("refused")
            if kind == 1:
                raise httpx.ReadTimeout("too slow")
            if kind == 2:
                body = b'{"code":"BUSY","text":"busy"}'
                return httpx.Response(503, content=body, headers={"Retry-After": "30"})
        key = request.headers.get("Idempotency-Key", "")
        call = request_of(request.method, request.url.raw_path.decode(), key, request.content)
        try:
            reply = self._bureau().reply(call)
        except ConnectionDropped as dropped:
            raise httpx.ReadError("reset") from dropped
        if before or self._weather.strikes():
            raise httpx.ReadError("reset after it was carried out")
        return httpx.Response(reply.status, content=reply.body)


class Keyring:
    """ports.Secrets: what a person gave for each device, and how often."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.count: dict[str, int] = {}

    def give(self, number: str, password: str) -> None:
        """A person gives the password (anew)."""
        self.passwords[number] = password
        self.count[number] = self.count.get(number, 0) + 1

    def get(self, name: str) -> str | None:
        return self.passwords.get(name.removeprefix("device-"))

    def given(self, name: str) -> str:
        return str(self.count.get(name.removeprefix("device-"), 0))
