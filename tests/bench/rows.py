"""The rows of the table, in its order: name, unit, budget, and what measures it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tests.bench import accepting, asking, backing_up, plugging, resting, starting, subscribing
from tests.bench.figures import Goal, Measured, Than


class Kind(msgspec.Struct, frozen=True):
    """A row before it is measured. `measure` takes the number of rounds."""

    name: str
    unit: str
    goal: Goal
    measure: Callable[[int], Measured]


def _ratio(bound: float, text: str) -> Goal:
    return Goal(f"<= {bound:g} x {text}", Than.RATIO_AT_MOST, bound)


def _rate(bound: float, text: str) -> Goal:
    return Goal(f">= {bound:g} x {text}", Than.RATIO_AT_LEAST, bound)


def _value(bound: float, text: str) -> Goal:
    return Goal(f"<= {bound:g} {text}", Than.VALUE_AT_MOST, bound)


ROWS = (
    Kind("status p50, one client, ipc", "us", _ratio(1.3, "echo"), asking.status_p50),
    Kind("status p50, one client, tcp+CURVE", "us", _ratio(1.3, "echo by the same"), asking.status_p50_curve),
    Kind("status a second, 64 clients", "/s", _rate(0.85, "echo"), asking.status_rate),
    Kind(
        "status a second, 64 clients, tcp+CURVE",
        "/s",
        _rate(0.85, "echo by the same"),
        asking.status_rate_curve,
    ),
    Kind("durable accept p50, one client", "us", _ratio(1.6, "(commit + echo)"), accepting.accept_p50),
    Kind("durable accepts a second, 64 clients", "/s", _rate(5, "one by one"), accepting.accept_rate),
    Kind(
        "status p99 while 8 clients submit",
        "ms",
        _ratio(1, "(1.5 commit p99 + 5 echo p50)"),
        accepting.p99_under_submits,
    ),
    Kind("the same, each fsync 50 ms later", "ms", _value(5, "ms"), accepting.p99_on_slow_disk),
    Kind("event to 50 subscribers p99", "ms", _value(3, "ms, none lost"), subscribing.events_p99),
    Kind("idle, 8 clients connected", "%", _value(0.05, "% of a core"), resting.idle_cpu),
    Kind("memory above the imports", "MB", _value(10 + 1, "MB with one device"), resting.memory),
    Kind("spawn to first answer", "ms", _ratio(1.6, "its imports"), starting.first_answer),
    Kind("the same, 10,000 jobs in the journal", "ms", _value(300, "ms"), starting.first_answer_with_past),
    Kind("taxctl status, whole process", "ms", _ratio(1.6, "three imports"), starting.taxctl_status),
    Kind("device exchange above its transfers", "ms", _value(0.3, "ms"), plugging.exchange),
    Kind("unplug seen", "s", _value(1, "s"), plugging.unplug_seen),
    Kind("replug ready", "s", _value(3, "s"), plugging.replug_ready),
    Kind("back-up of 100,000 invoices, peak", "MB", _ratio(1.1, "2,000 invoices"), backing_up.backup_memory),
)
