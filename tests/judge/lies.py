"""Lies to plant in an honest world, at least one for each rule; a function's name says what is wrong."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from tests.builders.scenario import DEVICE_NO
from tests.judge.evidence import Evidence, rows_of
from tests.judge.shapes import Error, RefusedTry, Reply, Row

Lie = Callable[[Evidence], None]
LIES: list[tuple[str, str, Lie]] = []


def lie(rule: str) -> Callable[[Lie], Lie]:
    """Enter a lie that breaks `rule`; its function's name says what is wrong."""

    def enter(plant: Lie) -> Lie:
        LIES.append((rule, plant.__name__, plant))
        return plant

    return enter


def where(rows: tuple[Row, ...], event: str, step: str = "", nth: int = 0) -> int:
    """Return the index of the `nth` row of that event (and step)."""
    return [i for i, row in enumerate(rows) if row.event == event and step in ("", row.id.step)][nth]


def changed(seen: Evidence, index: int, **changes: Any) -> None:
    rows = list(seen.rows)
    rows[index] = msgspec.structs.replace(rows[index], **changes)
    seen.rows = tuple(rows)


def inserted(seen: Evidence, index: int, *new: Row) -> None:
    seen.rows = renumbered((*seen.rows[:index], *new, *seen.rows[index:]))


def dropped(seen: Evidence, index: int) -> None:
    seen.rows = renumbered((*seen.rows[:index], *seen.rows[index + 1 :]))


def renumbered(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(msgspec.structs.replace(row, seq=number) for number, row in enumerate(rows, 1))


def rewritten(seen: Evidence, index: int, **changes: Any) -> None:
    """Change a line of the device's log."""
    writes = list(seen.writes)
    line = writes[index]
    write = {name: changes.pop(name) for name in list(changes) if hasattr(line.write, name)}
    changed_write = msgspec.structs.replace(line.write, **write)
    writes[index] = msgspec.structs.replace(line, write=changed_write, **changes)
    seen.writes = tuple(writes)


def said(seen: Evidence, op: str, **changes: Any) -> None:
    """Let the client have been told something else of the job in its last `op`."""
    told = list(seen.told)
    index = max(i for i, line in enumerate(told) if line.op == op and line.views())
    job = msgspec.json.decode(told[index].reply.result)["job"] | changes  # type: ignore[union-attr]
    reply = Reply(status="ok", result=msgspec.Raw(msgspec.json.encode({"job": job})))
    told[index] = msgspec.structs.replace(told[index], reply=reply)
    seen.told = tuple(told)


def error(code: str, outcome: str = "not_executed", remedy: str = "do this") -> Reply:
    return Reply(status="error", error=Error(code=code, outcome=outcome, remedy=remedy))


def settle(seen: Evidence) -> Row:
    return next(row for row in seen.accepts.values() if row.kind == "settle")


@lie("one_job_per_key")
def a_key_has_two_jobs(seen: Evidence) -> None:
    changed(seen, where(seen.rows, "job.accepted", nth=1), key=seen.rows[0].key)


@lie("one_job_per_key")
def a_repeat_was_told_another_job(seen: Evidence) -> None:
    line = next(line for line in seen.told if line.op == "check")
    seen.told = (*seen.told, msgspec.structs.replace(line, op="submit", key=seen.told[0].key))


@lie("accepted_is_durable")
def an_accepted_job_is_lost(seen: Evidence) -> None:
    job_id = next(row.job_id for row in seen.rows if row.kind == "check")
    seen.rows = renumbered(tuple(row for row in seen.rows if row.job_id != job_id))


@lie("refused_made_no_job")
def a_refused_request_made_a_job(seen: Evidence) -> None:
    index = where(seen.rows, "job.accepted", nth=1)
    seen.told = tuple(line for line in seen.told if line.key != seen.rows[index].key)
    changed(seen, index, key="key-refused-00000001")


@lie("known_stays_known")
def a_known_key_is_said_to_be_unknown(seen: Evidence) -> None:
    line = msgspec.structs.replace(seen.told[0], op="job.get", reply=error("KEY_UNKNOWN", "unknown"))
    seen.told = (*seen.told, msgspec.structs.replace(line, sent_ms=line.told_ms + 10_000_000))


@lie("one_live_job")
def two_live_jobs_have_one_claim(seen: Evidence) -> None:
    accept = settle(seen)
    again = msgspec.structs.replace(accept, job_id="01OTHER", key="another-key-0000001")
    inserted(seen, 5, again)


@lie("one_outcome")
def a_job_ends_twice(seen: Evidence) -> None:
    index = where(seen.rows, "job.ended")
    inserted(seen, index + 1, seen.rows[index])


@lie("one_outcome")
def a_job_never_ends(seen: Evidence) -> None:
    dropped(seen, where(seen.rows, "job.ended"))


@lie("settled_before_again")
def a_write_is_begun_again_without_a_word_on_the_first(seen: Evidence) -> None:
    index = where(seen.rows, "step.begun", "seal")
    inserted(seen, index, seen.rows[index])


@lie("chain_verifies")
def a_row_was_changed(seen: Evidence) -> None:
    links = list(seen.links)
    links[10] = msgspec.structs.replace(links[10], body=links[10].body.replace(b"executed", b"exocuted"))
    links[9] = msgspec.structs.replace(links[9], body=links[9].body + b" ")
    seen.links = tuple(links)


@lie("chain_verifies")
def a_row_is_missing(seen: Evidence) -> None:
    seen.links = seen.links[:5] + seen.links[6:]
    seen.rows = rows_of(seen.links)


@lie("a_person_is_told_why")
def a_job_needs_a_person_and_says_nothing(seen: Evidence) -> None:
    row = msgspec.structs.replace(seen.rows[1], event="job.needs_human", problem=None)
    inserted(seen, 2, row)


@lie("a_person_is_told_why")
def an_error_says_not_what_to_do(seen: Evidence) -> None:
    line = msgspec.structs.replace(seen.told[-1], reply=error("BAD_REQUEST", remedy=""))
    seen.told = (*seen.told[:-1], line)


@lie("announced_first")
def a_write_was_never_announced(seen: Evidence) -> None:
    dropped(seen, where(seen.rows, "step.begun", "seal"))


@lie("backed_up_first")
def a_seal_came_before_its_backup(seen: Evidence) -> None:
    dropped(seen, where(seen.rows, "backup.written"))


@lie("backed_up_first")
def a_backup_does_not_read_back(seen: Evidence) -> None:
    index = where(seen.rows, "backup.written")
    backup = seen.rows[index].backup
    assert backup is not None
    changed(seen, index, backup=msgspec.structs.replace(backup, sha256="00" * 32))


@lie("never_twice")
def a_month_was_sealed_twice(seen: Evidence) -> None:
    seen.writes = (*seen.writes, seen.writes[0])


@lie("never_twice")
def a_report_was_taken_under_two_keys(seen: Evidence) -> None:
    put = next(call for call in seen.calls if call.op == "report.put")
    seen.calls = (*seen.calls, msgspec.structs.replace(put, key="ff" * 32))


@lie("never_twice")
def a_second_ticket_though_the_first_was_good(seen: Evidence) -> None:
    tickets = {about: (*issued, *issued) for about, issued in seen.bureau.tickets.items()}
    seen.bureau = msgspec.structs.replace(seen.bureau, tickets=tickets)


@lie("report_declare_clear")
def a_clear_without_a_report(seen: Evidence) -> None:
    seen.calls = tuple(call for call in seen.calls if (call.op, call.period) != ("report.put", "2026-09"))


@lie("report_declare_clear")
def a_clear_before_the_declaration(seen: Evidence) -> None:
    returns = {
        about: msgspec.structs.replace(one, filed_ms=(one.filed_ms or 0) + 10_000_000)
        for about, one in seen.bureau.returns.items()
    }
    seen.bureau = msgspec.structs.replace(seen.bureau, returns=returns, filings=())


@lie("report_declare_clear")
def a_ticket_that_the_bureau_never_gave(seen: Evidence) -> None:
    seen.bureau = msgspec.structs.replace(seen.bureau, tickets={})


@lie("in_time")
def a_seal_in_the_first_minutes_of_the_day(seen: Evidence) -> None:
    rewritten(seen, 0, device_clock=dt.datetime(2026, 11, 3, 0, 4))


@lie("in_time")
def a_seal_with_the_clocks_a_day_apart(seen: Evidence) -> None:
    rewritten(seen, 0, device_clock=dt.datetime(2026, 11, 4, 12, 0))


@lie("in_time")
def a_seal_after_the_filing_window(seen: Evidence) -> None:
    seen.deadlines = {"2026-11": dt.date(2026, 11, 2)}


@lie("in_time")
def a_seal_of_a_month_that_still_runs(seen: Evidence) -> None:
    rewritten(seen, 2, device_clock=dt.datetime(2026, 10, 31, 23, 0))


@lie("never_backwards")
def the_deadline_moved_back(seen: Evidence) -> None:
    index = next(i for i, line in enumerate(seen.writes) if line.write.kind == "apply_ticket")
    rewritten(seen, index, before=dt.date(2027, 1, 15))


@lie("no_password_twice")
def a_refused_password_was_tried_again(seen: Evidence) -> None:
    one = RefusedTry(at_ms=1, device_no=DEVICE_NO, password_sha256="aa" * 32)
    seen.refused_tries = (one, one)


@lie("no_password_twice")
def a_latched_password_was_announced_again(seen: Evidence) -> None:
    index = where(seen.rows, "password.tried")
    row = seen.rows[index]
    assert row.tried is not None
    refused = msgspec.structs.replace(row.tried, verdict="refused")
    inserted(seen, index, msgspec.structs.replace(row, tried=refused))


@lie("steps_are_true")
def a_seal_that_was_done_is_called_not_executed(seen: Evidence) -> None:
    changed(seen, where(seen.rows, "step.ended", "seal"), outcome="not_executed")


@lie("steps_are_true")
def a_report_that_the_bureau_never_had_is_called_executed(seen: Evidence) -> None:
    seen.bureau = msgspec.structs.replace(seen.bureau, reports={})
    seen.calls = tuple(call for call in seen.calls if call.op != "report.put")


@lie("outcomes_are_true")
def a_settled_month_is_called_not_executed(seen: Evidence) -> None:
    changed(seen, where(seen.rows, "job.ended"), outcome="not_executed")


@lie("outcomes_are_true")
def an_uncleared_month_is_called_executed(seen: Evidence) -> None:
    memory = seen.devices[DEVICE_NO]
    groups = tuple(
        msgspec.structs.replace(group, invoicing_deadline=dt.date(2026, 10, 26)) for group in memory.groups
    )
    seen.devices = {DEVICE_NO: msgspec.structs.replace(memory, groups=groups)}


@lie("outcomes_are_true")
def a_month_whose_report_is_not_known_is_called_partly_executed(seen: Evidence) -> None:
    dropped(seen, where(seen.rows, "step.ended", "submit"))
    changed(seen, where(seen.rows, "job.ended"), outcome="partly_executed")


@lie("told_is_true")
def a_client_is_told_partly_executed_while_a_report_is_under_way(seen: Evidence) -> None:
    step = {"step": "submit", "group": "007", "period": "2026-10", "outcome": "unknown"}
    seen.told = tuple(line for line in seen.told if line.key == settle(seen).key)
    said(seen, "job.get", steps=[step], outcome="partly_executed", ended=False, state="waiting")


@lie("told_is_true")
def a_client_is_told_not_executed(seen: Evidence) -> None:
    told = tuple(line for line in seen.told if line.key == settle(seen).key)
    seen.told = told
    said(seen, "job.get", outcome="not_executed", ended=False, state="running")


@lie("told_is_true")
def a_client_is_told_another_end(seen: Evidence) -> None:
    said(seen, "job.get", state="refused")


@lie("told_is_true")
def a_client_is_told_that_a_seal_was_not_executed(seen: Evidence) -> None:
    step = {"step": "seal", "group": "007", "period": "2026-09", "outcome": "not_executed"}
    seen.told = tuple(line for line in seen.told if line.key == settle(seen).key)
    said(seen, "job.get", steps=[step])


@lie("records_are_true")
def a_record_names_a_deadline_that_the_device_never_had(seen: Evidence) -> None:
    index = where(seen.rows, "job.ended")
    record = bytes(seen.rows[index].record).replace(b"2026-12-15", b"2026-12-31")
    digest = hashlib.sha256(record).hexdigest()
    changed(seen, index, record=msgspec.Raw(record), record_sha256=digest)


@lie("records_are_true")
def a_record_is_not_the_one_of_its_hash(seen: Evidence) -> None:
    changed(seen, where(seen.rows, "job.ended"), record_sha256="00" * 32)


@lie("records_are_true")
def a_record_says_confirmed_and_the_bureau_was_not_told(seen: Evidence) -> None:
    tickets = {
        about: tuple(msgspec.structs.replace(one, confirmed_ms=None) for one in issued)
        for about, issued in seen.bureau.tickets.items()
    }
    seen.bureau = msgspec.structs.replace(seen.bureau, tickets=tickets)


def lost_and_repeated(seen: Evidence, op: str, reply: Reply) -> None:
    """Let the settlement's first reply be lost, and a question hours later get this one."""
    first = next(line for line in seen.told if line.key == settle(seen).key)
    lost = msgspec.structs.replace(first, reply=None, told_ms=first.sent_ms)
    late = first.sent_ms + 10_000_000
    seen.told = (lost, msgspec.structs.replace(lost, op=op, sent_ms=late, told_ms=late, reply=reply))


@lie("accepted_is_never_denied")
def a_repeat_is_told_not_executed_after_a_lost_reply(seen: Evidence) -> None:
    lost_and_repeated(seen, "submit", error("REQUEST_EXPIRED"))


@lie("accepted_is_never_denied")
def a_key_is_unknown_after_a_lost_reply(seen: Evidence) -> None:
    lost_and_repeated(seen, "job.get", error("KEY_UNKNOWN", "unknown"))


@lie("accepted_is_never_denied")
def a_repeat_is_told_not_executed_after_the_write_by_a_wrong_clock(seen: Evidence) -> None:
    seen.one_clock = False
    lost_and_repeated(seen, "submit", error("REQUEST_EXPIRED"))


@lie("steps_are_true")
def a_report_that_the_bureau_took_is_called_not_executed(seen: Evidence) -> None:
    changed(seen, where(seen.rows, "step.ended", "submit"), outcome="not_executed")


@lie("steps_are_true")
def a_confirmation_that_the_bureau_took_is_called_not_executed(seen: Evidence) -> None:
    changed(seen, where(seen.rows, "step.ended", "confirm"), outcome="not_executed")


@lie("steps_are_true")
def the_device_did_it_hours_after_it_was_called_executed(seen: Evidence) -> None:
    seen.writes = tuple(msgspec.structs.replace(one, at_ms=one.at_ms + 50_000_000) for one in seen.writes)


@lie("told_is_true")
def a_client_is_told_that_a_taken_report_was_not_executed(seen: Evidence) -> None:
    step = {"step": "submit", "group": "007", "period": "2026-09", "outcome": "not_executed"}
    seen.told = tuple(line for line in seen.told if line.key == settle(seen).key)
    said(seen, "job.get", steps=[step])


def told_before_any_write(seen: Evidence, **changes: Any) -> None:
    seen.told = tuple(line for line in seen.told if line.key == settle(seen).key)
    said(seen, "job.get", ended=False, state="running", **changes)
    early = min(line.at_ms for line in seen.writes) - 10_000
    seen.told = tuple(msgspec.structs.replace(line, sent_ms=early, told_ms=early) for line in seen.told)


@lie("told_is_true")
def a_client_is_told_executed_too_early(seen: Evidence) -> None:
    told_before_any_write(seen, outcome="executed", steps=[])


@lie("told_is_true")
def a_client_is_told_of_a_seal_too_early(seen: Evidence) -> None:
    step = {"step": "seal", "group": "007", "period": "2026-09", "outcome": "executed"}
    told_before_any_write(seen, outcome="unknown", steps=[step])


@lie("never_backwards")
def the_last_report_moved_on_without_a_write(seen: Evidence) -> None:
    memory = seen.devices[DEVICE_NO]
    groups = tuple(msgspec.structs.replace(one, last_report=dt.date(2026, 12, 31)) for one in memory.groups)
    seen.devices = {DEVICE_NO: msgspec.structs.replace(memory, groups=groups)}
