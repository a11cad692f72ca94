"""The driver's methods: what they ask, what they return, and what each refusal becomes."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from taxagent.device import commands, driver, refusals
from taxagent.device.commands import (
    ClockReading,
    Command,
    HelloAnswer,
    InvoicePage,
    InvoiceQuery,
    MonitorList,
    OfflineList,
    Password,
    SealedSummary,
    WriteList,
    payload_sha256,
)
from taxagent.device.profile import ProfileDevice
from taxagent.device.refusals import Refused
from taxagent.model.device import (
    DeviceKind,
    OfflineState,
    Stock,
    StockRange,
    WriteKind,
    WriteRecord,
)
from taxagent.model.errors import (
    AgentError,
    AnswerLost,
    DeviceAbsent,
    DeviceInUse,
    DeviceRefused,
    PasswordRefused,
)
from taxagent.model.job import Effect, Outcome
from taxagent.model.period import Period
from taxagent.model.value import Value
from taxagent.ports import Device
from tests.builders.model import monitor, statistics
from tests.builders.tcdp_device import (
    DAY,
    DEADLINE,
    DONE,
    END,
    HELLO,
    INFO,
    OCTOBER,
    FakeDevice,
    invoice,
    opened,
)

STOCK = Stock(invoice_type="007", ranges=(StockRange(code="031001900104", number_from="00000101", count=34),))
OFFLINE = OfflineState(
    invoice_type="007",
    offline_hours=72,
    offline_hours_left=72,
    offline_amount=1,
    offline_amount_left=1,
    pending_uploads=0,
    pending_amount=0,
    pending_from=None,
)
WRITE = WriteRecord(
    write_no=1,
    kind=WriteKind.SEAL,
    payload_sha256="ab" * 32,
    session=HELLO.session,
    sequence=3,
    accepted=True,
    before=DAY,
    after=END,
)


def test_the_driver_is_a_device_of_the_ports() -> None:
    device: Device = opened(FakeDevice({}))
    assert device is not None


def test_the_driver_names_the_buses_that_it_knows_and_loads_no_usb_library_before_it_is_asked() -> None:
    with pytest.raises(ValueError, match="usbip://HOST:PORT"):
        driver("serial:/dev/ttyUSB0")
    loaded = "import sys, taxagent.device.profile; print('usb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_hello_tells_who_the_device_is_and_the_next_command_uses_its_session() -> None:
    fake = FakeDevice({Command.HELLO: HELLO})
    device = ProfileDevice(fake, lambda: 0.0)
    assert device.hello() == HELLO
    device.open("12345678")
    assert fake.executed == [
        (Command.HELLO, commands.Nothing()),
        (Command.OPEN, Password(password="12345678")),
    ]


READS: list[tuple[str, tuple[Any, ...], Command, Value, object]] = [
    ("info", (), Command.INFO, INFO, INFO),
    ("clock", (), Command.CLOCK, ClockReading(clock=dt.datetime(2026, 11, 3)), dt.datetime(2026, 11, 3)),
    ("monitor", (), Command.MONITOR, MonitorList(monitor=(monitor(),)), (monitor(),)),
    ("stock", ("007",), Command.STOCK, STOCK, STOCK),
    ("statistics", ("007", DAY, END), Command.STATISTICS, statistics(), statistics()),
    ("offline", (), Command.OFFLINE, OfflineList(offline=(OFFLINE,)), (OFFLINE,)),
    ("read_summary", ("007", Period("2026-10")), Command.READ_SUMMARY, SealedSummary(summary=b"s"), b"s"),
    ("last_writes", (), Command.LAST_WRITE, WriteList(writes=(WRITE,)), (WRITE,)),
    ("self_test", (), Command.SELF_TEST, commands.Nothing(), None),
]


@pytest.mark.parametrize(
    ("method", "args", "command", "reply", "result"), READS, ids=lambda row: str(row)[:20]
)
def test_a_read_returns_what_the_device_says(
    method: str, args: tuple[Any, ...], command: Command, reply: Value, result: object
) -> None:
    fake = FakeDevice({command: reply})
    assert getattr(opened(fake), method)(*args) == result
    assert [done for done, _ in fake.executed] == [Command.HELLO, Command.OPEN, command]


def test_the_hash_of_a_write_is_known_before_it_is_sent_and_is_that_of_its_bytes() -> None:
    fake = FakeDevice({Command.SEAL: DONE, Command.APPLY_TICKET: DONE, Command.CLOCK_TICKET: DONE})
    device = opened(fake)
    promised = [
        device.seal_sha256(OCTOBER),
        device.clock_ticket_sha256(b"clock"),
        device.ticket_sha256(b"clear", DEADLINE),
    ]
    device.seal(OCTOBER)
    device.apply_clock_ticket(b"clock")
    device.apply_ticket(b"clear", DEADLINE)
    sent = [payload_sha256(body) for body in fake.bodies[-3:]]
    assert sent == promised
    assert len(set(promised)) == 3


def test_invoices_come_page_by_page_in_the_devices_order() -> None:
    def page(query: Value) -> InvoicePage:
        assert isinstance(query, InvoiceQuery)
        start = int.from_bytes(query.cursor or b"\0")
        shown = tuple(invoice(number) for number in range(start + 1, min(start + 2, 5) + 1))
        return InvoicePage(invoices=shown, cursor=bytes([start + 2]) if start + 2 < 5 else None)

    fake = FakeDevice({Command.INVOICES: page})
    found = list(opened(fake).invoices("007", DAY, END))
    assert [one.number for one in found] == ["00000001", "00000002", "00000003", "00000004", "00000005"]
    assert [done for done, _ in fake.executed].count(Command.INVOICES) == 3


def test_a_page_that_leads_nowhere_ends_the_reading() -> None:
    endless = FakeDevice({Command.INVOICES: InvoicePage(invoices=(invoice(1),), cursor=b"\1")})
    with pytest.raises(AnswerLost, match="DEVICE_GARBLED"):
        list(opened(endless).invoices("007", DAY, END))


def test_an_invoice_is_found_by_code_and_number_or_is_none() -> None:
    found = FakeDevice({Command.INVOICES: InvoicePage(invoices=(invoice(1),))})
    assert opened(found).find_invoice("031001900104", "00000001") == invoice(1)
    assert opened(FakeDevice({Command.INVOICES: refusals.NO_SUCH_DATA})).find_invoice("1", "2") is None
    assert opened(FakeDevice({Command.INVOICES: InvoicePage(invoices=())})).find_invoice("1", "2") is None
    with pytest.raises(DeviceRefused, match="DEVICE_UNREGISTERED"):
        opened(FakeDevice({Command.INVOICES: refusals.UNREGISTERED})).find_invoice("1", "2")


def test_close_never_raises() -> None:
    fake = FakeDevice({Command.CLOSE: refusals.HARDWARE})
    opened(fake).close()
    assert [command for command, _ in fake.executed][-1] is Command.CLOSE


def test_a_wrong_password_tells_the_tries_left_and_is_sent_once() -> None:
    fake = FakeDevice({Command.HELLO: HELLO, Command.OPEN: refusals.PASSWORD_WRONG})
    device = ProfileDevice(fake, lambda: 0.0)
    device.hello()
    with pytest.raises(PasswordRefused) as refused:
        device.open("wrong")
    assert (refused.value.tries_left, refused.value.device_code) == (3, "09d1c3")
    assert [done for done, _ in fake.executed].count(Command.OPEN) == 1


def test_a_password_is_changed_by_a_write() -> None:
    fake = FakeDevice({Command.CHANGE_PASSWORD: DONE})
    opened(fake).change_password("12345678", "87654321")
    assert fake.executed[-1][0] is Command.CHANGE_PASSWORD
    refusing = FakeDevice({Command.CHANGE_PASSWORD: refusals.PASSWORD_WRONG})
    with pytest.raises(PasswordRefused):
        opened(refusing).change_password("x", "y")


NOT_JUDGED = {refusals.NOT_EXECUTED, refusals.DUPLICATE, refusals.BAD_FRAME}
JUDGED = [row for row in refusals.REFUSALS if row not in NOT_JUDGED]


def test_a_request_that_arrives_damaged_is_sent_once_more_and_then_waited_with() -> None:
    fake = FakeDevice({Command.SEAL: refusals.BAD_FRAME})
    with pytest.raises(DeviceAbsent) as raised:
        opened(fake).seal(OCTOBER)
    assert (raised.value.fault, raised.value.outcome) == ("DEVICE_GARBLED", Outcome.NOT_EXECUTED)
    assert [command for command, _ in fake.executed].count(Command.SEAL) == 2


@pytest.mark.parametrize("row", JUDGED, ids=lambda row: row.code)
def test_each_refusal_becomes_its_fault_with_the_devices_code_beside_it(row: Refused) -> None:
    with pytest.raises(AgentError) as raised:
        opened(FakeDevice({Command.SEAL: row})).seal(OCTOBER)
    error = raised.value
    assert error.fault == row.fault
    assert error.device_code == row.code.replace("x", "3")
    assert error.outcome is Outcome.NOT_EXECUTED
    waits = {"SESSION_UNKNOWN": DeviceAbsent, "DEVICE_BUSY": DeviceInUse}
    assert isinstance(error, waits.get(row.fault, DeviceRefused))


def test_a_code_that_is_in_no_table_is_kept() -> None:
    strange = Refused(
        code="09eeee", key=refusals.HARDWARE.key, asc=0x80, ascq=0x77, fault="DEVICE_REFUSED", meaning=""
    )
    with pytest.raises(DeviceRefused) as refused:
        opened(FakeDevice({Command.SEAL: strange})).seal(OCTOBER)
    assert refused.value.problem().device_code == "09eeee"
    assert refused.value.detail["what"] == "sense 4/80/77"


def test_a_ticket_that_no_frame_can_hold_never_leaves() -> None:
    fake = FakeDevice({Command.APPLY_TICKET: DONE})
    device = opened(fake)
    for size in (20_000, 70_000):
        with pytest.raises(DeviceRefused, match="APPLY_TICKET"):
            device.apply_ticket(bytes(size), DEADLINE)
    assert fake.executed[-1][0] is Command.OPEN


def test_an_answer_that_lacks_a_field_is_garbled_not_guessed() -> None:
    with pytest.raises(AnswerLost, match="DEVICE_GARBLED"):
        opened(FakeDevice({Command.CLOCK: b""})).clock()


def test_the_effect_of_a_command_is_data_per_kind() -> None:
    once = {
        command
        for command in Command
        if commands.effect(command, DeviceKind.CONTROL_DISK) is Effect.IRREVERSIBLE
    }
    assert once == {
        Command.OPEN,
        Command.CHANGE_PASSWORD,
        Command.SEAL,
        Command.CLOCK_TICKET,
        Command.APPLY_TICKET,
    }
    assert commands.effect(Command.READ_SUMMARY, DeviceKind.CONTROL_DISK) is Effect.READ
    assert commands.effect(Command.READ_SUMMARY, DeviceKind.UKEY) is Effect.IRREVERSIBLE


def test_a_block_that_no_device_has_is_a_garbled_hello() -> None:
    odd = HelloAnswer(**{name: getattr(HELLO, name) for name in HELLO.__struct_fields__}, block_size=300)
    with pytest.raises(AnswerLost, match="300"):
        ProfileDevice(FakeDevice({Command.HELLO: odd}), lambda: 0.0).hello()


def test_a_long_answer_to_hello_is_asked_for_once_more_as_a_whole() -> None:
    talkative = msgspec.structs.replace(HELLO, firmware="1." + "0" * 300)
    fake = FakeDevice({Command.HELLO: talkative})
    assert ProfileDevice(fake, lambda: 0.0).hello() == talkative
    assert fake.reads == [256, 4096]
