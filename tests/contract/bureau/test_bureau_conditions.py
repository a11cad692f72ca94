"""What holds for every call of the bureau: maintenance, oldest version, log-in, certificate, pace."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent import __version__
from taxagent.bureau.client import GatewayClient
from taxagent.bureau.messages import Op
from taxagent.model.errors import AgentError, BureauDown, BureauRefused
from taxagent.simulator.bureau_conditions import Certificate, MaintenanceTime
from taxagent.simulator.bureau_control import Control, SetConditions, Show
from taxagent.simulator.bureau_register import BureauScenario, load_bureau
from taxagent.simulator.bureau_server import Running
from taxagent.simulator.site import example
from tests.builders.bureau import (
    BureauClock,
    Pauses,
    accepted,
    client_of,
    running_bureau,
    sealed_report,
)

NOW = MaintenanceTime(from_=dt.datetime(2026, 11, 3, 9), until=dt.datetime(2026, 11, 3, 10), text="升级")
TONIGHT = MaintenanceTime(from_=dt.datetime(2026, 11, 3, 22), until=dt.datetime(2026, 11, 4, 2))


def ordered(running: Running, order: SetConditions) -> None:
    with Control(running.control_port) as control:
        control.order(order)


def refused(client: GatewayClient) -> BureauRefused:
    with pytest.raises(BureauRefused) as caught:
        client.put_report(sealed_report())
    return caught.value


def test_a_maintenance_is_told_beforehand_and_hinders_nothing_yet(
    running: Running, client: GatewayClient
) -> None:
    ordered(running, SetConditions(maintenance=TONIGHT))
    told = client.status().maintenance
    assert told is not None
    assert (told.until_ms - told.from_ms, told.text) == (4 * 3_600_000, "系统升级维护")
    client.put_report(sealed_report())


def test_during_a_maintenance_nothing_is_taken_and_status_says_until_when(
    running: Running, client: GatewayClient
) -> None:
    ordered(running, SetConditions(maintenance=NOW))
    with pytest.raises(BureauDown) as caught:
        client.put_report(sealed_report())
    assert (caught.value.fault, caught.value.retry_after_s) == ("BUREAU_MAINTENANCE", 1800.0)
    assert caught.value.detail["bureau_text"] == "升级"
    assert client.status().maintenance is not None
    ordered(running, SetConditions(maintenance=None))
    client.put_report(sealed_report())


def test_notices_are_told(running: Running, client: GatewayClient) -> None:
    ordered(running, SetConditions(notices=("请升级", "11月16日截止")))
    assert client.status().notices == ("请升级", "11月16日截止")


def test_an_agent_that_is_too_old_is_told_which_version_is_wanted(
    running: Running, client: GatewayClient
) -> None:
    ordered(running, SetConditions(minimum_agent_version="99.0"))
    error = refused(client)
    assert error.fault == "BUREAU_VERSION"
    assert (error.detail["expected"], error.detail["found"]) == ("99.0", __version__)
    assert client.status().minimum_agent_version == "99.0"
    ordered(running, SetConditions(minimum_agent_version=__version__))
    client.put_report(sealed_report())


def test_a_log_in_that_is_refused_is_said_at_once_and_not_tried_again(
    running: Running, client: GatewayClient, pauses: Pauses
) -> None:
    ordered(running, SetConditions(refuses_login=True))
    error = refused(client)
    assert error.fault == "BUREAU_AUTH"
    assert "无法登录" in error.detail["bureau_text"]
    assert pauses.taken == []


@pytest.mark.parametrize(
    "certificate, why",
    [
        (Certificate.FOREIGN, "unable to get local issuer certificate"),
        (Certificate.EXPIRED, "certificate has expired"),
    ],
)
def test_a_wrong_certificate_of_the_bureau_is_refused_and_says_why(
    running: Running, clock: BureauClock, certificate: Certificate, why: str
) -> None:
    ordered(running, SetConditions(certificate=certificate))
    with client_of(running, clock) as client:
        error = refused(client)
    assert error.fault == "BUREAU_AUTH"
    assert why in error.detail["what"]
    ordered(running, SetConditions(certificate=Certificate.RIGHT))
    with client_of(running, clock) as client:
        client.put_report(sealed_report())


def test_a_slow_bureau_is_waited_for(running: Running, client: GatewayClient) -> None:
    ordered(running, SetConditions(pace_s=0.2))
    client.put_report(sealed_report())
    assert accepted(running, Op.REPORT_PUT) == 1


def test_what_is_left_out_stays_as_it_is(running: Running) -> None:
    ordered(running, SetConditions(notices=("一",)))
    ordered(running, SetConditions(pace_s=0.0))
    with Control(running.control_port) as control:
        assert control.order(Show())["conditions"]["notices"] == ["一"]


def test_a_maintenance_that_ends_before_it_begins_is_no_order(running: Running) -> None:
    upside_down = MaintenanceTime(from_=NOW.until, until=NOW.from_)
    with pytest.raises(ValueError, match="until must lie after from"):
        ordered(running, SetConditions(maintenance=upside_down))


def test_the_example_scenario_has_every_key_and_is_served(tmp_path: Path, clock: BureauClock) -> None:
    scenario = load_bureau(example("bureau"))
    assert {device.terminal_no for device in scenario.devices} == {0, 1}
    assert scenario.conditions.maintenance is not None
    with running_bureau(tmp_path, clock, scenario) as running, client_of(running, clock) as client:
        assert client.status().notices == ("11月16日申报截止",)


@pytest.mark.parametrize(
    "text, key",
    [
        ("taxpayer = []", "taxpayer"),
        ("[conditions]\nmood = 1", "mood"),
        ('[conditions]\ncertificate = "fine"', "certificate"),
        ('[[devices]]\ndevice_no = "661700000011"\ntaxpayer_id = "1"', "1"),
        ("[conditions.maintenance]\nfrom = 2026-11-08T02:00:00\nuntil = 2026-11-08T01:00:00", "until"),
    ],
)
def test_a_scenario_that_is_wrong_is_refused_and_the_key_named(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "bureau.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AgentError) as caught:
        load_bureau(path)
    assert caught.value.fault == "SCENARIO_INVALID"
    assert key in str(caught.value.detail)


def test_without_a_scenario_it_is_a_good_day() -> None:
    assert BureauScenario().conditions.maintenance is None
