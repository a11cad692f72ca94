"""The record of every way a job can end, as JSON and as a page in both languages."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import msgspec
import pytest

from taxagent.model.faults import Lang
from taxagent.model.job import (
    Backup,
    Confirmed,
    Job,
    JobKind,
    JobState,
    Outcome,
    Problem,
    Reading,
    Step,
    StepId,
    StepRun,
    StoredTicket,
)
from taxagent.model.value import from_json
from taxagent.records.clearing import ClearingRecord, clearing_record, encoded
from taxagent.records.page import page
from tests.builders import journal as rows
from tests.builders.model import monitor, statistics

AT = rows.AT_MS  # 2026-11-25 07:00:00 in Shanghai
DONE = (JobState.DONE, Outcome.EXECUTED, None)
STEPS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("preflight", "", {"deadline": "2026-11-16", "source": "official"}),
    ("backup", "", {}),
    ("seal", "", {}),
    ("submit", "", {}),
    ("declaration", "accepted", {}),
    ("apply", "", {}),
    ("confirm", "", {}),
)


def run(
    name: str, note: str = "", outcome: Outcome = Outcome.EXECUTED, facts: dict[str, str] | None = None
) -> StepRun:
    group = "007" if name in ("seal", "submit", "apply", "confirm") else ""
    if name == "backup":
        group = "ticket"
    month = "2026-10" if name != "preflight" else ""
    step = StepId(step=Step(name), group=group, period=month)
    return StepRun(id=step, outcome=outcome, begun_ms=AT, ended_ms=AT, note=note, facts=facts or {})


def reading(**changes: Any) -> Reading:
    seen = rows.seen_state()
    state = msgspec.structs.replace(seen.state, monitor=(monitor(**changes),))
    return Reading(state=state, totals=(statistics(),))


def job(**changes: Any) -> Job:
    """A settled month, from its accept to just before its end."""
    fields: dict[str, Any] = {
        "job_id": rows.job_id(),
        "kind": JobKind.SETTLE,
        "scope": rows.scope(),
        "principal": "shop",
        "key": "key-of-sixteen-chars",
        "ref": "V-1",
        "accepted_ms": AT,
        "state": JobState.RUNNING,
        "confirmed": Confirmed(types=(), by="shop", how="token", at_ms=AT),
        "before": reading(),
        "after": reading(last_report=dt.date(2026, 10, 31), invoicing_deadline=dt.date(2026, 12, 15)),
        "steps": tuple(run(name, note, facts=facts) for name, note, facts in STEPS),
        "backups": (
            Backup(period=rows.scope().periods[0], path="/b.zip", sha256="aa" * 32, before=Step.SEAL),
        ),
        "tickets": (StoredTicket(group="007", ticket=rows.ticket()),),
    }
    return Job(**{**fields, **changes})


def record(
    about: Job,
    end: tuple[JobState, Outcome, Problem | None] = DONE,
    sim_ms: int | None = None,
) -> bytes:
    return encoded(clearing_record(about, *end, ended_ms=AT + 61_000, sim_ms=sim_ms, version="0.1.0"))


def problem(fault: str, outcome: Outcome = Outcome.NOT_EXECUTED, **detail: str) -> Problem:
    return Problem(fault=fault, outcome=outcome, detail=detail)


SEALED = {"steps": (run("seal"),), "after": None, "tickets": ()}
UNTOUCHED = {"steps": (), "after": None, "tickets": (), "backups": ()}
ENDS = [
    (job(), DONE),
    (job(steps=(run("seal", "already"), run("apply", "already"), run("confirm"))), DONE),
    (job(steps=(run("seal"), run("apply"), run("confirm", "not_confirmed", Outcome.NOT_EXECUTED))), DONE),
    (job(**UNTOUCHED), (JobState.REFUSED, Outcome.NOT_EXECUTED, problem("PERIOD_NOT_ENDED"))),
    (job(**SEALED), (JobState.REFUSED, Outcome.PARTLY_EXECUTED, problem("BUREAU_REFUSED"))),
    (job(**SEALED), (JobState.STOPPED, Outcome.PARTLY_EXECUTED, problem("CANCELLED"))),
    (job(**UNTOUCHED, before=None), (JobState.EXPIRED, Outcome.NOT_EXECUTED, problem("WINDOW_CLOSED"))),
    (job(**UNTOUCHED, kind=JobKind.CHECK, confirmed=None), DONE),
]


@pytest.mark.parametrize("about, end", ENDS)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_end_has_a_record_and_a_page(about: Job, end: Any, lang: Lang) -> None:
    body = record(about, end)
    value = from_json(body, ClearingRecord)
    assert (value.state, value.outcome, value.problem) == end
    assert encoded(value) == body
    shown = page(body, lang)
    assert hashlib.sha256(body).hexdigest() in shown
    assert about.job_id in shown
    assert end[2] is None or end[2].fault in shown


def test_the_record_says_before_and_after_who_and_when() -> None:
    value = json.loads(record(job(), sim_ms=AT + 5))
    (kind,) = value["types"]
    assert kind["last_report_before"] == "2026-09-30"
    assert kind["last_report_after"] == "2026-10-31"
    assert kind["invoicing_deadline_after"] == "2026-12-15"
    assert kind["totals"][0]["positive"] == 3
    assert value["confirmed"]["by"] == value["principal"] == "shop"
    assert value["filing"] == {"deadline": "2026-11-16", "source": "official"}
    assert value["device_clock"] == "2026-11-03T09:30:00"
    assert value["simulated_time_ms"] == AT + 5
    assert value["bureau_confirmed"] is True
    assert len(value["steps"]) == len(STEPS)


def test_a_ticket_stands_in_the_record_by_its_hash_alone() -> None:
    (ticket,) = json.loads(record(job()))["tickets"]
    assert ticket == {
        "group": "007",
        "ticket_no": "T-1",
        "deadline": "2026-12-15",
        "clear_ticket_sha256": hashlib.sha256(b"\x01\x02").hexdigest(),
    }


def test_a_record_of_an_older_agent_is_still_shown() -> None:
    old = json.loads(record(job()))
    del old["filing"], old["device_clock"]
    assert "V-1" in page(json.dumps(old).encode(), "en")


def test_what_was_not_read_after_a_write_is_not_called_unchanged() -> None:
    shown = page(record(job(**SEALED), (JobState.STOPPED, Outcome.PARTLY_EXECUTED, None)), "en")
    assert "last report 2026-09-30 -> not read after the write" in shown
    assert "unchanged" not in shown
    untouched = page(record(job(**UNTOUCHED), (JobState.STOPPED, Outcome.NOT_EXECUTED, None)), "en")
    assert "last report 2026-09-30;" in untouched
    sealed = run("seal")
    other = msgspec.structs.replace(sealed, id=msgspec.structs.replace(sealed.id, group="004"))
    about = job(**{**SEALED, "steps": (other,)})
    beside = page(record(about, (JobState.STOPPED, Outcome.PARTLY_EXECUTED, None)), "en")
    assert "last report 2026-09-30 -> not written by this job" in beside


def test_a_standing_consent_is_said() -> None:
    assert "按配置中的长期授权" in page(record(job(confirmed=None)), "zh")
    check = page(record(job(**UNTOUCHED, kind=JobKind.CHECK, confirmed=None)), "en")
    assert "standing consent" not in check


def test_a_clear_that_the_bureau_was_not_told_of_says_so() -> None:
    about, end = ENDS[2]
    assert "The bureau was not told" in page(record(about, end), "en")
    assert not from_json(record(about, end), ClearingRecord).bureau_confirmed


ZH = """\
=== 清卡记录 01JOB000000000000000000001 ===
*** 这是模拟：设备或时钟是模拟的，本页不是办税凭证。 ***
业务：月结（抄报并清卡）
凭证号：V-1
设备：661000000001（税控盘 1.0） #0
纳税人：91310000MA1FL00001 某某商店
所属期：2026-10
提交人：shop
确认：shop，2026-11-25 07:00:00（看过设备状态后确认）

受理时间：2026-11-25 07:00:00
结束时间：2026-11-25 07:01:01
结束时的模拟时间：2026-11-25 07:30:00
"""
EN = """\
The device's clock: 2026-11-03 09:30:00
Last day of the filing window: 2026-11-16 (official notice)
Note: These are peak hours [PEAK_HOURS]

Invoice types:
  007  last report 2026-09-30 -> 2026-10-31; invoicing deadline 2026-11-16 -> 2026-12-15
       2026-10-01 .. 2026-10-31
         positive 3, amount 300.00 yuan, tax 39.00 yuan
         negative 1, amount -50.00 yuan, tax -6.50 yuan
         net amount 250.00 yuan, tax 32.50 yuan; voided 2, in stock 134

Steps:
  2026-11-25 07:00:00  preflight: executed
  2026-11-25 07:00:00  back-up (before: get the clear ticket) 2026-10: executed
  2026-11-25 07:00:00  seal 007 2026-10: executed
"""


def test_the_page_in_chinese() -> None:
    assert page(record(job(), sim_ms=AT + 1_800_000), "zh").startswith(ZH)


def test_the_page_in_english() -> None:
    noted = msgspec.structs.replace(reading(), findings=(problem("PEAK_HOURS"),))
    assert EN in page(record(job(before=noted)), "en")


def test_no_label_is_missing_in_either_language() -> None:
    from taxagent.records.page import _labels

    labels = _labels()
    assert set(labels["zh"]) == set(labels["en"])
