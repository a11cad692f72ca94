"""Lies about what the bureau did and when, and about a maintenance that it had announced."""

from __future__ import annotations

import msgspec

from tests.judge.evidence import Evidence
from tests.judge.lies import changed, inserted, lie, said, settle, where
from tests.judge.shapes import Issued, Pause


def hours_later(seen: Evidence, op: str) -> None:
    """Let the bureau have done that hours after the journal and the clients said so."""
    hours, memory = 50_000_000, seen.bureau
    seen.calls = tuple(
        msgspec.structs.replace(one, at_ms=one.at_ms + hours * (one.op == op)) for one in seen.calls
    )
    seen.calls = tuple(sorted(seen.calls, key=lambda call: call.at_ms))  # as the bureau's log would have it
    tickets = {
        about: tuple(_later(one, op, hours) for one in issued) for about, issued in memory.tickets.items()
    }
    seen.bureau = msgspec.structs.replace(memory, tickets=tickets)


def _later(one: Issued, op: str, hours: int) -> Issued:
    if op == "confirm" and one.confirmed_ms is not None:
        return msgspec.structs.replace(one, confirmed_ms=one.confirmed_ms + hours)
    issued_ms = one.ticket.issued_ms + hours * (op == "ticket.put")
    return msgspec.structs.replace(one, ticket=msgspec.structs.replace(one.ticket, issued_ms=issued_ms))


@lie("steps_are_true")
def a_report_is_called_executed_before_the_bureau_took_it(seen: Evidence) -> None:
    seen.told = ()
    hours_later(seen, "report.put")


@lie("steps_are_true")
def a_ticket_is_called_executed_before_it_was_issued(seen: Evidence) -> None:
    seen.told = ()
    hours_later(seen, "ticket.put")


@lie("steps_are_true")
def a_confirmation_is_called_executed_before_the_bureau_took_it(seen: Evidence) -> None:
    seen.told = ()
    hours_later(seen, "confirm")


def told_before_the_bureau_acted(seen: Evidence, step: str, op: str) -> None:
    seen.told = tuple(line for line in seen.told if line.key == settle(seen).key)
    call = next(call for call in seen.calls if call.op == op and call.result == "accepted")
    view = {"step": step, "group": call.group, "period": call.period, "outcome": "executed"}
    said(seen, "job.get", steps=[view], outcome="unknown", ended=False, state="running")
    early = call.at_ms - 10_000
    seen.told = tuple(msgspec.structs.replace(line, sent_ms=early, told_ms=early) for line in seen.told)


@lie("told_is_true")
def a_client_is_told_of_a_report_too_early(seen: Evidence) -> None:
    told_before_the_bureau_acted(seen, "submit", "report.put")


@lie("told_is_true")
def a_client_is_told_of_a_ticket_too_early(seen: Evidence) -> None:
    told_before_the_bureau_acted(seen, "ticket", "ticket.put")


@lie("told_is_true")
def a_client_is_told_of_a_confirmation_too_early(seen: Evidence) -> None:
    told_before_the_bureau_acted(seen, "confirm", "confirm")


@lie("steps_are_true")
def a_ticket_that_was_issued_and_never_kept_is_called_not_executed(seen: Evidence) -> None:
    index = where(seen.rows, "step.ended", "ticket")
    changed(seen, index, outcome="not_executed", facts={"fault": "BUREAU_DOWN"})


@lie("steps_are_true")
def a_ticket_whose_answer_was_lost_is_called_not_executed_by_the_next_try(seen: Evidence) -> None:
    begun, ended = where(seen.rows, "step.begun", "ticket"), where(seen.rows, "step.ended", "ticket")
    no = msgspec.structs.replace(seen.rows[ended], outcome="not_executed", facts={"fault": "BUREAU_DOWN"})
    inserted(seen, begun + 1, seen.rows[begun], no, seen.rows[begun])
    for index in range(begun + 2, len(seen.rows)):
        changed(seen, index, at_ms=seen.rows[index].at_ms + 5_000)


@lie("told_is_true")
def a_client_is_told_that_an_issued_ticket_was_not_executed(seen: Evidence) -> None:
    seen.told = tuple(line for line in seen.told if line.key == settle(seen).key)
    call = next(call for call in seen.calls if call.op == "ticket.put")
    view = {"step": "ticket", "group": call.group, "period": call.period, "outcome": "not_executed"}
    said(seen, "job.get", steps=[view])


def announced(seen: Evidence, from_ms: int, until_ms: int) -> None:
    """Let the bureau have told of that maintenance whenever it was asked."""
    pause = Pause(from_ms=from_ms, until_ms=until_ms)
    seen.calls = tuple(
        msgspec.structs.replace(one, maintenance=pause) if one.op == "status" else one for one in seen.calls
    )


@lie("in_time")
def a_seal_in_a_maintenance_that_was_announced(seen: Evidence) -> None:
    first = seen.rows[where(seen.rows, "step.begun", "seal")].at_ms
    announced(seen, first - 3_600_000, first + 1)
