"""SIGHUP to the real agent: what a new configuration changes at once, what waits, and one that is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from taxagent.simulator.site import Site
from taxclient import Client
from tests.builders.service_manager import Fields, ServiceManager, service_manager
from tests.builders.site import DEVICE, client, identified, site, until


@contextmanager
def reloadable(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, ServiceManager, Client]]:
    """A site whose agent is ready and has read its device."""
    with service_manager() as manager, site(config='[support]\ncontact = "Wang 1"\n') as shop:
        text = shop.config.read_text()
        shop.config.write_text(text.replace('language = "zh"', 'language = "en"'))
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        shop.start_agent()
        with client(shop) as one:
            identified(one, DEVICE)
            manager.until(lambda told: told.get("STATUS") == "Ready: 1 plugged", "ready, with its device")
            yield shop, manager, one


def reload(shop: Site, manager: ServiceManager) -> Fields:
    """Have the agent read its configuration anew; return what it said when that was over."""
    assert shop.agent is not None
    shop.agent.child.send_signal(signal.SIGHUP)
    begun = manager.until(lambda told: told.get("RELOADING") == "1", "it reloads")
    assert int(begun["MONOTONIC_USEC"]) > 0
    return manager.until(lambda told: told.get("READY") == "1", "it has reloaded")


def journal_line(shop: Site, wanted: str) -> str:
    """The last row of the journal that names this, once it is durable."""
    command = [sys.executable, "-m", "taxagent", "journal", "show", "--state", str(shop.state_dir)]
    found: list[str] = []

    def there() -> bool:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        found[:] = [line for line in told.splitlines() if wanted in line]
        return bool(found)

    until(there, f"the journal names {wanted}")
    return found[-1]


def contact(one: Client) -> str:
    return one.diagnose().contact


def test_a_contact_and_a_deadline_are_those_of_the_new_configuration_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with reloadable(monkeypatch) as (shop, manager, one):
        assert contact(one) == "Wang 1"
        text = shop.config.read_text().replace("Wang 1", "Li 2")
        shop.config.write_text(text + '\n[windows.overrides]\n"2026-11" = 2026-11-27\n')
        assert reload(shop, manager)["STATUS"] == "Ready: 1 plugged"
        assert contact(one) == "Li 2"
        november = one.explain_window(2026).deadlines[10]
        assert (november.deadline, november.source) == ("2026-11-27", "override")


def test_a_configuration_that_is_out_of_form_is_refused_and_the_old_one_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with reloadable(monkeypatch) as (shop, manager, one):
        good = shop.config.read_text()
        shop.config.write_text(good.replace("Wang 1", "Li 2") + "\n[device]\nread_s = -1\n")
        said = reload(shop, manager)["STATUS"]
        assert said.startswith("Ready: 1 plugged; new configuration refused, the old one holds: ")
        assert "device.read_s" in said
        assert "(device.read_s)" in journal_line(shop, "device.read_s")
        assert contact(one) == "Wang 1"
        check = [sys.executable, "-m", "taxagent", "run", "--check", "--config", str(shop.config)]
        assert subprocess.run(check, capture_output=True, check=False, timeout=30).returncode == 2
        shop.config.write_text(good)
        assert subprocess.run(check, capture_output=True, check=False, timeout=30).returncode == 0
        assert reload(shop, manager)["STATUS"] == "Ready: 1 plugged"


def test_an_endpoint_waits_for_a_restart_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with reloadable(monkeypatch) as (shop, manager, one):
        text = shop.config.read_text()
        shop.config.write_text(text.replace(shop.endpoint, shop.endpoint + "2").replace("Wang 1", "Li 2"))
        assert reload(shop, manager)["STATUS"] == "Ready: 1 plugged; needs a restart: ipc.endpoint"
        assert contact(one) == "Li 2"  # the old door, the new contact
