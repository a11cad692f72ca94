"""The screens that docs/operations.md shows, made by the code that shows them to people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from taxagent.ipc.diagnose import Diagnoser
from taxagent.ipc.explain import explained
from taxagent.ipc.snapshots import LiveViews, device_view, status_result
from taxagent.ipc.views import job_view, line_view
from taxagent.ipc.windows import Explainer
from taxagent.jobs.asks import Role
from taxagent.jobs.device_views import view_of
from taxagent.model import cases, checks
from taxagent.model.faults import Lang
from taxagent.model.job import JobKind, JobState, Outcome, Problem, Step, StepId, StepRun
from taxagent.model.lines import CheckState
from taxagent.model.usb import Recognised, SeenDevice
from taxagent.model.windows import Rules
from taxagent.model.words import word
from taxclient.cli import show
from taxclient.cli.columns import plain
from taxclient.cli.explain import lines as explain_lines
from taxclient.cli.lines import listed
from taxclient.cli.why import lines
from taxclient.cli.window import lines as window_lines
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m
from tests.builders.diagnosis import healthy_state
from tests.builders.ipc import FakeClock, FakeDesk, job
from tests.builders.model import monitor


class Afternoon(FakeClock):
    """The 15th of November 2026, half past one: 34 hours before the device locks."""

    def __init__(self) -> None:
        self.now_ms = round(self.local().timestamp() * 1000)

    def local(self) -> dt.datetime:
        return dt.datetime(2026, 11, 15, 13, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))


def why(lang: Lang) -> list[str]:
    """Return what `taxctl why` shows of a shop whose offline hours are used up, soon locked."""
    clock = Afternoon()
    due: dict[str, Any] = {"invoicing_deadline": dt.date(2026, 11, 16), "last_report": dt.date(2026, 9, 30)}
    state = healthy_state(clock.local().replace(tzinfo=None), pending_uploads=3, offline_hours_left=0, **due)
    roll = monitor(invoice_type="025", group="025", **due)
    state = msgspec.structs.replace(state, monitor=(*state.monitor, roll), stock=None)
    view = view_of("usb:1-2#7", state, clock.now_ms)
    status = msgspec.structs.replace(FakeDesk().status(), devices=(view,))
    result = Diagnoser(Rules(), clock)(m.DiagnoseArgs(), status, lang)
    return list(lines(result, Speech(lang)))


def windows_at(moment: str, lang: str, role: Role = Role.OPERATOR) -> m.WindowResult:
    """Return what window.explain answers of a device whose October is to be reported."""
    clock = Afternoon()
    due: dict[str, Any] = {"invoicing_deadline": dt.date(2026, 11, 16), "last_report": dt.date(2026, 9, 30)}
    state = healthy_state(clock.local().replace(tzinfo=None), **due)
    status = msgspec.structs.replace(
        FakeDesk().status(), devices=(view_of("usb:1-2#7", state, clock.now_ms),)
    )
    return Explainer(Rules(), clock)(m.WindowArgs(at=moment), status, "zh" if lang == "zh" else "en", role)


def window(lang: Lang, moment: str, role: Role = Role.OPERATOR) -> list[str]:
    """Return what `taxctl window --at` shows."""
    shown = window_lines(windows_at(moment, lang, role), Speech(lang), simulated=True)
    return list(plain(shown))


def status(lang: Lang) -> list[str]:
    """Return what `taxctl status` shows of a shop with two devices, one of a vendor's, and a job at work."""
    clock = Afternoon()
    now = clock.local().replace(tzinfo=None)
    due: dict[str, Any] = {"invoicing_deadline": dt.date(2026, 11, 16), "last_report": dt.date(2026, 9, 30)}
    busy = view_of("usb:1-2#7", healthy_state(now, **due), clock.now_ms)
    busy = msgspec.structs.replace(busy, held_by="agent")
    settled = view_of("usb:1-3#9", healthy_state(now, device_no="661234567891"), clock.now_ms)
    vendors = SeenDevice(
        location="usb:1-4#3",
        vendor_id=0x1432,
        product_id=0x07DC,
        recognised=Recognised.VENDOR,
        name="税控盘 (NISEC)",
    )
    live = job(state=JobState.RUNNING, accepted_ms=clock.now_ms)
    told = msgspec.structs.replace(
        FakeDesk().status(), devices=(busy, settled), seen=(vendors,), live_jobs=(live,)
    )
    return list(show.status(status_result(told, lang, LiveViews()), Speech(lang)))


def check(lang: Lang) -> list[str]:
    """Return what `taxctl check` shows in the peak hours, with the bureau down."""
    peak = dt.datetime(2026, 11, 13, 15, 0, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    now_ms = round(peak.timestamp() * 1000)
    due: dict[str, Any] = {"invoicing_deadline": dt.date(2026, 11, 16), "last_report": dt.date(2026, 9, 30)}
    state = healthy_state(peak.replace(tzinfo=None), **due)
    peak_hours = Problem(
        fault="PEAK_HOURS", outcome=Outcome.NOT_EXECUTED, detail={"opens_at": "2026-11-13 16:00"}
    )
    down = Problem(fault="BUREAU_DOWN", outcome=Outcome.NOT_EXECUTED)
    lines = (
        checks.made("device", "DEVICE_PRESENT", device_no=state.hello.device_no),
        checks.made("password", "PASSWORD_OK", tries_left="5"),
        checks.made("registered", "REGISTERED"),
        checks.made("clock", "CLOCK_CLOSE", "host", seconds="2"),
        checks.made("window", "WINDOW_OPEN", "filing_window", closes_at="2026-11-17 00:00"),
        checks.of_problem("window", peak_hours, CheckState.WARN, "off_peak"),
        checks.of_problem("login", down),
    )
    steps = tuple(
        StepRun(
            id=StepId(step=step),
            outcome=Outcome.EXECUTED,
            begun_ms=now_ms,
            ended_ms=now_ms + 40,
        )
        for step in (Step.IDENTIFY, Step.PREFLIGHT)
    )
    done = job(
        kind=JobKind.CHECK,
        state=JobState.DONE,
        outcome=Outcome.EXECUTED,
        accepted_ms=now_ms,
        steps=steps,
        lines=lines,
    )
    view, speech = job_view(done, lang), Speech(lang)
    return [
        show.job_line(view, speech),
        *(show.step_line(step, speech) for step in view.steps),
        *show.job_end(view, speech),
        *show.device(device_view(view_of("usb:1-2#7", state, now_ms), lang), speech),
    ]


def explain(lang: Lang, what: str) -> list[str]:
    """Return what `taxctl explain` and `taxagent explain` show."""
    return list(plain(explain_lines(explained(m.ExplainArgs(what=what), lang), Speech(lang))))


def doctor(lang: Lang, looks: str) -> list[str]:
    """Return what `taxctl doctor` and `taxagent doctor` show of a host on which five things are wrong."""
    about = {"version": "0.1.0", "host": "shop-pc", "path": "/var/lib/taxagent"}
    place = {"location": "usb:1-2#7", "node": "/dev/bus/usb/001/007"}
    group = {"group": "taxdev", "rule": "70-taxagent.rules", "user": "taxagent"}
    by = {"user": "taxagent", "pid": "812"} if looks == "ABOUT_AGENT" else {"user": "root"}
    rival = {"program": "invoicing", "pid": "2041", "user": "wang"}
    door = {"path": "/run/taxagent/agent.sock", "owner": "taxagent", "group": "taxagent", "mode": "0660"}
    lines = (
        checks.made("agent", looks, **about, **by),
        checks.made("unit", "UNIT_RUNS", active="active", sub="running", pid="812"),
        checks.made("clock", "NTP_OFF", "ntp"),
        checks.made("holidays", "HOLIDAYS_OK", years="2024, 2025, 2026", official="2025, 2026"),
        checks.made("held", "KERNEL_DRIVER", driver="usb-storage", **place),
        checks.made("held", "HELD_BY_PROGRAM", **place, **rival),
        checks.made("permissions", "NODE_SHUT_NO_MEMBER", path=place["node"], owner="taxdev 0660", **group),
        checks.made("socket", "SOCKET_OK", **door),
        checks.made("access", "ACCESS_GROUP", "taxagent", role="operator", names="wang, li"),
        checks.made("journal", "JOURNAL_OK", path="/var/lib/taxagent/journal.db", rows="5120", schema="2"),
        checks.made("dns", "DNS_OK", host="gateway.example", addresses="192.0.2.7", ms="12"),
        checks.made("tcp", "TCP_OK", host="gateway.example", port="443", ms="9"),
        checks.made("tls", "TLS_NO_CA", path="/etc/taxagent/bureau/ca.pem", what="No such file or directory"),
    )
    return list(listed([line_view(line, lang) for line in lines], Speech(lang)))


def case_rows(lang: Lang) -> list[str]:
    """Return the table of case numbers as Markdown rows."""
    meaning = {"yes": "blocks", "doubt": "unknown", "no": "warning"}
    rows = []
    for name, entry in sorted(cases.cases().items(), key=lambda item: item[1].number):
        title = cases.text(cases.Cause(case=name), lang).title
        who = word("who", entry.who, lang)
        rows.append(f"| {entry.number} | {title} | {meaning[entry.blocks]} | {who} |")
    return rows


SCREENS: dict[str, Callable[[], list[str]]] = {
    "taxctl why --lang en": partial(why, "en"),
    "taxctl why --lang zh": partial(why, "zh"),
    "taxctl status --lang en": partial(status, "en"),
    "taxctl status --lang zh": partial(status, "zh"),
    "taxctl check --lang en": partial(check, "en"),
    "taxctl check --lang zh": partial(check, "zh"),
    "taxagent doctor --lang en": partial(doctor, "en", "ABOUT_COMMAND"),
    "taxctl doctor --lang zh": partial(doctor, "zh", "ABOUT_AGENT"),
    "taxctl explain 未完成报税 --lang zh": partial(explain, "zh", "未完成报税"),
    "taxctl explain 09d118 --lang en": partial(explain, "en", "09d118"),
    "taxctl window --at '2026-11-13 10:30' --lang en": partial(window, "en", "2026-11-13 10:30"),
    "taxctl window --at '2026-11-28 19:05' --lang zh": partial(
        window, "zh", "2026-11-28 19:05", Role.TECHNICIAN
    ),
}
