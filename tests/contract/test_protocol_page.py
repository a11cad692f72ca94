"""docs/protocol.md, and operations.md for exit codes, say of ops, limits, fields and codes what is so."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from taxagent.ipc.gate import Rate
from taxagent.ipc.waits import PARKED, PARKED_EACH
from taxagent.jobs import restarting
from taxagent.model import faults
from taxagent.model.events import AnyEvent
from taxagent.model.job import JobState
from taxclient.cli import exits
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from tests.builders.ipc import House

PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text(encoding="utf-8")
OPERATING = (Path(__file__).parents[2] / "docs/operations.md").read_text(encoding="utf-8")
OPERATIONS = PAGE.split("\n## Operations")[1].split("\n## ")[0]
BOXES = dict(re.findall(r"\n### (\S+)\n(.*?)(?=\n### |\Z)", OPERATIONS, re.DOTALL))


def test_each_op_has_its_box_in_the_order_of_hello() -> None:
    assert list(BOXES) == list(m.OPS)


def test_each_argument_and_result_is_named_in_its_box() -> None:
    for op, known in m.OPS.items():
        box = BOXES[op]
        if "as check" in box:
            box += BOXES["check"]
        if "as in status" in box:
            box += BOXES["status"]
        names = [field.name for kind in (known.args, known.result) for field in msgspec.structs.fields(kind)]
        assert [name for name in names if f"`{name}`" not in box] == [], op


def test_each_role_and_code_is_as_in_the_code(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        for op, operation in house.loop.operations.table.items():
            (role,) = re.findall(r"\| role, effect \| (\w+)", BOXES[op])
            assert role == operation.role, op
    finally:
        house.loop.close()
        house.mailbox.close()
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b|\bEXPIRED\b|\bINTERNAL\b", PAGE))
    ours = {"AGENT_UNAVAILABLE", "PROTOCOL_ERROR", "UPPER_SNAKE", "ZMQ_IMMEDIATE", "ZMQ_LINGER"}
    ours |= {"XDG_STATE_HOME", "MUST_NOT", "REQ_CORRELATE", "REQ_RELAXED"}
    ours |= {f"HANDSHAKE_FAILED_{what}" for what in ("AUTH", "NO_DETAIL", "PROTOCOL")}
    assert named - ours <= set(faults.codes())


def test_the_limits_are_those_of_the_code() -> None:
    limits = PAGE.split("\n## Limits")[1].split("\n## ")[0]
    rate = Rate()
    for number in (
        wire.ENVELOPE + wire.FRAMES,
        wire.REQUEST_BYTES,
        wire.REPLY_BYTES,
        wire.DEPTH,
        wire.ITEMS,
        m.TTL_MAX_MS,
        m.WAIT_MAX_MS,
        PARKED,
        PARKED_EACH,
        int(rate.per_s),
        int(rate.burst),
    ):
        assert f"{number:,}" in limits, number
    assert f"{m.SKEW_MS:,} ms" in PAGE
    assert f"Minor version described here: **{m.MINOR}**" in PAGE


def test_each_op_came_with_one_minor_and_the_newest_is_ours() -> None:
    table = PAGE.split("\n## Versions")[1].split("\n## ")[0]
    came = dict(re.findall(r"^\| (\d+) \| (.*) \|$", table, re.MULTILINE))
    assert list(came) == [str(minor) for minor in range(m.MINOR + 1)]
    named = [op for row in came.values() for op in re.findall(r"`([a-z.]+)`", row.split(";")[0])]
    assert sorted(named) == sorted(m.OPS)


def test_each_outcome_that_a_user_can_meet_is_in_the_table_of_words() -> None:
    table = PAGE.split("\n## What to tell the user")[1].split("\n## ")[0]
    states = {state.value for state in JobState}
    waits = {"CHALLENGE_WRONG", "CHALLENGE_OVER", "DEVICE_HUNG", "DEVICE_QUARANTINED", "DEVICE_RELEASED"}
    for word in states | waits | {"DRAINING", "BOOT_OVER", "JOB_IN_PROGRESS", "KEY_UNKNOWN"}:
        assert word in table, word


def test_the_fields_of_the_envelopes_and_values_are_named() -> None:
    for kind in (
        m.Request,
        m.Reply,
        m.ErrorBody,
        m.JobView,
        m.StepView,
        m.WaitView,
        m.ChallengeView,
        m.CheckView,
        m.DeviceView,
        m.TypeView,
    ):
        missing = [f.name for f in msgspec.structs.fields(kind) if f"`{f.name}`" not in PAGE]
        assert missing == [], kind


def test_each_type_of_event_is_named() -> None:
    kinds = AnyEvent.__args__
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert [tag for tag in tags if tag not in PAGE] == []


def test_each_exit_code_is_in_the_table() -> None:
    assert "(operations.md#exit-codes)" in PAGE.split("\n## taxctl")[1]
    table = OPERATING.split("\n## Exit codes")[1].split("\n## ")[0]
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    of_taxagent = {restarting.EXIT, 75}
    assert codes | of_taxagent == {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
