"""Checks of a session: HELLO, open and close, and what is refused outside of one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from taxagent.device.contract.bench import Bench, described
from taxagent.device.contract.verdict import NotKept, NotTried, instance, ruled, same
from taxagent.model.device import DeviceKind, Hello
from taxagent.model.errors import Interrupted, PasswordRefused, Refusal, Unavailable
from taxagent.model.period import Period
from taxagent.ports import Device

_DAY = dt.date(2020, 1, 1)
_WRONG = "0-wrong-0"
_ENOUGH_TRIES = 3


def hello_is_described(bench: Bench) -> str:
    """hello() needs no password and tells number, kind, tries left and a session nonce."""
    hello = bench.hello
    instance("hello()", hello, Hello)
    ruled("device_no", hello.device_no, "[0-9]{12}", kept=re.fullmatch(r"[0-9]{12}", hello.device_no))
    instance("kind", hello.kind, DeviceKind)
    instance("simulated", hello.simulated, bool)
    instance("tries_left", hello.tries_left, int)
    ruled("tries_left", hello.tries_left, ">= 0", kept=hello.tries_left >= 0)
    ruled("session", hello.session, "[0-9a-f]{16}", kept=re.fullmatch(r"[0-9a-f]{16}", hello.session))
    return f"kind={hello.kind} firmware={hello.firmware} simulated={hello.simulated}"


def identity_is_stable(bench: Bench) -> str:
    """Every hello(), in every hold, tells the same device, and costs no try."""
    first = bench.hello
    for _ in range(2):
        with bench.held() as device:
            for _ in range(2):
                hello = device.hello()
                for name in ("device_no", "kind", "simulated", "firmware", "tries_left"):
                    same(name, getattr(first, name), getattr(hello, name))
    return ""


def sessions_are_new(bench: Bench) -> str:
    """Every hello() begins a session with a nonce of its own."""
    nonces = [bench.hello.session]
    with bench.held() as device:
        nonces += [device.hello().session for _ in range(3)]
    ruled("session", ", ".join(nonces), "all different", kept=len(set(nonces)) == len(nonces))
    return ""


def nothing_before_open(bench: Bench) -> str:
    """After hello() alone every read is refused, and none is answered."""
    with bench.held() as device:
        device.hello()
        _all_refused(bench, device)
    return ""


def session_opens(bench: Bench) -> str:
    """open() takes the right password, and costs no try."""
    with bench.held() as device:
        before = bench.open(device)
        device.clock()
        bench.writes_at_first = newest_write(device)
        closed(device)
        same("tries_left", before.tries_left, device.hello().tries_left)
    return ""


def hello_ends_a_session(bench: Bench) -> str:
    """A new hello() begins a session that is not open, though the one before was."""
    with bench.opened() as device:
        device.clock()
        device.hello()
        _refused(bench, device.clock, "clock() after hello()")
    return ""


def close_never_raises(bench: Bench) -> str:
    """close() may be called at any time; afterwards reads are refused, and the device opens again."""
    with bench.held() as device:
        closed(device)
        bench.open(device)
        closed(device)
        closed(device)
        _refused(bench, device.clock, "clock() after close()")
        bench.open(device)
        device.clock()
        closed(device)
    return ""


def may_go_on_is_asked(bench: Bench) -> str:
    """Where `may_go_on` raises, every read raises just that, hello() too; close() raises nothing."""
    may_go_on = _MayGoOn()
    with bench.source.hold(bench.location, may_go_on) as device:
        bench.open(device)
        may_go_on.allowed = False
        for what, read in (_reads(device) | {"hello()": device.hello}).items():
            may_go_on.stops(read, what)
        closed(device)
        may_go_on.allowed = True
        device.hello()
    return ""


class _MayGoOn:
    """ports.MayGoOn that a check switches."""

    def __init__(self) -> None:
        self.allowed = True
        self._no = Interrupted("DEVICE_HUNG")

    def __call__(self) -> None:
        if not self.allowed:
            raise self._no

    def stops(self, call: Callable[[], object], what: str) -> None:
        """Raise NotKept unless `call` raises what was raised here, unchanged."""
        try:
            call()
        except Exception as error:
            if error is self._no:
                return
            raise NotKept("wrong_error", call=what, error=described(error), expected="may_go_on()") from error
        raise NotKept("not_stopped", call=what)


def wrong_password_is_told(bench: Bench) -> str:
    """A wrong password raises PasswordRefused with the tries left, costs one, and opens nothing."""
    if not bench.plan.spend_a_try:
        raise NotTried("costs_a_try")
    bench.need_password()
    with bench.held() as device:
        before = device.hello().tries_left
        if before < _ENOUGH_TRIES:
            raise NotTried("last_try", tries_left=before)
        error = bench.refusal(lambda: device.open(_WRONG), "open(a wrong password)", PasswordRefused)
        _refused(bench, device.clock, "clock() after a refused open()")
        after = device.hello().tries_left
        same("tries_left", before - 1, after)
        same("PasswordRefused.tries_left", after, getattr(error, "tries_left", None))
        bench.open(device)
        closed(device)
    return f"tries_left={after}"


def closed(device: Device) -> None:
    """Close. Raises NotKept where close() raises anything."""
    try:
        device.close()
    except Exception as error:
        raise NotKept("raised", call="close()", error=described(error)) from error


def newest_write(device: Device) -> int:
    """Return the number of the newest write that an opened device remembers, 0 where there is none."""
    return max((write.write_no for write in device.last_writes()), default=0)


def _refused(bench: Bench, call: Callable[[], object], what: str) -> None:
    bench.refusal(call, what, Refusal, Unavailable)


def _all_refused(bench: Bench, device: Device) -> None:
    for what, read in _reads(device).items():
        _refused(bench, read, f"{what} before open()")


def _reads(device: Device) -> dict[str, Callable[[], object]]:
    return {
        "info()": device.info,
        "clock()": device.clock,
        "monitor()": device.monitor,
        "stock()": lambda: device.stock("007"),
        "statistics()": lambda: device.statistics("007", _DAY, _DAY),
        "invoices()": lambda: list(device.invoices("007", _DAY, _DAY)),
        "find_invoice()": lambda: device.find_invoice("0" * 10, "0" * 8),
        "read_summary()": lambda: device.read_summary("007", Period("2020-01")),
        "last_writes()": device.last_writes,
    }
