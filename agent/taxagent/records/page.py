"""The record as a page of text, in Chinese or English. Pure: bytes of the record in, text out."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import msgspec

from taxagent.model import checks
from taxagent.model.device import Statistics
from taxagent.model.faults import Lang, text
from taxagent.model.job import Step, StepRun
from taxagent.model.simtime import local_time
from taxagent.model.value import from_json
from taxagent.model.words import word
from taxagent.records.clearing import ClearingRecord, TypeRecord


class _Words:
    """The page's words in one language."""

    def __init__(self, lang: Lang) -> None:
        self.lang: Lang = lang
        self.labels = _labels()[lang]
        marks = ("：", "，", "、", "；") if lang == "zh" else (": ", ", ", ", ", "; ")
        self.colon, self.comma, self.listed, self.semicolon = marks

    def of(self, kind: str, code: str) -> str:
        """Return what people call a value."""
        return word(kind, code, self.lang)

    def aside(self, text: str) -> str:
        """Return the text in brackets behind another; "" for none."""
        if not text:
            return ""
        return f"（{text}）" if self.lang == "zh" else f" ({text})"


def page(record: bytes, lang: Lang) -> str:
    """Return the text page of a record's JSON; msgspec.ValidationError where it is no record."""
    value = from_json(record, ClearingRecord)
    words = _Words(lang)
    digest = hashlib.sha256(record).hexdigest()
    blocks = (
        _head(value, words),
        _end(value, words, lang),
        _windows(value, words, lang),
        _lines(value, words, lang),
        _types(value, words),
        _steps(value, words),
        _evidence(value, words),
        [f"{words.labels['record_hash']}  {digest}"],
    )
    return "\n\n".join("\n".join(lines) for block in blocks if (lines := list(block))) + "\n"


def _head(record: ClearingRecord, words: _Words) -> Iterator[str]:
    label = words.labels
    title = label.get(f"title_{record.kind.value}", label["title"])
    yield f"=== {title} {record.job_id} ==="
    if record.simulated:
        yield f"*** {label['simulated']} ***"
    yield f"{label['kind']}{words.colon}{words.of('job_kind', record.kind)}"
    if record.ref:
        yield f"{label['ref']}{words.colon}{record.ref}"
    kind = f"{words.of('device_kind', record.device_kind)} {record.firmware}"
    device = f"{record.scope.device_no}{words.aside(kind)} #{record.terminal_no}"
    yield f"{label['device']}{words.colon}{device}"
    yield f"{label['taxpayer']}{words.colon}{record.scope.taxpayer_id} {record.taxpayer_name}"
    yield f"{label['period']}{words.colon}{words.listed.join(record.scope.periods)}"
    yield f"{label['asked']}{words.colon}{record.principal}"
    if record.confirmed is not None:
        how = label["by_token"] if record.confirmed.how == "token" else label["by_consent"]
        confirmed = f"{record.confirmed.by}{words.comma}{_time(record.confirmed.at_ms)}{words.aside(how)}"
        yield f"{label['confirmed']}{words.colon}{confirmed}"
    elif record.kind.irreversible:
        yield f"{label['confirmed']}{words.colon}{label['by_consent']}"
    if record.late:
        yield label["late"]


def _end(record: ClearingRecord, words: _Words, lang: Lang) -> Iterator[str]:
    label = words.labels
    yield f"{label['accepted']}{words.colon}{_time(record.accepted_ms)}"
    yield f"{label['ended']}{words.colon}{_time(record.ended_ms)}"
    if record.simulated_time_ms is not None:
        yield f"{label['simulated_time']}{words.colon}{_time(record.simulated_time_ms)}"
    yield f"{label['state']}{words.colon}{words.of('job_state', record.state)}"
    yield f"{label['outcome']}{words.colon}{words.of('outcome', record.outcome)}"
    if record.problem is not None:
        told = text(record.problem, lang)
        yield f"{label['cause']}{words.colon}{told.title} [{record.problem.fault}] {told.cause}"
        yield f"{label['remedy']}{words.colon}{told.remedy}"
    if any(run.note == "not_confirmed" for run in record.steps):
        yield label["not_confirmed"]


def _windows(record: ClearingRecord, words: _Words, lang: Lang) -> Iterator[str]:
    label = words.labels
    if record.device_clock is not None:
        yield f"{label['device_clock']}{words.colon}{record.device_clock:%Y-%m-%d %H:%M:%S}"
    if record.filing is not None:
        source = words.of("source", record.filing.source)
        yield f"{label['filing']}{words.colon}{record.filing.deadline}{words.aside(source)}"
    for finding in record.findings if not record.lines else ():
        yield f"{label['finding']}{words.colon}{text(finding, lang).title} [{finding.fault}]"


def _lines(record: ClearingRecord, words: _Words, lang: Lang) -> Iterator[str]:
    for line in record.lines:
        about = f"{words.of('check_state', line.state)}  {checks.name(line, lang)}"
        yield f"{about}{words.colon}{checks.text(line, lang).fact}"


def _types(record: ClearingRecord, words: _Words) -> Iterator[str]:
    wrote = {run.id.group for run in record.steps if run.wrote}
    if record.types:
        yield f"{words.labels['types']}{words.colon}".rstrip()
    for row in record.types:
        became = "not_read" if row.group in wrote else "not_written" if wrote else ""
        yield f"  {row.invoice_type}  {_moved(row, words, became)}"
        for sums in row.totals:
            yield from (f"       {line}" for line in _totals(sums, words))


def _moved(row: TypeRecord, words: _Words, unread: str) -> str:
    """What became of the two dates. What was not read after a write is not unchanged: `unread` labels it."""
    pairs = (
        ("last_report", row.last_report_before, row.last_report_after),
        ("deadline", row.invoicing_deadline_before, row.invoicing_deadline_after),
    )
    return words.semicolon.join(
        f"{words.labels[name]} {before}{_became(before, after, words, unread)}"
        for name, before, after in pairs
    )


def _became(before: dt.date, after: dt.date | None, words: _Words, unread: str) -> str:
    if after is None:
        return f" -> {words.labels[unread]}" if unread else ""
    return f" -> {after if after != before else words.labels['unchanged']}"


def _totals(sums: Statistics, words: _Words) -> Iterator[str]:
    """The month's figures as they are held against the ledger: positive, negative, and both together."""
    label = words.labels
    yield f"{sums.date_from} .. {sums.date_to}"
    for name, count, amount, tax in (
        ("positive_line", sums.positive, sums.positive_amount, sums.positive_tax),
        ("negative_line", sums.negative, sums.negative_amount, sums.negative_tax),
    ):
        yield "  " + label[name].format(count=count, amount=_yuan(amount), tax=_yuan(tax))
    yield "  " + label["net_line"].format(
        amount=_yuan(sums.positive_amount + sums.negative_amount),
        tax=_yuan(sums.positive_tax + sums.negative_tax),
        voided=sums.positive_voided + sums.negative_voided + sums.blank_voided,
        closing=sums.closing,
    )


def _yuan(fen: int) -> str:
    """Fen as yuan with thousands apart, as a ledger has it."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:,}.{rest:02d}"


def _steps(record: ClearingRecord, words: _Words) -> Iterator[str]:
    if record.steps:
        yield f"{words.labels['steps']}{words.colon}".rstrip()
    for run in record.steps:
        yield f"  {_time(run.begun_ms)}  {_step(run, words)}"


def _step(run: StepRun, words: _Words) -> str:
    what = (words.of("step", run.id.step), run.id.group, run.id.period)
    if run.id.step is Step.BACKUP:  # its group is the step that it protects, or itself
        before = "" if run.id.group == Step.BACKUP else words.of("step", run.id.group)
        what = (what[0], words.labels["before"].format(step=before) if before else "", run.id.period)
    note = words.of("declaration" if run.id.step is Step.DECLARATION else "note", run.note)
    about = " ".join(part for part in what if part)
    return f"{about}{words.colon}{words.of('outcome', run.outcome)}{words.aside(note)}"


def _evidence(record: ClearingRecord, words: _Words) -> Iterator[str]:
    for backup in record.backups:
        yield f"{words.labels['backups']}{words.colon}{backup.path}  sha256 {backup.sha256}"
    for ticket in record.tickets:
        yield (
            f"{words.labels['tickets']}{words.colon}{ticket.group} {ticket.ticket_no} -> {ticket.deadline}"
            f"  sha256 {ticket.clear_ticket_sha256}"
        )


def _time(utc_ms: int) -> str:
    return local_time(utc_ms).strftime("%Y-%m-%d %H:%M:%S")


@functools.cache
def _labels() -> dict[Lang, dict[str, str]]:
    source = files("taxagent.records").joinpath("words.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(source), dict[Lang, dict[str, str]])
