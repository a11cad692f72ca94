"""The page about the gateway shows what the wire really is."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from taxagent.bureau import messages
from taxagent.bureau.messages import BODY_LIMIT, KEY_HEADER, Code, Op, idempotency_key
from taxagent.bureau.retrying import GIVE_UP_S
from taxagent.model.faults import codes
from taxagent.model.period import Period
from taxagent.model.value import Value, from_json, to_json

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/bureau-gateway.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- (\w+) -->\n<!-- tested by \S+ -->\n```json\n(.*?)```", PAGE, re.DOTALL)
CODES = re.findall(r"^\| ([0-9, ]+) \| `(\w+)` \| .*? \| (?:`(\w+)`)? ?\|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name, example", EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_a_message_and_has_all_its_fields(name: str, example: str) -> None:
    kind = getattr(messages, name)
    assert issubclass(kind, Value)
    value = from_json(example, kind)
    assert json.loads(to_json(value)) == json.loads(example)


def test_the_receipt_has_the_hash_of_the_summary_that_was_sent() -> None:
    shown = dict(EXAMPLES)
    sent = from_json(shown["ReportBody"], messages.ReportBody).summary
    receipt = from_json(shown["ReceiptAnswer"], messages.ReceiptAnswer)
    assert receipt.summary_sha256 == hashlib.sha256(sent).hexdigest()


def test_every_body_and_answer_has_an_example() -> None:
    shown = {name for name, _ in EXAMPLES}
    wire = {name for name in vars(messages) if name.endswith(("Answer", "Body"))}
    assert shown == wire


def test_every_code_stands_in_the_table() -> None:
    assert {code for _, code, _ in CODES} == set(Code)


def test_the_faults_of_the_table_are_in_the_catalogue() -> None:
    named = {fault for _, _, fault in CODES if fault}
    assert named <= set(codes())


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert KEY_HEADER in PAGE
    assert BODY_LIMIT == 1 << 20
    assert f"at most {GIVE_UP_S:.0f} s a call" in PAGE


def test_the_keys_of_the_vectors() -> None:
    vectors = json.loads((ROOT / "tests/vectors/bureau/keys.json").read_text(encoding="utf-8"))
    assert vectors
    for v in vectors:
        payload = bytes.fromhex(v["payload_hex"])
        key = idempotency_key(Op(v["op"]), v["device_no"], v["group"], Period(v["period"]), payload)
        assert key == v["key"], v
