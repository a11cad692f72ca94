"""The real agent and a service manager's socket: ready, signs of life, state in words, more time, the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from taxagent.simulator.site import Site
from tests.builders.service_manager import ServiceManager, service_manager
from tests.builders.site import DEVICE, PERIOD, TAXPAYER, client, prepared, site, submitted, waits

KEY = "told-to-the-manager-1"


@contextmanager
def managed(monkeypatch: pytest.MonkeyPatch, watchdog_ms: int = 0) -> Iterator[tuple[Site, ServiceManager]]:
    """A site whose agent is started by a service manager of ours."""
    with service_manager() as manager, site() as shop:
        text = shop.config.read_text()
        shop.config.write_text(text.replace('language = "zh"', 'language = "en"'))
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        if watchdog_ms:
            monkeypatch.setenv("WATCHDOG_USEC", str(watchdog_ms * 1000))
        yield shop, manager


def test_it_is_ready_once_the_journal_is_verified_and_says_what_it_does_and_that_it_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with managed(monkeypatch) as (shop, manager):
        agent = shop.start_agent()
        ready = manager.until(lambda told: "READY" in told, "ready")
        assert (ready["READY"], ready["STATUS"]) == ("1", "Ready: 0 plugged")
        with client(shop) as one:
            job_id = submitted(one, prepared(one), KEY).job_id
            waits(one, job_id, "declaration")
            manager.until(lambda told: told.get("STATUS") == "Ready: 1 plugged, 1 waiting", "it waits")
            agent.child.send_signal(signal.SIGTERM)
            manager.until(lambda told: told.get("STOPPING") == "1", "it stops")
            assert agent.child.wait(20) == 0
        assert "WATCHDOG" not in {name for told in manager.told for name in told}


def test_while_a_seal_is_under_way_a_stop_asks_for_more_time_until_it_is_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with managed(monkeypatch) as (shop, manager), shop.device_orders() as orders:
        shop.file_return(TAXPAYER, PERIOD)
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            hold: dict[str, object] = {"do": "fault", "device": DEVICE, "command": "seal", "point": "before"}
            orders.order(hold | {"act": "hold"})
            submitted(one, token, KEY)
            orders.event("reached")
            agent.child.send_signal(signal.SIGTERM)
            stopping = manager.until(lambda told: "STOPPING" in told, "it stops")
            assert stopping["STATUS"] == "Stopping: 1 plugged, 1 running, 1 in a step that must not be cut"
            more = manager.until(lambda told: "EXTEND_TIMEOUT_USEC" in told, "more time")
            assert int(more["EXTEND_TIMEOUT_USEC"]) == 20_000_000
            orders.order({"do": "clear_faults"})
            assert agent.child.wait(20) == 0


def test_signs_of_life_come_well_within_the_limit_and_none_from_a_process_that_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with managed(monkeypatch, watchdog_ms=600) as (shop, manager):
        agent = shop.start_agent()
        manager.until(lambda told: "READY" in told, "ready")
        for _ in range(4):
            manager.until(lambda told: told.get("WATCHDOG") == "1", "a sign of life")
        agent.child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, agent.child.pid, os.WSTOPPED | os.WNOWAIT)
        while manager.next(0.0) is not None:
            pass  # what was under way
        assert manager.next(1.2) is None
        agent.child.send_signal(signal.SIGCONT)
        manager.until(lambda told: told.get("WATCHDOG") == "1", "it goes on")


def test_a_second_agent_leaves_word_why_it_is_none_and_ends_with_75(monkeypatch: pytest.MonkeyPatch) -> None:
    with managed(monkeypatch) as (shop, manager):
        first = shop.start_agent()
        manager.until(lambda told: told.get("STATUS") == "Ready: 1 plugged", "the device is told")
        second = shop.start_agent()
        assert second.child.wait(20) == 75
        told = manager.next(0.0)
        shop.agent = first  # to be stopped with the site
        assert told is not None
        assert told["STATUS"].startswith("INSTANCE_RUNNING: ")
        assert manager.next(0.0) is None
