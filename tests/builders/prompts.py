"""What stands behind the guide's prompts: how each fault is provoked at a running site, and what is said.

Each case has a device of its own, so cases may run in any order at one site. The page docs/prompts.md is made
of the same table.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from taxagent.device.usbip_client import Attachment
from taxagent.model.faults import fault, text
from taxagent.model.job import Outcome, Problem
from taxagent.model.words import word
from taxagent.simulator.site import Orders, Site
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import RemoteError
from tests.builders.site import PERIOD, TAXPAYER, identified, submitted, until, writes

ONE_INVOICE = """
[[types.stock]]
code = "3700221320"
number_from = "00000001"
count = 50
[[types.invoices]]
code = "3700221320"
number = "00000001"
issued_at = 2026-10-28T10:15:00
amount = 10000
tax = 1300
uploaded = {uploaded}
"""


class Shows(StrEnum):
    """Where a person meets the fault."""

    ASKED = "prepare refuses"
    LOOKED_AT = "status shows it"
    ENDED = "the job ends"
    WAITS = "the job waits"
    STANDS = "the job waits for a person"


@dataclass(frozen=True)
class Case:
    """A fault, how it comes about, and what must be said of it."""

    code: str
    cause: str  # in words, for the page
    who: str
    retry: str
    shows: Shows = Shows.ENDED
    outcome: str = "not_executed"
    device: str = ""  # lines of the scenario
    of_type: str = ""  # lines of its invoice type
    uploaded: bool = True
    secret: str = "88888888"  # "" = none is kept
    kind: str = "settle"
    asks: dict[str, object] = field(default_factory=dict)  # more arguments of prepare
    faults: tuple[dict[str, object], ...] = ()  # ordered from the device after it was confirmed
    bureau: tuple[dict[str, object], ...] = ()  # ordered from the bureau
    filed: str = "accepted"
    unplugged: bool = False
    taken: bool = False  # by another program, after it was confirmed
    late: bool = False  # at the site whose filing window has closed
    variant: str = ""  # where one fault has several causes

    @property
    def name(self) -> str:
        """Return what the test calls the case."""
        return f"{self.code}-{self.variant}" if self.variant else self.code

    @property
    def prompt(self) -> str:
        """Return the guide's line."""
        return fault(self.code).prompt


@dataclass(frozen=True)
class Said:
    """What a person was told, in both languages: title, message and remedy of each."""

    code: str
    outcome: str
    who: str
    zh: tuple[str, str, str]
    en: tuple[str, str, str]
    retry: str


def refuse(command: str, code: str, nth: int = 1) -> dict[str, object]:
    """Return the order by which the device refuses the nth such command with a code."""
    return {"do": "fault", "command": command, "act": "refuse", "code": code, "nth": nth}


def no(op: str, code: str, status: int = 409) -> dict[str, object]:
    """Return the order by which the bureau refuses one call."""
    return {
        "do": "fault",
        "op": op,
        "act": "refuse",
        "code": code,
        "status": status,
        "text": "业务校验不通过",
    }


def away(op: str, act: str, **more: object) -> dict[str, object]:
    """Return the order by which the bureau is not to be had for ten minutes."""
    return {"do": "fault", "op": op, "act": act, "retry_after_s": 600, **more}


def of_cases(cases: tuple[Case, ...], *, late: bool) -> dict[str, tuple[str, Case]]:
    """Return the cases of one site by name, each with the number of its device."""
    return {
        case.name: (f"66170000{number:04d}", case) for number, case in enumerate(cases) if case.late == late
    }


def scenario(folder: Path, device_no: str, case: Case) -> Path:
    """Write the device of a case: October to be reported, apart from what is wrong with it."""
    lines = {
        "device_no": f'"{device_no}"',
        "kind": '"control_disk"',
        "taxpayer_id": f'"{TAXPAYER}"',
        "taxpayer_name": '"济南明湖文具有限公司"',
        "password": '"88888888"',
        "certificate_from": "2024-03-01",
        "certificate_to": "2029-02-28",
    }
    kind = {"invoice_type": '"007"', "last_report": "2026-09-30", "invoicing_deadline": "2026-11-16"}
    for told, extra in ((lines, case.device), (kind, case.of_type)):
        told.update({key: value for key, _, value in (line.partition(" = ") for line in extra.splitlines())})
    body = "".join(f"{key} = {value}\n" for key, value in lines.items())
    of_type = "".join(f"{key} = {value}\n" for key, value in kind.items())
    path = folder / f"{device_no}.toml"
    invoices = ONE_INVOICE.format(uploaded=str(case.uploaded).lower())
    path.write_text(f"{body}[[types]]\n{of_type}{invoices}", encoding="utf-8")
    return path


def provoked(shop: Site, zh: Client, en: Client, device_no: str, case: Case) -> Said:
    """Bring the fault about at a running agent, and return what it says."""
    with shop.bureau_orders() as bureau, shop.device_orders() as device:
        bureau.order({"do": "clear_faults"})
        bureau.order({"do": "file", "taxpayer_id": TAXPAYER, "period": PERIOD, "state": case.filed})
        if case.unplugged:
            identified(en, device_no)
            device.order({"do": "unplug", "device": device_no})
            until(lambda: _view(en, device_no).location == "", f"{device_no} is gone")
        if case.shows is Shows.LOOKED_AT:
            _seen(en, device_no)
            until(lambda: _view(en, device_no).problem is not None, f"{device_no} has a problem")
            return _said(_view(zh, device_no).problem, _view(en, device_no).problem)
        if case.shows is Shows.ASKED:
            return _refused(zh, en, device_no, case)
        identified(en, device_no)
        token = en.prepare(_asked(device_no, case)).token
        for order in case.faults:
            device.order({**order, "device": device_no})
        for order in case.bureau:
            bureau.order(order)
        with _taken(shop, device, device_no) if case.taken else nullcontext():
            job_id = submitted(en, token, kind=case.kind, device=device_no).job_id
            return _met(zh, en, job_id, case)


def nothing_was_written(shop: Site, device_no: str) -> bool:
    """Return whether the device's own log has no write that it took."""
    return not any(accepted for _, accepted in writes(shop, device_no))


@contextmanager
def _taken(shop: Site, orders: Orders, device_no: str) -> Iterator[None]:
    """Have another program import the device over USB/IP, as an invoicing program would."""
    assert shop.devices is not None
    host, _, port = shop.devices.ready["usbip"].rpartition(":")
    shown = orders.order({"do": "show"})["devices"]
    assert isinstance(shown, list)
    (busid,) = [row["busid"] for row in shown if row["device_no"] == device_no]
    other = Attachment(lambda: socket.create_connection((host, int(port))), busid)
    try:
        yield
    finally:
        other.close()


def _asked(device_no: str, case: Case) -> m.PrepareArgs:
    return m.PrepareArgs(kind=case.kind, device_no=device_no, **case.asks)  # type: ignore[arg-type]


def _refused(zh: Client, en: Client, device_no: str, case: Case) -> Said:
    bodies = []
    _seen(en, device_no)
    for one in (zh, en):
        try:
            one.prepare(_asked(device_no, case))
        except RemoteError as error:
            bodies.append(error.body)
    assert len(bodies) == 2, "prepare was not refused"
    said = _said(bodies[0], bodies[1])
    assert bodies[0].retry == said.retry
    return said


def _met(zh: Client, en: Client, job_id: str, case: Case) -> Said:
    states = {Shows.ENDED: "refused", Shows.WAITS: "waiting", Shows.STANDS: "needs_human"}
    until(lambda: en.job(job_id).state in (*states.values(), "done", "unknown"), f"{job_id} stands still")
    job = en.job(job_id)
    assert job.state == states[case.shows], (job.state, job.problem, job.wait)
    of_zh, of_en = ((each.problem or each.wait) for each in (zh.job(job_id), job))
    said = _said(of_zh, of_en, outcome=job.outcome)
    if case.shows is Shows.WAITS:
        en.cancel(job_id)
    return said


def _said(zh: object, en: object, outcome: str = "") -> Said:
    assert isinstance(zh, m.ProblemView | m.WaitView | m.ErrorBody)
    assert isinstance(en, m.ProblemView | m.WaitView | m.ErrorBody)
    assert (zh.code, zh.who) == (en.code, en.who)
    return Said(
        code=en.code,
        outcome=outcome or ("" if isinstance(en, m.WaitView) else en.outcome),
        who=en.who,
        zh=(zh.title, zh.message, zh.remedy),
        en=(en.title, en.message, en.remedy),
        retry=fault(en.code).retry,
    )


def _seen(one: Client, device_no: str) -> None:
    until(lambda: any(row.device_no == device_no for row in one.status().devices), f"{device_no} was seen")


def _view(one: Client, device_no: str) -> m.DeviceView:
    return next(row for row in one.status().devices if row.device_no == device_no)


def rows(cases: tuple[Case, ...]) -> list[str]:
    """Return the lines of the page's table."""
    return [
        f"| {case.prompt or '(not in the guide)'} | {case.cause} | `{case.code}`: {_title(case.code)} |"
        f" {case.shows} | {case.outcome} | {word('who', case.who, 'en')} |"
        f" {word('retry', case.retry, 'en')} | `[{case.name}]` |"
        for case in cases
    ]


def _title(code: str) -> str:
    return text(Problem(fault=code, outcome=Outcome.NOT_EXECUTED), "en").title
