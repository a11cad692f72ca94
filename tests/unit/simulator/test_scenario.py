"""A scenario file says what a simulated device is; a wrong one is refused with the key and what is wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.model.errors import AgentError
from taxagent.model.taxpayer import taxpayer_id
from taxagent.simulator import scenario as s
from taxagent.simulator.books import InvoiceBook
from taxagent.simulator.scenario import COMMANDS, load, scenario_of
from taxagent.simulator.site import example

TEXT = example("control_disk").read_text(encoding="utf-8")


def refused(text: str) -> dict[str, str]:
    with pytest.raises(AgentError) as caught:
        scenario_of(text, source="x.toml")
    assert caught.value.fault == "SCENARIO_INVALID"
    assert caught.value.detail["path"] == "x.toml"
    return caught.value.detail


def test_the_example_is_valid_down_to_its_taxpayer_and_its_invoices() -> None:
    scenario = scenario_of(TEXT)
    assert taxpayer_id(scenario.taxpayer_id) == scenario.taxpayer_id
    assert [kind.invoice_type for kind in scenario.types] == ["007", "004"]
    for kind in scenario.types:
        InvoiceBook(kind)


def test_the_example_names_every_key() -> None:
    parts = (s.Scenario, s.ClockScenario, s.Blanks, s.Returned, s.ListedInvoice, s.Generated, s.TypeScenario)
    known = {name for part in parts for name in part.__struct_fields__}
    assert {name for name in known if f"{name} =" not in TEXT and f"{name}]" not in TEXT} == set()


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('device_no = "661700000011"', 'device_no = "66170000001"', "device_no"),
        ('kind = "control_disk"', 'kind = "ukey"', "kind"),
        ('kind = "control_disk"', 'kind = "toaster"', "kind"),
        ('taxpayer_id = "91370102MA3CXK7T44"', 'taxpayer_id = "91370102MA3CXK7T"', "taxpayer_id"),
        ("tries = 5", "tries = 0", "tries"),
        ("certificate_to = 2029-02-28", "certificate_to = 2023-02-28", "certificate_to"),
        ("seal = 40", "seel = 40", "latency_ms.seel"),
        ("seal = 40", "seal = -1", "latency_ms[...]"),
        ('invoice_type = "004"', 'invoice_type = "007"', "types[1].invoice_type"),
        ('invoice_type = "004"', 'invoice_type = "999"', "types[1].invoice_type"),
        ("last_report = 2026-09-30  ", "last_report = 2026-09-29  ", "types[0].last_report"),
        ("amount_min = 2000", "amount_min = 900000", "types[0].generate.amount_max"),
        ("red_percent = 3", "red_percent = 98", "types[0].generate.voided_percent"),
        ("amount = 128000", "amount = -128000", "types[0].invoices[0].amount"),
        ("seed = 11", 'seed = "eleven"', "types[1].generate.seed"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(old: str, new: str, key: str) -> None:
    assert old in TEXT
    detail = refused(TEXT.replace(old, new, 1))
    assert (detail["key"], bool(detail["what"])) == (key, True)


def test_an_unknown_key_is_refused_by_its_name() -> None:
    assert "colour" in refused('colour = "red"\n' + TEXT)["what"]


def test_what_is_no_toml_is_refused() -> None:
    assert "TOML" in refused("= =")["what"]


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(AgentError, match="SCENARIO_INVALID"):
        load(Path("/nonexistent/scenario.toml"))


def test_latencies_are_by_command_with_a_default() -> None:
    scenario = scenario_of(TEXT.replace("default = 0", "default = 7"))
    assert {name: scenario.latency(name) for name in ("seal", "info")} == {"seal": 40, "info": 7}
    assert "seal" in COMMANDS


def test_dates_are_read_as_dates() -> None:
    assert scenario_of(TEXT).types[0].last_report == dt.date(2026, 9, 30)
