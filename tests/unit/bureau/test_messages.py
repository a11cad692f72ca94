"""The wire's names: paths and idempotency keys."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from taxagent.bureau.messages import Op, declaration_path, device_path, idempotency_key
from tests.builders.bureau import DEVICE, OCTOBER, TAXPAYER


def test_a_key_is_the_sha256_of_five_lines() -> None:
    payload_sha256 = hashlib.sha256(b"T1").hexdigest()
    text = f"{DEVICE}\n007\n2026-10\nconfirm\n{payload_sha256}\n"
    assert (
        idempotency_key(Op.CONFIRM, DEVICE, "007", OCTOBER, b"T1")
        == hashlib.sha256(text.encode()).hexdigest()
    )


def test_other_facts_give_another_key() -> None:
    keys = {
        idempotency_key(Op.TICKET_PUT, DEVICE, "007", OCTOBER, b""),
        idempotency_key(Op.TICKET_PUT, DEVICE, "007", OCTOBER, b"T1"),
        idempotency_key(Op.CONFIRM, DEVICE, "007", OCTOBER, b""),
        idempotency_key(Op.TICKET_PUT, DEVICE, "004", OCTOBER, b""),
        idempotency_key(Op.TICKET_PUT, "661234567891", "007", OCTOBER, b""),
    }
    assert len(keys) == 5


@pytest.mark.parametrize("op", [Op.REPORT_PUT, Op.TICKET_PUT, Op.CONFIRM])
def test_only_puts_write(op: Op) -> None:
    assert op.writes
    assert not Op.STATUS.writes


def test_the_plus_between_types_is_escaped_in_a_path() -> None:
    path = device_path(Op.REPORT_GET, DEVICE, "004+007", OCTOBER)
    assert path == f"/v1/reports/{DEVICE}/004%2B007/2026-10"
    assert declaration_path(TAXPAYER, OCTOBER) == f"/v1/declarations/{TAXPAYER}/2026-10"


def test_importing_the_client_loads_no_http_library() -> None:
    code = (
        "import sys, taxagent.bureau.client;"
        "print(*({'httpx', 'tenacity', 'cryptography'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert loaded.stdout.split() == []
