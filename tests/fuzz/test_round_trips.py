"""What is written is read as it was: messages, events, jobs, records, QR codes, scenarios, configurations."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxagent import config
from taxagent.bureau import messages as gateway
from taxagent.model.errors import AgentError
from taxagent.model.events import AnyEvent, decode_event, encode_event
from taxagent.model.job import Job
from taxagent.model.qr import QR_TYPES, scanned
from taxagent.model.value import Value, from_json, to_json
from taxagent.records.clearing import ClearingRecord, encoded
from taxagent.simulator.scenario import Scenario, scenario_of
from taxagent.simulator.site import example
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from tests.fuzz.toml_text import toml
from tests.fuzz.values import any_of

T = TypeVar("T")
BIG = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=25)
MESSAGES = sorted(
    {op.args for op in m.OPS.values()} | {op.result for op in m.OPS.values()} | {m.Request, m.ErrorBody},
    key=lambda kind: kind.__name__,
)
EVENTS = msgspec.inspect.type_info(AnyEvent).types  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@BIG
@given(st.data())
def test_every_message_comes_back_as_it_was(kind: type[m.Message], data: st.DataObject) -> None:
    value = data.draw(any_of(kind))
    body = msgspec.msgpack.encode(value)
    assert msgspec.msgpack.decode(body, type=kind) == value
    assert wire.split(wire.joined(body)) == body
    plain = wire.decoded(body, wire.REPLY)
    assert msgspec.convert(plain, kind) == value, "the two decoders agree"


@pytest.mark.parametrize("kind", [event.cls for event in EVENTS], ids=lambda kind: kind.__name__)
@BIG
@given(st.data())
def test_every_row_of_the_journal_comes_back_as_it_was(kind: type[Value], data: st.DataObject) -> None:
    event: Any = data.draw(any_of(kind))
    assert decode_event(encode_event(event)) == event


@BIG
@given(any_of(Job))
def test_a_job_comes_back_as_it_was(job: Job) -> None:
    assert from_json(to_json(job), Job) == job


@BIG
@given(any_of(ClearingRecord))
def test_a_record_comes_back_as_it_was(record: ClearingRecord) -> None:
    assert from_json(encoded(record), ClearingRecord) == record


GATEWAY = sorted(
    (
        kind
        for kind in vars(gateway).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == gateway.__name__
    ),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", GATEWAY, ids=lambda kind: kind.__name__)
@BIG
@given(st.data())
def test_every_message_to_the_bureau_comes_back_as_it_was(
    kind: type[msgspec.Struct], data: st.DataObject
) -> None:
    value = data.draw(any_of(kind))
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


@given(
    st.sampled_from(sorted(QR_TYPES)),
    st.from_regex(r"[0-9]{10}|[0-9]{12}", fullmatch=True),
    st.from_regex(r"[0-9]{8}", fullmatch=True),
    st.integers(0, 10**11),
    st.dates(dt.date(2015, 1, 1), dt.date(2030, 12, 31)),
    st.sampled_from(["", ","]),
)
def test_a_printed_code_is_read_as_it_was_printed(
    kind: str, code: str, number: str, fen: int, day: dt.date, end: str
) -> None:
    text = (
        f"01,{kind},{code},{number},{fen // 100}.{fen % 100:02d},{day:%Y%m%d},12345678901234567890,1A2B{end}"
    )
    for written in (text, text.lower(), f" {text} ", "".join(chr(ord(c) + 0xFEE0) for c in text)):
        found = scanned(written)
        assert (found.invoice_type, found.code, found.number) == (QR_TYPES[kind], code, number)
        assert (found.amount, found.issued_on) == (fen, day)


@BIG
@given(any_of(Scenario))
def test_a_scenario_file_is_read_as_it_was_written_or_refused_with_a_key(scenario: Scenario) -> None:
    text = toml(msgspec.to_builtins(scenario, builtin_types=(dt.date, dt.datetime)))
    assert read_or_refused(lambda: scenario_of(text), "SCENARIO_INVALID") in (scenario, None)


@BIG
@given(any_of(config.File), st.booleans())
def test_a_configuration_file_is_read_as_it_was_written_or_refused_with_a_key(
    file: config.File, allowed: bool
) -> None:
    if allowed:
        file = msgspec.structs.replace(
            file,
            ipc=msgspec.structs.replace(file.ipc, endpoint="ipc:///run/taxagent/agent.sock"),
            bureau=msgspec.structs.replace(file.bureau, url="https://bureau.example"),
        )
    text = toml(msgspec.to_builtins(file))
    path = Path("/etc/taxagent/taxagent.toml")
    read = read_or_refused(lambda: config.settings(tomllib.loads(text), path), "CONFIG_INVALID")
    assert read is None or read.file == file


EXAMPLE = example("control_disk").read_text(encoding="utf-8")


@given(st.integers(0, len(EXAMPLE)), st.integers(0, 40), st.text(max_size=10))
def test_a_changed_scenario_is_a_scenario_or_is_refused(at: int, gone: int, put: str) -> None:
    read_or_refused(lambda: scenario_of(EXAMPLE[:at] + put + EXAMPLE[at + gone :]), "SCENARIO_INVALID")


def read_or_refused(read: Callable[[], T], fault: str) -> T | None:
    """Return what is read, or None where `fault` refuses it with a word why; nothing else is raised."""
    try:
        return read()
    except AgentError as refused:
        if refused.fault != fault or not {"what", "expected"} & set(refused.detail):
            raise
        return None
