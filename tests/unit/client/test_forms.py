"""A value out of form is told in words with an example, in both languages, on both ends, not by a pattern."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgpack
import msgspec
import pytest

from taxagent.model.words import word
from taxclient.conversation import Conversation
from taxclient.protocol import messages as m
from taxclient.protocol.errors import FrameError
from taxclient.protocol.forms import forms, misfit, patterns
from tests.builders.ipc import DEVICE, house, job, peer, reply_of

CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("check", {"device_no": DEVICE, "periods": ["2026-13"]}, "periods[0]", "as 2026-10"),
    ("check", {"device_no": "66123"}, "device_no", "12 digits, as 661234567890"),
    ("check", {"device_no": DEVICE, "types": ["7"]}, "types[0]", "three digits, as 007"),
    ("check", {"device_no": DEVICE, "taxpayer_id": "?"}, "taxpayer_id", "15, 17, 18 or 20"),
    ("check", {}, "device_no", "it is missing"),
    ("check", {"device_no": DEVICE, "periods": 5}, "periods", "not of the type array"),
    ("submit", {"device_no": DEVICE, "kind": "format"}, "kind", "check, backup, report, clear or settle"),
    ("prepare", {"device_no": DEVICE, "kind": "check"}, "kind", "report, clear or settle"),
    ("job.wait", {"job_id": "7"}, "job_id", "26 digits and capital letters"),
    ("job.wait", {"job_id": job().job_id, "timeout_ms": 60_001}, "timeout_ms", "the most is 60000"),
    ("job.wait", {"job_id": job().job_id, "until": "never"}, "until", "change or end"),
    ("job.get", {"key": "short"}, "key", "16 to 64 letters"),
    ("job.close", {"job_id": job().job_id, "reason": ""}, "reason", "the fewest characters are 1"),
    ("job.close", {"job_id": job().job_id, "reason": "x" * 201}, "reason", "the most characters are 200"),
    ("device.invoices", {"device_no": DEVICE, "code": "1"}, "code", "10 or 12 digits"),
    ("device.invoices", {"device_no": DEVICE, "number": "1"}, "number", "8 digits"),
]


def asked(folder: Path, lang: str, op: str, args: dict[str, Any]) -> m.ErrorBody:
    """What the agent says to a request that no client of ours would send."""
    with house(folder) as h, peer(h.endpoint) as socket:
        request = {"id": "1", "op": op, "args": args, "sent_at": h.clock.now_ms, "ttl_ms": 5000, "lang": lang}
        socket.send_multipart([b"TCA1", msgpack.packb({**request, "key": "k" * 16})])
        error = reply_of(socket.recv_multipart()).error
    assert error is not None
    return error


@pytest.mark.parametrize(("op", "args", "field", "words"), CASES)
def test_the_agent_names_the_field_and_says_how_it_is_written(
    tmp_path: Path, op: str, args: dict[str, Any], field: str, words: str
) -> None:
    error = asked(tmp_path, "en", op, args)
    assert (error.code, error.detail["field"]) == ("BAD_REQUEST", field)
    assert words in error.message
    assert f"(field {field})" in error.message
    assert "regex" not in error.message


@pytest.mark.parametrize(("op", "args", "field", "words"), CASES)
def test_in_chinese_too(tmp_path: Path, op: str, args: dict[str, Any], field: str, words: str) -> None:
    message = asked(tmp_path, "zh", op, args).message
    assert f"（字段 {field}）" in message
    assert "regex" not in message
    assert "Expected" not in message


@pytest.mark.parametrize(
    ("op", "args", "words"),
    [
        ("check", m.CheckArgs(device_no="66123"), "device_no: a device number is 12 digits, as 661234567890"),
        ("check", m.CheckArgs(device_no=DEVICE, periods=("2026-1",)), "periods[0]: write a month as 2026-10"),
        ("job.cancel", m.JobArgs(job_id="7"), "job_id: a job id has 26 digits and capital letters"),
    ],
)
def test_our_own_client_says_it_before_it_sends(op: str, args: m.Args, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        Conversation().begin(op, args, now_ms=1, ttl_ms=1000, key="k" * 16)
    assert words in str(caught.value)


def test_every_pattern_of_the_protocol_has_a_form_and_every_form_has_words() -> None:
    kinds: set[type[msgspec.Struct]] = {op.args for op in m.OPS.values()} | {m.Request}
    used = {
        meta.pattern
        for kind in kinds
        for field in msgspec.structs.fields(kind)
        for part in (field.type, *get_args(field.type))
        for meta in getattr(part, "__metadata__", ())
        if meta.pattern
    }
    assert used <= patterns()
    for name in forms():
        assert word("what", name, "zh") != name
        assert word("what", name, "en") != name


def test_words_that_no_form_has_are_shown_as_they_are() -> None:
    found = misfit(msgspec.ValidationError("Invalid base64 encoded string - at `$.x`"))
    assert (found.form, found.field, str(found)) == (
        "Invalid base64 encoded string",
        "x",
        "x: Invalid base64 encoded string",
    )
