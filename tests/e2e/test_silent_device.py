"""A device that is plugged and does not answer, and another one where one was: what people are told of it."""

from __future__ import annotations

from taxagent.simulator.scenario import load
from taxagent.simulator.site import example
from taxclient.protocol import messages as m
from tests.builders.site import DEVICE, client, identified, site, until


def test_a_hanging_device_is_mute_and_not_unplugged_and_why_is_in_doubt() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            with shop.device_orders() as orders:
                orders.order({"do": "hang", "device": DEVICE})
            job = one.check(m.CheckArgs(device_no=DEVICE)).job
            until(lambda: one.job(job.job_id).state == "waiting", "the job waits")
            wait = one.job(job.job_id).wait
            assert wait is not None
            assert wait.code == "DEVICE_MUTE"
            assert "Errno" not in wait.message
            until(lambda: one.device(DEVICE).device.problem is not None, "the device is shown so")
            problem = one.device(DEVICE).device.problem
            assert problem is not None
            assert problem.code == "DEVICE_MUTE"
            assert one.device(DEVICE).device.location
            answers = one.diagnose(device_no=DEVICE).answers
            assert {answer.verdict for answer in answers} == {"unknown"}


def test_another_device_in_the_port_of_a_released_one_is_used() -> None:
    other = example("golden_disk")
    number = load(other).device_no
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            identified(one)
            one.release(DEVICE)
        agent.stop()
        assert shop.devices is not None
        shop.devices.stop()
        shop.start_devices([other])
        shop.write_config("")
        shop.start_agent()
        with client(shop) as one:
            until(lambda: [view.device_no for view in one.status().devices] == [number], "it is identified")
            assert one.device(number).released_by == ""
