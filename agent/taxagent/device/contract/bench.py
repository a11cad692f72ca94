"""What the checks work with: the driver's source, the chosen device, and a session where one is wanted.

Guards the password: it is tried once; a refused, or an unsettled, one is never tried again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator

from taxagent.device.contract.verdict import NotKept, NotTried
from taxagent.device.drivers import Factory
from taxagent.model.device import QUIRKS, Hello, Quirks
from taxagent.model.errors import AgentError, PasswordRefused
from taxagent.model.period import Period, first_day, last_day, period_of, plus
from taxagent.model.value import Value
from taxagent.ports import Device, DeviceSource

_LAST_TRY = 1


class Plan(Value, frozen=True, kw_only=True):
    """What was asked for."""

    backend: str = "libusb"
    device_no: str = ""  # "": the only one that is plugged
    password: str | None = None  # None: checks that need a session are skipped
    interactive: bool = False  # a person unplugs and plugs in
    heard_s: float = 5.0  # within which a watch is to tell of it (goals: removal 1 s, arrival 3 s)
    spend_a_try: bool = False  # a wrong password is tried once
    destructive: bool = False  # writes are sent that the device must refuse
    seal: Period | None = None  # this month is sealed indeed


class Bench:
    """The state of one run. Everything but `source_again` is used by one thread."""

    def __init__(
        self, factory: Factory, plan: Plan, tell: Callable[[str], None] = lambda _what: None
    ) -> None:
        """Examine what `factory` makes; `tell` asks the person to "unplug" or to "plug"."""
        self.plan = plan
        self.tell = tell
        self.errors: list[AgentError] = []  # all that the driver raised
        self.writes_at_first: int | None = None  # the newest write_no before the checks
        self._factory = factory
        self._source: DeviceSource | None = None
        self._found: tuple[str, Hello] | None = None
        self._password_ended = ""

    # ---- what was found so far

    @property
    def source(self) -> DeviceSource:
        """The driver's source. Raises NotTried where there is none."""
        if self._source is None:
            raise NotTried("no_source")
        return self._source

    def source_again(self) -> DeviceSource:
        """Make another source, as a second program would."""
        return self._factory(self.plan.backend)

    def sourced(self, source: DeviceSource) -> None:
        """Work with this source from now on."""
        self._source = source

    def found(self, location: str, hello: Hello) -> None:
        """Work with the device there from now on."""
        self._found = (location, hello)

    @property
    def location(self) -> str:
        """Where the chosen device is. Raises NotTried where none was found."""
        return self._device()[0]

    @property
    def hello(self) -> Hello:
        """What it said first. Raises NotTried where none was found."""
        return self._device()[1]

    @property
    def quirks(self) -> Quirks:
        """The quirks of its kind. Raises NotTried where the kind has none."""
        quirks = QUIRKS.get(self.hello.kind)
        if quirks is None:
            raise NotTried("no_quirks", kind=self.hello.kind)
        return quirks

    def known(self) -> dict[str, object] | None:
        """Return the chosen device for a report: what it is and where; None where none was found."""
        if self._found is None:
            return None
        location, hello = self._found
        return {
            "device_no": hello.device_no,
            "kind": hello.kind,
            "firmware": hello.firmware,
            "simulated": hello.simulated,
            "location": location,
        }

    def _device(self) -> tuple[str, Hello]:
        if self._found is None:
            raise NotTried("no_device")
        return self._found

    # ---- holding, opening

    @contextlib.contextmanager
    def held(self) -> Iterator[Device]:
        """Hold the device, and hold it to its number."""
        with self.source.hold(self.location) as device:
            yield device

    @contextlib.contextmanager
    def opened(self) -> Iterator[Device]:
        """Hold and open the device; close it at the end."""
        with self.held() as device:
            self.open(device)
            try:
                yield device
            finally:
                with contextlib.suppress(Exception):  # a check of its own is about close()
                    device.close()

    def open(self, device: Device) -> Hello:
        """Open a held device with the password. Raises NotTried where that might cost a try."""
        self.need_password()
        hello = device.hello()
        if hello.device_no != self.hello.device_no:
            raise NotKept("differs", what="device_no", expected=self.hello.device_no, found=hello.device_no)
        if hello.tries_left <= _LAST_TRY:
            raise NotTried("last_try", tries_left=hello.tries_left)
        self._password_ended = "password_unsettled"
        try:
            device.open(self.plan.password or "")
        except AgentError as error:
            if isinstance(error, PasswordRefused):
                self._password_ended = "password_refused"
            self.errors.append(error)
            raise NotKept("not_opened", error=described(error)) from error
        self._password_ended = ""
        return hello

    def need_password(self) -> None:
        """Raise NotTried where there is no password, or none that may be tried."""
        if self.plan.password is None:
            raise NotTried("no_password")
        if self._password_ended:
            raise NotTried(self._password_ended)

    def refusal(self, call: Callable[[], object], what: str, *kinds: type[AgentError]) -> AgentError:
        """Return the error of one of `kinds` that `call` raises. Raises NotKept where it raises none."""
        names = ", ".join(kind.__name__ for kind in kinds)
        try:
            call()
        except kinds as error:
            self.errors.append(error)
            return error
        except AgentError as error:
            self.errors.append(error)
            raise NotKept("wrong_error", call=what, error=described(error), expected=names) from error
        raise NotKept("not_refused", call=what, expected=names)

    # ---- which days are looked at

    def months(self, clock: dt.datetime) -> tuple[Period, Period]:
        """Return the month before the device's, and the device's own."""
        this = period_of(clock)
        return plus(this, -1), this

    def days(self, month: Period, clock: dt.datetime) -> tuple[dt.date, dt.date]:
        """Return the first and the last day of a month, not later than the device's day."""
        return first_day(month), min(last_day(month), clock.date())


def described(error: BaseException) -> str:
    """Return an error as its class and its text."""
    return f"{type(error).__name__}: {error}"
