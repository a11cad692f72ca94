"""Drivers with a defect in how they find, hold and open a device."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from taxagent.model.device import (
    Hello,
    SealOrder,
    Stock,
)
from taxagent.model.errors import AgentError, DeviceAbsent, DeviceRefused, Interrupted
from taxagent.model.job import Outcome, Problem
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.ports import Device, MayGoOn, Watch
from tests.builders.broken import BROKEN, Broken, broken_device, broken_source, changed
from tests.builders.minimal_driver import MinimalDevice, MinimalSource
from tests.builders.minimal_hardware import Hardware

# ---- the bus


def _no_source(_hardware: Hardware) -> MinimalSource:
    raise ValueError("this driver takes no such backend")


BROKEN.append(Broken("driver-loads", "NoSource", _no_source))


@broken_source("trouble-is-told")
class TroubleOfItsOwn(MinimalSource):
    def trouble(self) -> Problem:
        return Problem(fault="MY_OWN_TROUBLE", outcome=Outcome.NOT_EXECUTED)


@broken_source("seen-is-described")
class TwoOfOnePlace(MinimalSource):
    def seen(self) -> tuple[SeenDevice, ...]:
        return tuple(changed(one, name=name) for one in super().seen() for name in ("a", "b"))


@broken_source("seen-is-repeatable")
class NameOfTheMoment(MinimalSource):
    looks = 0

    def seen(self) -> tuple[SeenDevice, ...]:
        self.looks += 1
        return tuple(changed(one, name=str(self.looks)) for one in super().seen())


@broken_source("watch-stops")
class ThreadThatStays(MinimalSource):
    def watch(self, on_change: Callable[[], None]) -> Watch:
        threading.Thread(target=threading.Event().wait, args=(2.0,), name="stays", daemon=True).start()
        return super().watch(on_change)


@broken_source("unknown-location-is-absent", "absent-is-told")
class AnyPlace(MinimalSource):
    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        with super().hold(self.seen()[0].location, may_go_on) as device:
            yield device


@broken_source("device-is-found")
class NothingIsOurs(MinimalSource):
    def seen(self) -> tuple[SeenDevice, ...]:
        return tuple(changed(one, recognised=Recognised.OTHER) for one in super().seen())


@broken_source("hold-is-exclusive", "hold-is-exclusive-between-programs")
class HeldByAll(MinimalSource):
    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        self.hw.held = False
        with super().hold(location, may_go_on) as device:
            yield device


@broken_source("hold-is-exclusive-between-programs")
class LockOfItsOwn(MinimalSource):
    mine = False

    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        self.hw.held, self.mine = self.mine, True
        try:
            with super().hold(location, may_go_on) as device:
                yield device
        finally:
            self.mine = self.hw.held


@broken_source("hold-is-given-back")
class SwallowsExceptions(MinimalSource):
    @contextmanager
    def hold(self, location: str, may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        with super().hold(location, may_go_on) as device:
            try:
                yield device
            except (AgentError, AssertionError, GeneratorExit):
                raise
            except Exception as error:
                if type(error).__name__ != "_Left":
                    raise


@broken_source("may-go-on-is-asked")
class NeverAsks(MinimalSource):
    @contextmanager
    def hold(self, location: str, _may_go_on: MayGoOn = lambda: None) -> Iterator[Device]:
        with super().hold(location) as device:
            yield device


@broken_device("may-go-on-is-asked")
class SaysItIsGone(MinimalDevice):
    def clock(self) -> dt.datetime:
        try:
            return super().clock()
        except Interrupted:
            raise DeviceAbsent("DEVICE_ABSENT") from None


@broken_source("seen-opens-nothing")
class LooksByOpening(MinimalSource):
    def seen(self) -> tuple[SeenDevice, ...]:
        self.hw.session, self.hw.opened = "", False
        return super().seen()


# ---- the session


@broken_device("hello-is-described")
class ShortNonce(MinimalDevice):
    def hello(self) -> Hello:
        hello = super().hello()
        return changed(hello, session=hello.session[:15])  # type: ignore[no-any-return]


@broken_device("identity-is-stable")
class HelloCostsATry(MinimalDevice):
    def hello(self) -> Hello:
        self.hw.tries_left = max(2, self.hw.tries_left - 1)
        return super().hello()


@broken_device("sessions-are-new")
class OneSession(MinimalDevice):
    def hello(self) -> Hello:
        return changed(super().hello(), session="ab" * 8)  # type: ignore[no-any-return]


@broken_device("nothing-before-open")
class StockForAll(MinimalDevice):
    def stock(self, invoice_type: str) -> Stock:
        was, self.hw.opened = self.hw.opened, True
        try:
            return super().stock(invoice_type)
        finally:
            self.hw.opened = was


@broken_device("hashes-are-pure")
class HashAsksTheDevice(MinimalDevice):
    def seal_sha256(self, order: SealOrder) -> str:
        self._reach()
        return super().seal_sha256(order)


@broken_device("session-opens")
class NeverOpens(MinimalDevice):
    def open(self, password: str) -> None:
        raise DeviceRefused("DEVICE_REFUSED")


@broken_device("hello-ends-a-session")
class SessionOutlivesHello(MinimalDevice):
    fresh = True

    def hello(self) -> Hello:
        was, self.fresh = self.hw.opened and not self.fresh, False
        hello = super().hello()
        self.hw.opened = was
        return hello


@broken_device("close-never-raises", "absent-is-told", "may-go-on-is-asked")
class CloseRaises(MinimalDevice):
    def close(self) -> None:
        self._session()
        super().close()


@broken_device("wrong-password-is-told")
class NoTriesTold(MinimalDevice):
    def open(self, password: str) -> None:
        try:
            super().open(password)
        except DeviceRefused:
            raise DeviceRefused("PASSWORD_WRONG") from None
