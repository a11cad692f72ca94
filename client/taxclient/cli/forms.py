"""How values are written: a month, a number, a job. What is not in form is told so, and not sent."""

from __future__ import annotations

import argparse
import re

from taxclient.cli.exits import NotSent

# option -> its form, and the sentence of words.TEXT that says how it is written
_FORMS = {
    "period": (r"[0-9]{4}-(0[1-9]|1[0-2])", "how_period"),
    "quarter": (r"[0-9]{4}Q[1-4]", "how_quarter"),
    "at": (r"\d{4}-\d\d-\d\d([T ]\d\d(:\d\d){1,2}(\.\d+)?(Z|[+-]\d\d:\d\d)?)?", "how_moment"),
    "device": (r"[0-9]{12}", "how_device"),
    "type": (r"[0-9]{3}", "how_type"),
    "taxpayer": (r"[0-9A-Z]{15}|[0-9A-Z]{17,18}|[0-9A-Z]{20}", "how_taxpayer"),
    "job_id": (r"[0-9A-HJKMNP-TV-Z]{26}", "how_job"),
    "before": (r"[0-9A-HJKMNP-TV-Z]{26}", "how_job"),
    "key": (r"[A-Za-z0-9._-]{16,64}", "how_key"),
    "code": (r"[0-9]{10}|[0-9]{12}|[0-9]{20}", "how_code"),
    "number": (r"[0-9]{8}|[0-9]{20}|[1-9][0-9]{0,2}", "how_number"),
}


def months_of(quarter: str) -> tuple[str, ...]:
    """Return the three months of a quarter, as 2026-07, 2026-08, 2026-09 of 2026Q3; none of ""."""
    year, _, number = quarter.partition("Q")
    return tuple(f"{year}-{int(number) * 3 + each:02d}" for each in (-2, -1, 0)) if quarter else ()


def check(options: argparse.Namespace) -> None:
    """Raise NotSent (BAD_REQUEST) for the first value that is not written as it must be."""
    for name, (form, how) in _FORMS.items():
        given = getattr(options, name, None) or ()
        for text in (given,) if isinstance(given, str) else given if isinstance(given, list) else ():
            if not re.fullmatch(form, text):
                raise NotSent("BAD_REQUEST", "out_of_form", how, text)
