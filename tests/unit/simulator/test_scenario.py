"""A scenario file says what a simulated device is; a wrong one is refused with the key and what is wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.model.device import DeviceKind
from taxagent.model.errors import AgentError
from taxagent.model.taxpayer import taxpayer_id
from taxagent.simulator import scenario as s
from taxagent.simulator.books import InvoiceBook
from taxagent.simulator.contradictions import COMMANDS
from taxagent.simulator.kinds import groups_of
from taxagent.simulator.scenario import load, scenario_of
from taxagent.simulator.site import example

TOGETHER = "types[1].invoicing_deadline"
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
    parts = (
        s.Scenario,
        s.ClockScenario,
        s.UsbScenario,
        s.Blanks,
        s.Returned,
        s.ListedInvoice,
        s.Generated,
        s.TypeScenario,
    )
    known = {name for part in parts for name in part.__struct_fields__}
    assert {name for name in known if f"{name} =" not in TEXT and f"{name}]" not in TEXT} == set()


@pytest.mark.parametrize(
    ("kind", "sha256"),
    [
        ("control_disk", "63418abfee002bbde98cb7b86c5627aee63517b4df8475d1bbf604385b5681cb"),
        ("golden_disk", "bdb3db05873f2872625a31aee1812d0188f9a60c1afce7adcb6dd76824863fdb"),
        ("ukey", "89c529fc830d079b726dc91c6a4e8b049cedd2c2eb6c85370dc68d1538a2576a"),
    ],
)
def test_the_state_that_an_older_simulator_kept_of_an_example_is_still_its_state(
    kind: str, sha256: str
) -> None:
    assert s.load(example(kind)).sha256() == sha256


def test_a_key_that_is_not_as_it_was_before_makes_another_scenario() -> None:
    before = s.scenario_of(TEXT).sha256()
    for old, new in (
        ("training = false", "training = true"),
        ('battery = "good"', 'battery = "dead"'),
        ("empty_reads = 0", "empty_reads = 1"),
        ("offline_count = 0", "offline_count = 9"),
        ("unknown_commands = []", 'unknown_commands = ["offline"]'),
    ):
        assert s.scenario_of(TEXT.replace(old, new)).sha256() != before, new


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('device_no = "661700000011"', 'device_no = "66170000001"', "device_no"),
        ('kind = "control_disk"', 'kind = "golden_disk"', "types[0].last_report"),
        ("# settles_ms = 1200", "settles_ms = 1200", "settles_ms"),
        ('kind = "control_disk"', 'kind = "toaster"', "kind"),
        ("largest_read = 4096", "largest_read = 300", "usb.largest_read"),
        ('at_start = "working"', 'at_start = "lame"', "usb.at_start"),
        ("empty_reads = 0", "empty_reads = 9", "usb.empty_reads"),
        ('battery = "good"', 'battery = "flat"', "clock.battery"),
        ('taxpayer_id = "91370102MA3CXK7T44"', 'taxpayer_id = "91370102MA3CXK7T"', "taxpayer_id"),
        ("tries = 5", "tries = 0", "tries"),
        ("unknown_commands = []", 'unknown_commands = ["hello"]', "unknown_commands"),
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


@pytest.mark.parametrize("kind", ["golden_disk", "ukey"])
def test_each_kind_has_an_example_that_is_valid_down_to_its_taxpayer_and_its_invoices(kind: str) -> None:
    scenario = load(example(kind))
    assert (scenario.kind, taxpayer_id(scenario.taxpayer_id)) == (kind, scenario.taxpayer_id)
    for each in scenario.types:
        InvoiceBook(each)


@pytest.mark.parametrize(
    ("kind", "types", "groups"),
    [
        ("control_disk", ["004", "007"], ("004", "007")),
        ("golden_disk", ["004", "007"], ("004+007",)),
        ("golden_disk", ["007", "025", "004"], ("007+004", "025")),
        ("golden_disk", ["005", "004", "026", "028", "006"], ("005+026+006", "004", "028")),
        ("ukey", ["007", "026", "004"], ("007+026+004",)),
    ],
)
def test_the_kind_decides_which_types_report_together(
    kind: str, types: list[str], groups: tuple[str, ...]
) -> None:
    assert groups_of(DeviceKind(kind), types) == groups


@pytest.mark.parametrize(
    ("kind", "old", "new", "key"),  # the key that is wrong, "" where nothing is
    [
        ("golden_disk", "last_report = 2026-09-01  ", "last_report = 2026-08-31  ", "types[0].last_report"),
        ("golden_disk", "last_report = 2026-09-01\n", "last_report = 2026-10-01\n", ""),
        ("golden_disk", "2026-09-01              # that", "2026-10-01  # that", "types[1].last_report"),
        ("ukey", "last_report = 2026-09-30\n", "last_report = 2026-08-31\n", "types[1].last_report"),
        ("ukey", "deadline = 2026-11-16\nsingle", "deadline = 2026-12-15\nsingle", TOGETHER),
        ("ukey", "settles_ms = 1200", "settles_ms = 4001", "settles_ms"),
    ],
)
def test_the_types_of_a_group_stand_alike_as_their_kind_stores_it(
    kind: str, old: str, new: str, key: str
) -> None:
    text = example(kind).read_text(encoding="utf-8")
    assert old in text
    changed = text.replace(old, new, 1)
    if key:
        assert refused(changed)["key"] == key
    else:
        scenario_of(changed)  # 026 is a group of its own


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
