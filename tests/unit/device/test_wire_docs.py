"""docs/device-profile.md says what the code does: its tables are the code's, its examples the vectors'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from taxagent.device import refusals, wire
from taxagent.device.commands import PAGE, SPECS
from taxagent.device.layout import FIELDS, LISTED, Layout
from taxagent.model.device import QUIRKS, DeviceKind

ROOT = Path(__file__).parents[3]
DOC = (ROOT / "docs" / "device-profile.md").read_text(encoding="utf-8")


def table(*head: str) -> list[tuple[str, ...]]:
    """Return the rows of the table with these column titles."""
    lines = iter(DOC.splitlines())
    title = "| " + " | ".join(head) + " |"
    assert title in lines, title
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    return rows


def written(layout: Layout[Any]) -> str:
    names = (
        f"{layout.lists[name].__name__}*"
        if name in layout.lists
        else layout.names[name] + ("?" if name in layout.optional else "")
        for name in layout.names
    )
    return ", ".join(names) or "none"


def test_the_fields_are_the_codes() -> None:
    assert table("tag", "field", "format") == [
        (f"{tag:04X}", name, form.name) for name, (tag, form) in FIELDS.items()
    ]


def test_the_list_items_are_the_codes() -> None:
    assert table("tag", "list item", "fields") == [
        (f"{tag:04X}", kind.__name__, written(layout)) for kind, (tag, layout) in LISTED.items()
    ]


def test_the_commands_are_the_codes() -> None:
    assert table("number", "command", "parameters", "result", "effect", "needs OPEN") == [
        (
            f"{spec.command:04X}",
            spec.command.name,
            written(spec.params),
            written(spec.result),
            spec.effect.value,
            "yes" if spec.needs_open else "no",
        )
        for spec in SPECS.values()
    ]


def test_the_refusals_are_the_codes() -> None:
    rows = table("code", "key/ASC/ASCQ", "meaning", "the driver raises")
    assert [(code, sense, meaning, raised.split()[-1]) for code, sense, meaning, raised in rows] == [
        (row.code, f"{int(row.key):X}/{row.asc:02X}/{row.ascq:02X}", row.meaning, row.fault)
        for row in refusals.REFUSALS
    ]


def test_the_golden_disks_own_codes_are_the_codes() -> None:
    rows = table("golden_disk", "code", "in place of", "the driver raises")
    assert [(vendor, code, profile, raised.split()[-1]) for vendor, code, profile, raised in rows] == [
        (row.vendor, row.code, profile, row.fault) for profile, row in refusals.GOLDEN_DISK.items()
    ]


def test_each_format_is_explained() -> None:
    explained = {name.strip() for row in table("format", "bytes") for name in row[0].split(",")}
    assert {form.name for _, form in FIELDS.values()} <= explained


def test_the_kinds_are_the_codes() -> None:
    rows = {row[0]: row[1:] for row in table("what", "golden_disk", "control_disk", "ukey")}
    for column, kind in enumerate((DeviceKind.GOLDEN_DISK, DeviceKind.CONTROL_DISK, DeviceKind.UKEY)):
        quirks = QUIRKS[kind]
        sealed = {name: cells[column] for name, cells in rows.items()}
        october = "2026-10-31" if quirks.last_report_inclusive else "2026-11-01"
        assert sealed["October 2026 is sealed where it is"] == october
        assert ("READ_SUMMARY" in sealed["the seal is"]) is quirks.seal_by_reading
        shows = f"within {quirks.settles_within_s:g} s" if quirks.settles_within_s else "at once"
        assert sealed["a seal shows in MONITOR"] == shows
        assert ("CLOCK_TICKET" in sealed["tickets of a clear"]) is quirks.clock_ticket_first


def test_the_numbers_are_the_codes() -> None:
    assert f"opcode {wire.OP_EXECUTE:02X}h | opcode {wire.OP_FETCH:02X}h" in DOC
    assert f"28 to {wire.MAX_REQUEST} | allocation length, 1 to {wire.BLOCK}" in DOC
    assert f"at most {wire.MAX_REQUEST:,} bytes, an answer frame at most\n{wire.MAX_ANSWER:,}" in DOC
    assert f"at most {PAGE} invoices" in DOC


def test_the_examples_are_vectors() -> None:
    vectors = ROOT / "tests" / "vectors" / "device"
    rows = json.loads((vectors / "commands.json").read_text(encoding="utf-8"))
    packed = "".join(DOC.split())
    for note in ("October 2026 of 007", "ukey: of a month that is not sealed it is the seal"):
        seal = next(row for row in rows if row["note"] == note)
        assert seal["request_frame"] in packed
        assert f"EXECUTE {seal['execute_cdb']}" in DOC
        assert f"FETCH   {seal['fetch_cdb']}" in DOC
    for name, key in (("refusals.json", "09d1cx"), ("descriptors.json", "control_disk")):
        found = json.loads((vectors / name).read_text(encoding="utf-8"))
        row = next(
            row for row in found if key in (row.get("code"), row.get("kind")) and row.get("simulated", True)
        )
        assert f"`{row.get('sense') or row['descriptor']}`" in DOC
