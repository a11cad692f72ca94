"""kill -9 of the agent between a device's refusal of a password and its row: it is not tried a second time.

Only the real agent's own wiring of its latch is shown here: worlds in one process make theirs themselves.
"""

from __future__ import annotations

from taxagent.simulator.site import Orders
from tests.builders.site import DEVICE, client, identified, site, until


def test_a_good_password_that_was_changed_is_refused_once_and_never_tried_by_the_next_agent() -> None:
    with site() as shop, shop.device_orders() as orders:
        agent = shop.start_agent()
        with client(shop) as one:
            identified(one)
        tries = _tries_left(orders)
        orders.order({"do": "unplug", "device": DEVICE})
        orders.order({"do": "password", "device": DEVICE, "set": "changed-by-a-person"})
        orders.order({"do": "fault", "device": DEVICE, "command": "open", "point": "after", "act": "hold"})
        orders.order({"do": "plug", "device": DEVICE})
        orders.event("reached")
        agent.kill()
        orders.order({"do": "clear_faults"})
        refused_once = _tries_left(orders)
        assert refused_once == tries - 1
        shop.start_agent()
        with client(shop) as one:
            until(lambda: any(view.problem for view in one.status().devices), "the device has a problem")
            problem = one.status().devices[0].problem
            assert problem is not None
            assert problem.code == "PASSWORD_LATCHED"
        assert _tries_left(orders) == refused_once


def _tries_left(orders: Orders) -> int:
    shown = orders.order({"do": "show"})["devices"]
    assert isinstance(shown, list)
    return int(shown[0]["tries_left"])
