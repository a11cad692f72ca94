"""The check that ends a set-up: the lines of `taxctl check`, read by the command itself, kept nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

from taxagent.bureau.client import GatewayClient
from taxagent.cli.reading import alone, read_one, secret_store
from taxagent.config import Settings
from taxagent.configured import gateway_settings, known_of, rules_of
from taxagent.device import drivers
from taxagent.examination import gateway_of
from taxagent.host.clock import HostClock
from taxagent.host.surroundings import Surroundings
from taxagent.jobs.asks import Ask
from taxagent.jobs.scoping import pinned
from taxagent.model.checks import of_error, of_problem
from taxagent.model.device import DeviceState, Hello
from taxagent.model.errors import AgentError
from taxagent.model.events import AnyEvent
from taxagent.model.job import Job, JobKind, JobState
from taxagent.model.lines import CheckLine
from taxagent.model.usb import Recognised
from taxagent.ports import Device, DeviceSource, JournalReader, JournalTx
from taxagent.procedures.checks import check
from taxagent.procedures.ledger import Ledger
from taxagent.procedures.session import Latch, open_session
from taxagent.procedures.work import Work
from taxagent.records.archive import ZipArchives

T = TypeVar("T")


class Unkept:
    """ports.Journal that keeps nothing: a check writes to no device, so nothing of it has to be durable."""

    def append(self, *_: AnyEvent) -> int:
        """Forget the rows."""
        return 0

    def transact(self, work: Callable[[JournalTx], T]) -> T:
        """Refuse: what needs a transaction has no place here."""
        raise AgentError("INTERNAL", error=type(work).__name__)

    def transact_soon(
        self, work: Callable[[JournalTx], T], done: Callable[[T | BaseException], None]
    ) -> None:
        """Refuse, as transact does."""
        done(AgentError("INTERNAL", error=type(work).__name__))


def checked(settings: Settings) -> Iterator[tuple[str, tuple[CheckLine, ...]]]:
    """Yield (device number, or where it is plugged; lines) for each device of ours.

    Raises InstanceRunning where an agent has the devices.
    """
    usb = settings.file.usb
    source = drivers.source(usb.driver, usb.backend)
    with alone(settings) as (latch, reader):
        for location in [one.location for one in source.seen() if one.recognised is Recognised.PROFILE]:
            yield _checked(settings, source, location, latch, reader)


def _checked(
    settings: Settings, source: DeviceSource, location: str, latch: Latch, reader: JournalReader
) -> tuple[str, tuple[CheckLine, ...]]:
    clock, secrets = HostClock(settings.simulation), secret_store(settings)

    def opened(device: Device, hello: Hello) -> None:
        open_session(device, hello, secrets, latch)

    view = read_one(source, location, opened, clock, simulation=settings.simulation is not None)
    if view.state is None:
        lines = (of_problem("device", view.problem),) if view.problem is not None else ()
        return view.device_no or location, lines
    ledger = Ledger(_job(view.state), Unkept(), clock)
    gateway = gateway_of(settings.file)
    try:
        with (
            closing(GatewayClient(gateway_settings(settings.file), clock)) as bureau,
            source.hold(location) as device,
        ):
            check(
                Work(
                    ledger=ledger,
                    device=device,
                    bureau=bureau,
                    clock=clock,
                    secrets=secrets,
                    latch=latch,
                    archives=ZipArchives(settings.state_dir / "backups"),
                    rules=rules_of(settings.file.windows),
                    simulation=settings.simulation is not None,
                    check_stop=lambda: None,
                    surroundings=Surroundings(gateway, settings.state_dir, reader, clock),
                    known=known_of(settings.file),
                )
            )
            device.close()
    except AgentError as error:
        return view.device_no, ledger.job.lines or (of_error("device", error),)
    return view.device_no, ledger.job.lines


def _job(state: DeviceState) -> Job:
    """Return the check as if it had been asked for: all types, and what is due."""
    ask = Ask(kind=JobKind.CHECK, device_no=state.hello.device_no)
    return Job(
        job_id="",
        kind=ask.kind,
        scope=pinned(ask, state),
        principal="",
        key="",
        ref="",
        accepted_ms=0,
        state=JobState.RUNNING,
    )
