"""What is done to the service, and what befalls it: a second instance, reload, stop, full disk, watchdog."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from taxclient.protocol.errors import RemoteError
from tests.vm.guest.forks import BIN
from tests.vm.guest.machine import done, journal, main_pid, out, restarted, unit, until
from tests.vm.guest.package import FIRST
from tests.vm.guest.report import Report
from tests.vm.guest.shop import Shop
from tests.vm.guest.trouble import begun, held

DEVICES = {"stop": "control_disk", "full": "control_disk"}
DROP_IN = Path("/etc/systemd/system/taxagent.service.d/stage.conf")
SHORT = "[Service]\nWatchdogSec=12s\n"
_STATE = Path("/var/lib/taxagent")
_CONFIG = Path("/etc/taxagent/taxagent.toml")


def checks(report: Report, shop: Shop) -> None:
    """The service runs before and after."""
    report.check("the package is refused beside a service that was installed by hand", refused)
    report.check("a second instance ends with 75 and disturbs nothing", partial(second, shop))
    report.check("reload: a new role counts at once", partial(reloaded, shop, shop.numbers["stop"]))
    report.check(
        "reload: a bad configuration is refused and the old one holds",
        partial(not_reloaded, shop, shop.numbers["stop"]),
    )
    shortened()
    report.check(
        "stopped in a seal: it waits for it; the next start does the rest",
        partial(stopped_in_a_job, shop, shop.numbers["stop"]),
    )
    report.check(
        "full disk: new work is not executed, reads go on, room mends it",
        partial(full, shop, shop.numbers["full"]),
    )
    report.check(
        "a loop that stands still: the watchdog ends it, systemd starts it again", partial(watchdog, shop)
    )


def shortened() -> None:
    """A drop-in, as a person would change the unit; it counts from the next start on."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(SHORT, encoding="ascii")
    out("systemctl", "daemon-reload")


def refused() -> None:
    """Before a file is unpacked."""
    ended = done("dpkg", "-i", FIRST)
    assert ended.returncode != 0
    assert f"{BIN}/taxagent service uninstall" in ended.stderr, ended.stderr
    assert unit("FragmentPath")["FragmentPath"].startswith("/etc/")


def second(shop: Shop) -> str:
    """By hand, as the agent's user."""
    before = main_pid()
    ended = done(f"{BIN}/taxagent", "run", "--config", str(_CONFIG), user="taxagent")
    assert ended.returncode == 75, f"{ended.returncode} {ended.stderr[-300:]}"
    assert main_pid() == before
    assert shop.answers()
    return ended.stderr.strip().splitlines()[-1][:120]


def reloaded(shop: Shop, number: str) -> None:
    """The member is no operator any more."""
    before = main_pid()
    shop.configure(role="viewer")
    shop.reload()
    until(lambda: shop.ask_here("backup", number).returncode == 77, "a viewer may not")
    assert main_pid() == before


def not_reloaded(shop: Shop, number: str) -> str:
    """`systemctl` says that it failed; the role is still the one of before."""
    before = main_pid()
    shop.configure(role="king")
    assert done("systemctl", "reload", "taxagent").returncode != 0
    assert shop.ask_here("backup", number).returncode == 77
    said = [line for line in journal("-n", "20").splitlines() if "king" in line]
    shop.configure()  # for the next start
    assert main_pid() == before
    return said[-1].strip()[:120] if said else "refused"


def full(shop: Shop, number: str) -> str:
    """The state directory is a disk of its own here."""
    begun(shop, number)
    request = shop.confirmed(number)
    with _filled(), shop.client() as one:
        try:
            one.submit(request)
        except RemoteError as error:
            refusal = error
        else:
            raise AssertionError("accepted on a full disk")
        one.status()
        assert shop.ask_here("status").returncode == 0
    assert (refusal.code, refusal.outcome) == ("JOURNAL_FULL", "not_executed"), refusal
    shop.settled(shop.submitted(number), number)
    shop.away(number)
    return refusal.code


@contextmanager
def _filled() -> Iterator[None]:
    """Leave no room on the state directory's disk, to the last block."""
    ballast = _STATE / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        ballast.unlink()


def watchdog(shop: Shop) -> str:
    """SIGSTOP: no sign of life comes any more. The unit's minute is shortened by a drop-in."""
    before = main_pid()
    os.kill(before, signal.SIGSTOP)
    until(restarted(before), "the watchdog strikes")
    until(shop.answers, "the agent answers")
    said = [line for line in journal("-n", "60").splitlines() if "watchdog" in line.lower()]
    assert said, journal("-n", "60")
    return f"{said[0][:80]}; restarts {unit('NRestarts')['NRestarts']}"


def stopped_in_a_job(shop: Shop, number: str) -> str:
    """SIGTERM waits for the seal in hand; the rest is done after the next start."""
    begun(shop, number)
    with held(shop, number) as (job_id, go_on):
        out("systemctl", "stop", "--no-block", "taxagent")
        until(lambda: unit("ActiveState")["ActiveState"] == "deactivating", "it stops")
        status = until(lambda: unit("StatusText")["StatusText"], "it says so")
        go_on()
    until(lambda: unit("ActiveState")["ActiveState"] == "inactive", "it has stopped")
    assert unit("Result")["Result"] == "success", unit("Result")
    shop.given_back(number)
    shop.start()
    shop.settled(job_id, number)
    shop.away(number)
    return status
