"""A running site for tests: bureau, devices and agent as processes, with the example scenario."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from taxagent.simulator.scenario import Scenario, load
from taxagent.simulator.site import Site, example
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import ClientError

SCENARIO: Scenario = load(example("control_disk"))
DEVICE, TAXPAYER, PERIOD = SCENARIO.device_no, SCENARIO.taxpayer_id, "2026-10"
START = "2026-11-03T11:30:00+08:00"
PATIENCE_S = 20.0


@contextmanager
def site(
    start: str = START,
    config: str = "",
    *,
    scenario: Path | None = None,
    scenarios: Sequence[Path] = (),
    bureau: Path | None = None,
) -> Iterator[Site]:
    """Yield a site whose bureau and devices run and whose configuration is written; the agent is not started.

    Without scenarios it has the example's device. The bureau knows the devices' taxpayers, and what its own
    scenario says. The folder has a short path: an ipc endpoint must fit into 107 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="tca-") as folder:
        clock = f"{start}@{time.time_ns() // 1_000_000}x1"
        with Site(Path(folder), clock=clock) as shop:
            plugged = scenarios or [scenario or example("control_disk")]
            shop.start_bureau(sorted({load(path).taxpayer_id for path in plugged}), scenario=bureau)
            shop.start_devices(plugged)
            shop.write_config(config)
            yield shop


@contextmanager
def client(shop: Site) -> Iterator[Client]:
    """Yield a client of the site's agent, once the agent answers."""
    with Client(shop.endpoint, lang="en") as one:
        until(lambda: answers(one), "the agent answers")
        yield one


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds, at most 20 s; the conditions here are questions to another process."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            msg = f"not within {PATIENCE_S:.0f} s: {what}"
            raise AssertionError(msg)
        time.sleep(0.02)


def identified(one: Client, device: str = "") -> m.DeviceView:
    """Return the view of a device, or of the only one, once the agent has read it."""

    def read() -> list[m.DeviceView]:
        return [view for view in one.status().devices if view.types and device in ("", view.device_no)]

    until(lambda: bool(read()), f"device {device} is identified")
    return read()[0]


def prepared(one: Client, kind: str = "settle", device: str = DEVICE) -> str:
    """Return the token of a prepare, once the device is identified."""
    identified(one, device)
    return one.prepare(m.PrepareArgs(kind=kind, device_no=device)).token


def submitted(
    one: Client, token: str, key: str = "", kind: str = "settle", device: str = DEVICE
) -> m.JobView:
    """Submit a confirmed job; return it as accepted."""
    return one.submit(m.SubmitArgs(kind=kind, device_no=device, token=token), key=key).job


def settle(one: Client) -> m.JobView:
    """Prepare, confirm and submit a settle job; return it as accepted."""
    return submitted(one, prepared(one))


def ended(one: Client, job_id: str) -> m.JobView:
    """Return the job once it has ended, or once it wants a person."""
    deadline = time.monotonic() + PATIENCE_S
    job = one.job(job_id)
    while not job.ended and job.state != "needs_human":
        if time.monotonic() > deadline:
            msg = f"{job.kind} is still {job.state}: {job.wait or job.problem}"
            raise AssertionError(msg)
        job = one.wait(job_id, rev=job.rev, timeout_ms=2_000).job
    return job


def waits(one: Client, job_id: str, reason: str) -> m.JobView:
    """Return the job once it waits for `reason`, as it was seen then: it may go on at once."""
    job = one.job(job_id)

    def so() -> bool:
        nonlocal job
        job = one.job(job_id)
        assert not job.ended, f"{job.state} {job.problem}"
        return job.wait is not None and job.wait.reason == reason

    until(so, f"{job_id} waits for {reason}")
    return job


def writes(shop: Site, device: str = DEVICE) -> list[tuple[str, bool]]:
    """Return the device's own log of writes: (kind, accepted), oldest first."""
    return [(kind, accepted) for kind, _, accepted in writes_by_group(shop, device)]


def writes_by_group(shop: Site, device: str) -> list[tuple[str, str, bool]]:
    """Return the device's own log of writes: (kind, group, accepted), oldest first."""
    with shop.device_orders() as orders:
        log = orders.order({"do": "log", "device": device})
    rows = log["writes"]
    assert isinstance(rows, list)
    return [(row["write"]["kind"], row["group"], row["write"]["accepted"]) for row in rows]


def answers(one: Client) -> bool:
    """Return whether an agent answers; one that starts does not yet."""
    with suppress(ClientError):
        one.hello()
        return True
    return False
