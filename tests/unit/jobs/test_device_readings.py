"""What a viewer may ask of a device holds up no filing, and no memory grows with how often it is asked."""

from __future__ import annotations

from typing import Any

from taxagent.jobs.asks import FoundInvoice, InvoiceAsk, Prepared
from taxagent.jobs.device_readings import WAITING
from taxagent.model.errors import AgentError
from taxagent.model.job import JobState
from tests.builders.jobs import DEVICE_NO, SHOP, House

MINUTE = 60_000


def ask(house: House, answers: list[Any], **changes: Any) -> None:
    fields: dict[str, Any] = {
        "device_no": DEVICE_NO,
        "code": "011001900111",
        "number": "00000001",
        "sent_at_ms": house.clock.now_ms,
        "ttl_ms": 60 * MINUTE,
    }
    house.desk.invoice(InvoiceAsk(**{**fields, **changes}), answers.append)


def faults(answers: list[FoundInvoice | AgentError]) -> list[str]:
    return [answer.fault for answer in answers if isinstance(answer, AgentError)]


def plugged() -> House:
    house = House()
    house.plug().find_invoice = lambda _code, _number: None  # type: ignore[attr-defined]
    return house


def test_a_job_begins_before_what_viewers_asked_earlier() -> None:
    house, answers, running = plugged(), list[Any](), list[Any]()
    house.procedure.instead = lambda _work: running.append(len(answers))
    for _ in range(WAITING):
        ask(house, answers)
    job_id = house.accepted()
    assert running == [0], "no question was answered before"
    assert house.job(job_id).state is JobState.DONE
    assert faults(answers) == ["INVOICE_UNKNOWN"] * WAITING, "and all are afterwards"


def test_a_device_has_so_many_questions_and_more_are_for_later() -> None:
    house, answers = plugged(), list[Any]()
    for _ in range(WAITING + 2):
        ask(house, answers)
    assert faults(answers) == ["RATE_LIMITED"] * 2
    house.settle()
    assert faults(answers)[2:] == ["INVOICE_UNKNOWN"] * WAITING
    ask(house, answers)
    house.settle()
    assert faults(answers)[-1] == "INVOICE_UNKNOWN", "there is room again"


def test_an_operator_can_prepare_however_much_viewers_ask() -> None:
    house, answers, order = plugged(), list[Any](), list[Any]()
    for _ in range(WAITING + 1):
        ask(house, answers)
    house.desk.prepare(SHOP, house.ask(), lambda answer: order.append((answer, len(answers))))
    house.settle()
    ((prepared, answered_before),) = order
    assert isinstance(prepared, Prepared)
    assert answered_before == 1, "the one that found no room"


def test_the_room_is_there_again_though_the_device_went_meanwhile() -> None:
    house, answers = plugged(), list[Any]()
    for _ in range(WAITING):
        ask(house, answers)
    house.unplug()
    assert faults(answers) == ["DEVICE_ABSENT"] * WAITING
    plug_again = house.plug()
    plug_again.find_invoice = lambda _code, _number: None  # type: ignore[attr-defined]
    ask(house, answers)
    house.settle()
    assert faults(answers)[-1] == "INVOICE_UNKNOWN"


def test_a_question_that_was_given_up_meanwhile_does_not_touch_the_device() -> None:
    house, answers = plugged(), list[Any]()
    device = house.source.plugged["1-1"]
    ask(house, answers, ttl_ms=1000)
    reads = device.reads, len(device.passwords_tried)
    house.clock.now_ms += 1001
    house.settle()
    assert faults(answers) == ["EXPIRED"]
    assert (device.reads, len(device.passwords_tried)) == reads


def test_while_the_journal_is_verified_so_many_questions_are_kept() -> None:
    house, answers = plugged(), list[Any]()
    house.desk.verifying = True
    for number in range(WAITING + 1):
        ask(house, answers, device_no=f"66{number:010d}")
    assert faults(answers) == ["VERIFYING"]
    house.desk.verified()
    house.settle()
    assert faults(answers)[1:] == ["DEVICE_UNKNOWN"] * WAITING
    house.desk.verifying = True
    ask(house, answers)
    assert len(answers) == WAITING + 1, "there is room again"


def test_a_prepare_is_kept_however_many_questions_are() -> None:
    house, answers = plugged(), list[Any]()
    house.desk.verifying = True
    for _ in range(WAITING):
        ask(house, answers)
    house.desk.prepare(SHOP, house.ask(), answers.append)
    house.desk.verified()
    house.settle()
    assert [type(answer) for answer in answers].count(Prepared) == 1
    assert not {"VERIFYING", "RATE_LIMITED"} & set(faults(answers))
