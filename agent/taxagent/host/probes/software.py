"""What the agent is made of: versions, the calendar of holidays, the host's clock."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

from taxagent.model.checks import made
from taxagent.model.filing import official_deadline
from taxagent.model.lines import CheckLine
from taxagent.model.period import period_of
from taxagent.model.workdays import day

PACKAGES = (
    "taxagent",
    "taxclient",
    "pyzmq",
    "msgpack",
    "msgspec",
    "pyusb",
    "httpx",
    "cryptography",
    "chinesecalendar",
)
_EARLIEST = dt.date(2025, 1, 1)  # no agent is older than this: a clock before it is wrong


def versions(
    installed: Callable[[str], str] = version, libraries: Mapping[str, str] | None = None
) -> Iterator[CheckLine]:
    """Yield the versions; agent and client must be of one. `installed` raises PackageNotFoundError.

    `libraries` are those that are no packages of Python: name = version, "" for one that is not there.
    """
    there, missing = {"Python": platform.python_version()}, []
    for name in PACKAGES:
        try:
            there[name] = installed(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield made("versions", "PACKAGES_MISSING", names=", ".join(missing))
    if there.get("taxagent") != there.get("taxclient"):
        yield made(
            "versions",
            "VERSIONS_DIFFER",
            agent=there.get("taxagent", "?"),
            client=there.get("taxclient", "?"),
        )
    there |= {name: number or "-" for name, number in (libraries or {}).items()}
    there[platform.system()] = platform.release()
    yield made("versions", "VERSIONS", names=", ".join(f"{name} {number}" for name, number in there.items()))


def holidays(today: dt.date) -> Iterator[CheckLine]:
    """Yield which years' holidays are known, and of which the official filing deadlines."""
    this_year, next_year = (day(dt.date(year, 1, 1)).known for year in (today.year, today.year + 1))
    facts = {"years": _years(_has_holidays, today.year), "official": _years(_has_deadlines, today.year)}
    if not this_year:
        yield made("holidays", "HOLIDAYS_OLD", year=str(today.year), **facts)
    elif not next_year and today.month == 12:
        yield made("holidays", "HOLIDAYS_NEXT_YEAR", year=str(today.year + 1), **facts)
    else:
        yield made("holidays", "HOLIDAYS_OK", year=str(today.year + 1 if next_year else today.year), **facts)


def _has_holidays(year: int) -> bool:
    return day(dt.date(year, 1, 1)).known


def _has_deadlines(year: int) -> bool:
    return official_deadline(period_of(dt.date(year, 12, 1))) is not None


def _years(has: Callable[[int], bool], around: int) -> str:
    """Return the years near this one that are known, such as "2024, 2025, 2026"; "" for none."""
    return ", ".join(str(year) for year in range(around - 2, around + 3) if has(year))


def clock(now: dt.datetime, simulated: str = "") -> Iterator[CheckLine]:
    """Yield whether the host's clock can be right; `simulated` is the simulated wall clock, or ""."""
    shown = now.isoformat(sep=" ", timespec="seconds")
    if simulated:
        yield made("clock", "CLOCK_SIMULATED", now=shown, simulated=simulated)
    elif now.date() < _EARLIEST:
        yield made("clock", "CLOCK_IN_THE_PAST", now=shown)
    else:
        yield made("clock", "CLOCK_OK", now=shown)
