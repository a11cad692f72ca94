"""drain of a real agent: the reply comes, the process ends with 0, the next start goes on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from taxclient.protocol.errors import RemoteError
from tests.builders.site import (
    DEVICE,
    PERIOD,
    TAXPAYER,
    answers,
    client,
    ended,
    prepared,
    site,
    submitted,
    until,
    waits,
    writes,
)

KEY = "drained-and-started-1"


def test_a_job_that_waits_outlives_the_drain() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            job_id = submitted(one, prepared(one), KEY).job_id
            waits(one, job_id, "declaration")
            boot = one.boot
            found = one.drain(boot)
            assert (found.running, found.left) == ((), 1)
            assert agent.child.wait(20) == 0  # without a signal
            shop.start_agent()
            until(lambda: answers(one), "the next start answers")
            with pytest.raises(RemoteError) as caught:
                one.drain(boot)  # the same request again stops no later start
            assert caught.value.code == "BOOT_OVER"
            shop.file_return(TAXPAYER, PERIOD)
            assert ended(one, job_id).outcome == "executed"


def test_a_seal_that_is_under_way_is_waited_for_and_no_later_step_begins() -> None:
    with site() as shop, shop.device_orders() as orders:
        shop.file_return(TAXPAYER, PERIOD)
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            hold: dict[str, object] = {
                "do": "fault",
                "device": DEVICE,
                "command": "seal",
                "point": "before",
                "act": "hold",
            }
            orders.order(hold)
            job_id = submitted(one, token, KEY).job_id
            orders.event("reached")
            command = [sys.executable, "-m", "taxclient.cli.main", "--endpoint", shop.endpoint, "--json"]
            ran = subprocess.run([*command, "drain"], capture_output=True, check=True, timeout=30)
            assert [job["job_id"] for job in json.loads(ran.stdout)["running"]] == [job_id]
            until(lambda: one.hello().draining, "hello says that it stops")
            with pytest.raises(RemoteError) as caught:
                submitted(one, token, "another-key-of-16-ch")
            assert caught.value.code == "DRAINING"
            orders.order({"do": "clear_faults"})
            assert agent.child.wait(20) == 0  # without a signal
            assert writes(shop) == [("seal", True)]
            shop.start_agent()
        with client(shop) as one:
            assert ended(one, job_id).outcome == "executed"
        assert len([kind for kind, _ in writes(shop) if kind == "seal"]) == 2  # one a type
