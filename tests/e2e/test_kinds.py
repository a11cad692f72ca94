"""Golden disk and ukey over the real path: groups, closed months, kill -9, and devices side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.simulator.scenario import Scenario, load
from taxagent.simulator.site import Orders, Site, example
from taxclient import Client
from taxclient.protocol import messages as m
from tests.builders.site import (
    client,
    ended,
    identified,
    prepared,
    site,
    submitted,
    waits,
    writes_by_group,
)

KEY = "kill-9-of-the-agent-1"
UKEY, GOLDEN = "007+026", "004+007"
ONCE = {
    "golden_disk": [
        ("seal", GOLDEN, True),
        ("seal", "026", True),
        ("seal", GOLDEN, True),
        ("seal", "026", True),
        ("apply_ticket", GOLDEN, True),
        ("apply_ticket", "026", True),
    ],
    "ukey": [("seal", UKEY, True), ("apply_ticket", UKEY, True)],
}  # in this order: the older month first, and one clear for both


def changed(folder: Path, kind: str, *changes: tuple[str, str]) -> Path:
    """Return the example of a kind, written to `folder` with each text of `changes` replaced everywhere."""
    text = example(kind).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{kind}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def file_returns(shop: Site, job: m.JobView) -> None:
    for period in job.scope.periods:
        shop.file_return(job.scope.taxpayer_id, period)


def settled(one: Client, shop: Site, scenario: Scenario) -> m.JobView:
    """Settle a device's months, its returns filed once the job waits for them."""
    device = scenario.device_no
    job = submitted(one, prepared(one, device=device), device=device)
    file_returns(shop, waits(one, job.job_id, "declaration"))
    done = ended(one, job.job_id)
    assert (done.state, done.outcome) == ("done", "executed"), done.problem
    return done


@pytest.mark.parametrize(
    ("kind", "due", "shown"),
    [
        ("golden_disk", ("2026-09", "2026-10"), "2026-11-01"),
        ("ukey", ("2026-10",), "2026-10-31"),
    ],
)
def test_a_month_of_each_kind_is_settled_group_by_group(kind: str, due: tuple[str, ...], shown: str) -> None:
    scenario = load(example(kind))
    with site(scenario=example(kind)) as shop:
        shop.start_agent()
        with client(shop) as one:
            done = settled(one, shop, scenario)
            view = identified(one)
        assert done.scope.periods == due
        assert {(row.last_report, row.invoicing_deadline) for row in view.types} == {(shown, "2026-12-15")}
        assert not any(row.periods for row in view.types)
        assert writes_by_group(shop, scenario.device_no) == ONCE[kind]


def test_a_ukey_with_two_closed_months_is_sealed_twice_and_cleared_once(tmp_path: Path) -> None:
    path = changed(tmp_path, "ukey", ("= 2026-09-30", "= 2026-08-31"), ("= 2026-11-16", "= 2026-10-26"))
    scenario = load(path)
    with site(scenario=path) as shop:
        shop.start_agent()
        with client(shop) as one:
            done = settled(one, shop, scenario)
        assert done.scope.periods == ("2026-09", "2026-10")
        wanted = [("seal", UKEY, True), ("seal", UKEY, True), ("apply_ticket", UKEY, True)]
        assert writes_by_group(shop, scenario.device_no) == wanted


def test_who_names_one_type_gets_its_group_shown_settled_and_no_other() -> None:
    scenario = load(example("golden_disk"))
    device = scenario.device_no
    with site(scenario=example("golden_disk")) as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            shown = one.prepare(m.PrepareArgs(kind="settle", device_no=device, types=("007",)))
            assert shown.scope.types == ("004", "007")
            assert {row.invoice_type for row in shown.totals} == {"004", "007"}
            assert {code.split(":")[1] for code in shown.consequences} == {GOLDEN}
            asked = m.SubmitArgs(kind="settle", device_no=device, types=("007",), token=shown.token)
            job = one.submit(asked).job
            file_returns(shop, job)
            assert ended(one, job.job_id).outcome == "executed"
            due = {row.invoice_type: bool(row.periods) for row in identified(one).types}
        assert due == {"004": False, "007": False, "026": True}
        wanted = [("seal", GOLDEN, True), ("seal", GOLDEN, True), ("apply_ticket", GOLDEN, True)]
        assert writes_by_group(shop, device) == wanted


POINTS = [
    ("golden_disk", "seal", "before", 1),
    ("golden_disk", "seal", "after", 2),
    ("golden_disk", "seal", "answer", 3),
    ("golden_disk", "apply_ticket", "before", 1),
    ("golden_disk", "apply_ticket", "after", 2),
    ("golden_disk", "apply_ticket", "answer", 1),
    ("ukey", "read_summary", "before", 1),
    ("ukey", "read_summary", "after", 1),
    ("ukey", "read_summary", "answer", 1),
    ("ukey", "read_summary", "after", 2),  # the pure reading, to submit it
    ("ukey", "apply_ticket", "before", 1),
    ("ukey", "apply_ticket", "after", 1),
    ("ukey", "apply_ticket", "answer", 1),
]


@pytest.mark.parametrize(("kind", "command", "point", "nth"), POINTS)
def test_killed_while_the_device_is_at_a_command(kind: str, command: str, point: str, nth: int) -> None:
    scenario = load(example(kind))
    with site(scenario=example(kind)) as shop, shop.device_orders() as orders:
        hold = {"do": "fault", "device": scenario.device_no, "command": command, "point": point, "nth": nth}
        _killed_and_settled(shop, scenario, orders, {**hold, "act": "hold"})


def test_killed_while_the_seal_settles() -> None:
    scenario = load(example("ukey"))
    with site(scenario=example("ukey")) as shop, shop.device_orders() as orders:
        looks = 5  # two readings of the state, one look before the seal and two at it
        hold = {
            "do": "fault",
            "device": scenario.device_no,
            "command": "monitor",
            "nth": looks,
            "act": "hold",
        }
        _killed_and_settled(shop, scenario, orders, hold, written=[("seal", UKEY, True)])


@pytest.mark.parametrize("kind", ["golden_disk", "ukey"])
@pytest.mark.parametrize(
    ("op", "point"), [("report.put", "after"), ("ticket.put", "before"), ("ticket.put", "after")]
)
def test_killed_while_the_bureau_is_at_a_call(kind: str, op: str, point: str) -> None:
    with site(scenario=example(kind)) as shop, shop.bureau_orders() as orders:
        hold: dict[str, object] = {"do": "fault", "op": op, "point": point, "act": "hold"}
        _killed_and_settled(shop, load(example(kind)), orders, hold)


def _killed_and_settled(
    shop: Site,
    scenario: Scenario,
    orders: Orders,
    hold: dict[str, object],
    written: list[tuple[str, str, bool]] | None = None,
) -> None:
    """Kill the agent where `hold` stops it, the device having `written`; it ends settled all the same."""
    device = scenario.device_no
    agent = shop.start_agent()
    with client(shop) as one:
        token = prepared(one, device=device)
        orders.order(hold)
        job = submitted(one, token, KEY, device=device)
    file_returns(shop, job)
    orders.event("reached")
    assert written in (None, writes_by_group(shop, device))
    agent.kill()
    orders.order({"do": "clear_faults"})
    shop.start_agent()
    with client(shop) as one:
        done = ended(one, job.job_id)
        assert (done.state, done.outcome) == ("done", "executed"), done.problem
        assert one.job_by_key(KEY).job_id == job.job_id
    assert writes_by_group(shop, device) == ONCE[scenario.kind.value]


def test_devices_of_one_and_of_several_taxpayers_work_side_by_side(tmp_path: Path) -> None:
    main = load(example("control_disk"))
    sub = changed(tmp_path, "ukey", (load(example("ukey")).taxpayer_id, main.taxpayer_id))
    paths = [example("control_disk"), sub, example("golden_disk")]
    scenarios = [load(path) for path in paths]
    with site(scenarios=paths) as shop:
        shop.start_agent()
        with client(shop) as one:
            tokens = {each.device_no: prepared(one, device=each.device_no) for each in scenarios}
            jobs = [submitted(one, token, device=device) for device, token in tokens.items()]
            for job in jobs:
                waits(one, job.job_id, "declaration")
            assert [view.terminal_no for view in _in_order(one, scenarios)] == [0, 1, 0]
            shop.file_return(main.taxpayer_id, "2026-10")  # one return is for all machines of a taxpayer
            done = [ended(one, job.job_id) for job in jobs[:2]]
            assert one.job(jobs[2].job_id).state == "waiting"
            file_returns(shop, jobs[2])
            done.append(ended(one, jobs[2].job_id))
        assert {(job.state, job.outcome) for job in done} == {("done", "executed")}
        assert writes_by_group(shop, scenarios[1].device_no) == ONCE["ukey"]
        assert writes_by_group(shop, scenarios[2].device_no) == ONCE["golden_disk"]


def _in_order(one: Client, scenarios: list[Scenario]) -> list[m.DeviceView]:
    views = {view.device_no: view for view in one.status().devices}
    return [views[each.device_no] for each in scenarios]
