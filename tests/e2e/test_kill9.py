"""kill -9 of the agent at each step of `settle`: after a restart the month ends settled, each write once.

The device and the bureau hold a command still, the agent is killed exactly there, and started again.
"""

from __future__ import annotations

import pytest

from taxagent.simulator.site import Orders, Site
from tests.builders.site import DEVICE, PERIOD, TAXPAYER, client, ended, prepared, site, submitted, writes

DEVICE_POINTS = [
    ("hello", "after"),
    ("open", "after"),
    ("monitor", "before"),
    ("statistics", "after"),
    ("invoices", "before"),
    ("last_write", "after"),
    ("seal", "before"),
    ("seal", "after"),
    ("seal", "answer"),
    ("read_summary", "answer"),
    ("clock_ticket", "before"),
    ("clock_ticket", "after"),
    ("clock_ticket", "answer"),
    ("apply_ticket", "before"),
    ("apply_ticket", "after"),
    ("apply_ticket", "answer"),
]
BUREAU_POINTS = [
    ("status", "before"),
    ("report.get", "before"),
    ("report.put", "before"),
    ("report.put", "after"),
    ("declaration.get", "before"),
    ("ticket.get", "before"),
    ("ticket.put", "before"),
    ("ticket.put", "after"),
    ("confirm", "before"),
    ("confirm", "after"),
]
ONCE_PER_TYPE = sorted([(kind, True) for kind in ("seal", "clock_ticket", "apply_ticket")] * 2)
KEY = "kill-9-of-the-agent-1"


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize(("command", "point"), DEVICE_POINTS)
def test_killed_while_the_device_is_at_a_command(command: str, point: str, nth: int) -> None:
    with site() as shop, shop.device_orders() as orders:
        order = {"do": "fault", "device": DEVICE, "command": command, "point": point, "act": "hold"}
        _killed_and_settled(shop, orders, {**order, "nth": nth})


@pytest.mark.parametrize(("op", "point"), BUREAU_POINTS)
def test_killed_while_the_bureau_is_at_a_call(op: str, point: str) -> None:
    with site() as shop, shop.bureau_orders() as orders:
        _killed_and_settled(shop, orders, {"do": "fault", "op": op, "point": point, "act": "hold"})


def _killed_and_settled(shop: Site, orders: Orders, hold: dict[str, object]) -> None:
    shop.file_return(TAXPAYER, PERIOD)
    agent = shop.start_agent()
    with client(shop) as one:
        token = prepared(one)
        orders.order(hold)
        job = submitted(one, token, KEY).job_id
    orders.event("reached")
    agent.kill()
    orders.order({"do": "clear_faults"})
    shop.start_agent()
    with client(shop) as one:
        done = ended(one, job)
        assert (done.state, done.outcome) == ("done", "executed"), done.problem
        assert one.job_by_key(KEY).job_id == job
    assert sorted(writes(shop)) == ONCE_PER_TYPE
