"""A simulated device judges sessions and sequences as the profile says, and gives an answer out again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from taxagent.device import commands as c
from taxagent.device import refusals
from taxagent.device.commands import Command
from taxagent.device.refusals import Refused
from taxagent.device.wire import (
    BLOCK,
    NO_SESSION,
    Answer,
    Execute,
    Fetch,
    Request,
    decode_answer,
    encode_request,
)
from taxagent.model.device import DeviceKind, WriteKind
from taxagent.model.period import Period
from taxagent.model.value import Value
from taxagent.simulator.denial import Denied
from taxagent.simulator.exchange import Exchange
from tests.builders.scenario import DEVICE_NO, PASSWORD, seal_of, virtual_device


class Host:
    """The profile's other side, without a transport."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.device = virtual_device(folder, **changes)
        self.exchange = Exchange(self.device)
        self.session = NO_SESSION
        self.sequence = 0

    def request(self, command: int, params: Value | None = None, **changes: object) -> Request:
        body = c.SPECS[Command(command)].body(params or c.Nothing()) if command in c.SPECS else b""
        fields = {"command": command, "session": self.session, "sequence": self.sequence + 1, "body": body}
        return Request(**(fields | changes))  # type: ignore[arg-type]

    def execute(self, request: Request) -> None:
        frame = encode_request(request)
        cdb = Execute(session=request.session, sequence=request.sequence, length=len(frame))
        admitted = self.exchange.admit(cdb, frame)
        self.sequence = request.sequence
        self.exchange.execute(admitted)

    def fetch(self, sequence: int | None = None, session: bytes | None = None) -> Answer:
        return decode_answer(self.block(0, sequence, session))

    def block(self, number: int, sequence: int | None = None, session: bytes | None = None) -> bytes:
        asked = Fetch(
            session=self.session if session is None else session,
            sequence=self.sequence if sequence is None else sequence,
            block=number,
            length=BLOCK,
        )
        return self.exchange.fetch(asked)

    def enter(self) -> None:
        self.execute(self.request(Command.HELLO))
        hello = c.HELLO.result.decode(self.fetch().body)
        assert hello.device_no == DEVICE_NO
        self.session, self.sequence = bytes.fromhex(hello.session), 0
        self.execute(self.request(Command.OPEN, c.Password(password=PASSWORD)))


def why(host: Host, request: Request) -> Refused:
    with pytest.raises(Denied) as denied:
        host.execute(request)
    return denied.value.why


def why_no_answer(host: Host, sequence: int | None = None, session: bytes | None = None) -> Refused:
    with pytest.raises(Denied) as denied:
        host.fetch(sequence, session)
    return denied.value.why


def test_an_answer_is_fetched_as_often_as_asked(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    host.execute(host.request(Command.INFO))
    assert host.fetch() == host.fetch()
    assert host.fetch().sequence == 2


def test_a_command_of_another_session_is_not_judged(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    assert why(host, host.request(Command.INFO, session=b"12345678")) is refusals.SESSION_UNKNOWN
    assert why(host, host.request(Command.INFO, session=NO_SESSION)) is refusals.SESSION_UNKNOWN
    assert why(host, host.request(Command.HELLO)) is refusals.SESSION_UNKNOWN  # hello has none


def test_a_sequence_that_was_judged_is_not_executed_again(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    seal = host.request(Command.SEAL, seal_of())
    host.execute(seal)
    assert why(host, seal) is refusals.DUPLICATE
    assert host.device.memory.write_no == 1
    assert c.SEAL.result.decode(host.fetch().body).write_no == 1


def test_a_fetch_tells_what_became_of_a_sequence(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    host.execute(host.request(Command.INFO))
    assert why_no_answer(host, host.sequence + 1) is refusals.NOT_EXECUTED
    assert why_no_answer(host, host.sequence - 1) is refusals.ANSWER_GONE
    assert why_no_answer(host, session=b"12345678") is refusals.SESSION_UNKNOWN
    assert why_no_answer(host, session=NO_SESSION) is refusals.NOT_EXECUTED


def test_a_fetch_of_a_refused_command_tells_the_refusal_again(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    assert why(host, host.request(Command.STOCK, c.OfType(invoice_type="004"))) is refusals.TYPE_UNKNOWN
    assert why_no_answer(host) is refusals.TYPE_UNKNOWN


def test_a_block_beyond_the_answer_is_refused(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    host.execute(host.request(Command.INFO))
    with pytest.raises(Denied) as denied:
        host.block(1)
    assert denied.value.why is refusals.NO_SUCH_BLOCK


def test_frame_and_command_block_must_agree(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    request = host.request(Command.INFO)
    frame = encode_request(request)
    for session, sequence, data in (
        (b"12345678", request.sequence, frame),
        (request.session, request.sequence + 1, frame),
        (request.session, request.sequence, frame[:-1] + b"\0"),
    ):
        with pytest.raises(Denied) as denied:
            host.exchange.admit(Execute(session=session, sequence=sequence, length=len(data)), data)
        assert denied.value.why is refusals.BAD_FRAME


def test_a_bad_body_and_an_unknown_command_are_judged_and_refused(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    assert why(host, host.request(Command.INFO, body=b"\xff")) is refusals.BAD_BODY
    assert why(host, host.request(0x7777)) is refusals.UNKNOWN_COMMAND
    assert why_no_answer(host) is refusals.UNKNOWN_COMMAND


def test_the_last_error_is_told_without_a_password_until_power_is_lost(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    assert why(host, host.request(Command.STOCK, c.OfType(invoice_type="004"))) is refusals.TYPE_UNKNOWN
    host.execute(host.request(Command.LAST_ERROR))
    error = c.LAST_ERROR.result.decode(host.fetch().body)
    assert (error.device_code, error.command) == ("09d110", Command.STOCK)
    host.exchange.power_lost()
    host.session, host.sequence = NO_SESSION, 0
    host.enter()
    host.execute(host.request(Command.LAST_ERROR))
    assert c.LAST_ERROR.result.decode(host.fetch().body).device_code == ""


def test_a_device_that_lost_power_knows_its_session_no_more(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    host.exchange.power_lost()
    assert why(host, host.request(Command.INFO)) is refusals.SESSION_UNKNOWN
    assert why_no_answer(host) is refusals.SESSION_UNKNOWN


def test_close_ends_the_session_and_its_own_answer_can_still_be_fetched(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.enter()
    host.execute(host.request(Command.CLOSE))
    assert host.fetch().body == b""
    assert why(host, host.request(Command.INFO)) is refusals.SESSION_UNKNOWN


@pytest.mark.parametrize(
    ("command", "params"),
    [
        (Command.LAST_WRITE, c.WriteQuery(at_most=0)),
        (Command.LAST_WRITE, c.WriteQuery(at_most=9)),
        (Command.INVOICES, c.InvoiceQuery()),
        (Command.INVOICES, c.InvoiceQuery(code="3700221320")),
        (Command.INVOICES, c.InvoiceQuery(code="3700221320", number="00000001", cursor=b"1")),
        (Command.INVOICES, c.InvoiceQuery(invoice_type="007", date_from=dt.date(2026, 10, 1))),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(
    tmp_path: Path, command: Command, params: Value
) -> None:
    host = Host(tmp_path)
    host.enter()
    assert why(host, host.request(command, params)) is refusals.BAD_BODY


@pytest.mark.parametrize("command", [Command.SEAL, Command.INFO])
def test_a_forced_refusal_looks_like_a_rule_and_is_remembered_for_writes(
    tmp_path: Path, command: Command
) -> None:
    host = Host(tmp_path)
    host.enter()
    request = host.request(command, seal_of() if command is Command.SEAL else None)
    with pytest.raises(Denied) as denied:
        host.exchange.execute(request, refusals.HARDWARE)
    assert denied.value.why is refusals.HARDWARE
    assert [w.accepted for w in host.device.memory.writes] == ([False] if command is Command.SEAL else [])


OCTOBER = c.SummaryQuery(group="007", month=Period("2026-10"))


def test_a_reading_that_seals_is_a_write_with_the_hash_of_its_body_and_the_next_is_none(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path, kind=DeviceKind.UKEY)
    host.enter()
    request = host.request(Command.READ_SUMMARY, OCTOBER)
    host.execute(request)
    sealed = host.fetch().body
    (record,) = host.device.memory.writes
    assert (record.kind, record.accepted) == (WriteKind.SEAL, True)
    assert record.payload_sha256 == c.payload_sha256(request.body)
    assert (record.session, record.sequence) == (request.session.hex(), request.sequence)
    host.execute(host.request(Command.READ_SUMMARY, OCTOBER))
    assert host.fetch().body == sealed
    assert len(host.device.memory.writes) == 1


@pytest.mark.parametrize(("kind", "writes"), [(DeviceKind.UKEY, 1), (DeviceKind.CONTROL_DISK, 0)])
def test_a_forced_refusal_of_a_reading_is_remembered_where_it_would_have_sealed(
    tmp_path: Path, kind: DeviceKind, writes: int
) -> None:
    host = Host(tmp_path, kind=kind)
    host.enter()
    with pytest.raises(Denied):
        host.exchange.execute(host.request(Command.READ_SUMMARY, OCTOBER), refusals.HARDWARE)
    assert [w.kind for w in host.device.memory.writes] == [WriteKind.SEAL] * writes
