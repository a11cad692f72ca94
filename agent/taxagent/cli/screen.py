"""What a command prints: JSON, tables and faults, the same on every console. Knows no command."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from taxagent.model.errors import AgentError, Refusal
from taxagent.model.faults import Lang, fault, text
from taxagent.model.job import Outcome
from taxagent.model.words import word

_SPOKEN: ContextVar[Lang | None] = ContextVar("_SPOKEN", default=None)


@contextmanager
def speaking(lang: Lang) -> Iterator[None]:
    """Let `default_lang` be this one meanwhile: what --lang asked for, so that help speaks it as well."""
    token = _SPOKEN.set(lang)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def default_lang() -> Lang:
    """Return the language of --lang, else of the environment (LC_ALL, LC_MESSAGES, LANG), else English."""
    spoken = _SPOKEN.get()
    if spoken is not None:
        return spoken
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def print_json(value: object) -> None:
    """Print one line of JSON in UTF-8, whatever the console's encoding."""
    sys.stdout.flush()
    line = msgspec.json.encode(value) + b"\n"
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(line.decode())


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns; Chinese characters count as two."""
    lines = [tuple(row) for row in rows]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (w - _width(cell)) for cell, w in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def print_fault(error: AgentError, lang: Lang, *, json: bool = False) -> None:
    """Print a fault: for people to stderr, as one JSON object to stdout where `json` is asked for."""
    problem = error.problem()
    words = text(problem, lang)
    entry = fault(problem.fault)
    if json:
        error_fields = {
            "code": problem.fault,
            "message": words.title,
            "outcome": problem.outcome,
            "retry": entry.retry,
            "who": entry.who,
            "remedy": words.remedy,
            "detail": problem.detail,
            **({"device_code": problem.device_code} if problem.device_code else {}),
        }
        print_json({"status": "error", "error": error_fields})
    who = ("谁能处理：" if lang == "zh" else "who can mend it: ") + word("who", entry.who, lang)
    say = f"{problem.fault}: {words.title}\n  {words.cause}\n  {who}\n  {words.remedy}"
    print(say, file=sys.stderr)


_EXITS = {"INSTANCE_RUNNING": 75, "AGENT_ABSENT": 69, "NOT_ALLOWED": 77, "PATH_SHUT": 77}
# Not done, and no rule said no: what was asked about is not there. taxctl counts the same.
_NO_RULE = {"JOB_UNKNOWN", "RECORD_UNKNOWN", "INVOICE_UNKNOWN", "DEVICE_UNKNOWN", "JOB_ENDED"}
_BAD_INPUT = {"CONFIG_MISSING", "CONFIG_INVALID", "SCENARIO_INVALID", "BAD_REQUEST", "MEANING_UNKNOWN"}


def exit_code(error: AgentError) -> int:
    """Return the process's exit code for a fault.

    2 bad input, 10 not executed, 11 refused by a rule, 20 unknown, 21 partly executed, 69 the agent is not
    there, 75 another instance runs, 77 not allowed.
    """
    if error.fault in _EXITS:
        return _EXITS[error.fault]
    if error.fault in _BAD_INPUT:
        return 2
    if error.outcome is Outcome.UNKNOWN:
        return 20
    if error.outcome is Outcome.PARTLY_EXECUTED:
        return 21
    return 11 if isinstance(error, Refusal) and error.fault not in _NO_RULE else 10


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
