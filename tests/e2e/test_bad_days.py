"""Bad days of a shop, over the real path: processes, sockets, USB/IP, HTTPS."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import zmq

from taxagent.simulator.site import Orders, Site
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import RemoteError
from tests.builders.site import (
    DEVICE,
    PERIOD,
    TAXPAYER,
    client,
    ended,
    identified,
    prepared,
    settle,
    site,
    submitted,
    until,
    waits,
    writes,
)

ONCE_PER_TYPE = sorted([(kind, True) for kind in ("seal", "clock_ticket", "apply_ticket")] * 2)


def fault(command: str, act: str, point: str = "before", **more: object) -> dict[str, object]:
    return {"do": "fault", "device": DEVICE, "command": command, "act": act, "point": point, **more}


def done(one: Client, job_id: str) -> None:
    job = ended(one, job_id)
    assert (job.state, job.outcome) == ("done", "executed"), job.problem


def run_agent(shop: Site) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "taxagent", "--lang", "en", "run", "--config", str(shop.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_a_second_agent_exits_75_and_names_the_first() -> None:
    with site() as shop:
        first = shop.start_agent()
        with client(shop) as one:
            second = run_agent(shop)
            assert second.returncode == 75
            assert str(first.child.pid) in second.stderr
            assert "Traceback" not in second.stderr
            assert one.hello().protocol == "TCA/1"  # the first is still there
            assert one.restarts == 0


def test_an_unwritable_state_directory_is_said_and_nothing_is_bound() -> None:
    with site() as shop:
        shop.state_dir.write_text("a file stands where the directory must be")
        ran = run_agent(shop)
        assert ran.returncode == 10
        assert str(shop.state_dir) in ran.stderr
        assert "STATE_DIR_UNWRITABLE" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_device_that_is_absent_at_start_is_used_when_it_comes() -> None:
    with site() as shop, shop.device_orders() as orders:
        orders.order({"do": "unplug", "device": DEVICE})
        shop.start_agent()
        with client(shop) as one:
            with pytest.raises(RemoteError) as refused:
                one.prepare(m.PrepareArgs(kind="settle", device_no=DEVICE))
            assert refused.value.code == "DEVICE_UNKNOWN"
            assert refused.value.outcome == "not_executed"
            orders.order({"do": "plug", "device": DEVICE})
            assert identified(one).device_no == DEVICE


def test_a_device_unplugged_while_idle_is_shown_as_gone_and_comes_back() -> None:
    with site() as shop, shop.device_orders() as orders:
        shop.start_agent()
        with client(shop) as one:
            at = identified(one).location
            orders.order({"do": "unplug", "device": DEVICE})
            until(lambda: one.status().devices[0].location == "", "the device is shown as gone")
            assert one.status().devices[0].stale
            orders.order({"do": "plug", "device": DEVICE})
            until(lambda: one.status().devices[0].location not in ("", at), "it is back, as a new arrival")
            until(lambda: not one.status().devices[0].stale, "it was read again")


@pytest.mark.parametrize("command", ["seal", "clock_ticket", "apply_ticket"])
@pytest.mark.parametrize("point", ["before", "after", "answer"])
def test_a_device_unplugged_in_mid_step_is_settled_by_reading_once_it_is_back(
    command: str, point: str
) -> None:
    with site() as shop, shop.device_orders() as orders:
        shop.file_return(TAXPAYER, PERIOD)
        shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            orders.order(fault(command, "unplug", point))
            job = submitted(one, token).job_id
            orders.event("reached")
            until(lambda: one.job(job).state in ("unknown", "waiting"), "the job stands still")
            orders.order({"do": "plug", "device": DEVICE})
            done(one, job)
        assert sorted(writes(shop)) == ONCE_PER_TYPE


@pytest.mark.parametrize("command", ["seal", "clock_ticket", "apply_ticket"])
def test_an_answer_lost_after_the_write_is_settled_by_reading(command: str) -> None:
    with site() as shop, shop.device_orders() as orders:
        shop.file_return(TAXPAYER, PERIOD)
        shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            orders.order(fault(command, "phase_error", "after"))
            done(one, submitted(one, token).job_id)
        assert sorted(writes(shop)) == ONCE_PER_TYPE


def test_a_wrong_password_is_tried_once_ever_until_it_is_changed() -> None:
    with site() as shop, shop.device_orders() as orders:
        secret = shop.folder / "secrets" / f"device-{DEVICE}"
        right = secret.read_text()
        secret.write_text("00000000")
        for _ in range(2):  # a restart changes nothing
            agent = shop.start_agent()
            with client(shop) as one:
                until(lambda: bool(one.status().devices), "the device was greeted")
                until(lambda: one.status().devices[0].problem is not None, "it could not be opened")
                orders.order({"do": "unplug", "device": DEVICE})
                until(lambda: one.status().devices[0].location == "", "it is gone")
                orders.order({"do": "plug", "device": DEVICE})
                until(lambda: one.status().devices[0].location != "", "it is back")
                problem = one.status().devices[0].problem
                assert problem is not None
                assert problem.code in ("PASSWORD_WRONG", "PASSWORD_LATCHED")
            agent.stop()
        assert tries_left(orders) == 4
        secret.write_text(right)
        shop.start_agent()
        with client(shop) as one:
            identified(one)
        assert tries_left(orders) == 5


def tries_left(orders: Orders) -> int:
    devices = orders.order({"do": "show"})["devices"]
    assert isinstance(devices, list)
    left: int = devices[0]["tries_left"]
    return left


def test_the_wrong_taxpayer_is_refused_before_anything_is_done() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            with pytest.raises(RemoteError) as refused:
                one.check(m.CheckArgs(device_no=DEVICE, taxpayer_id="91370102MA3CXK7T45"))
            assert (refused.value.code, refused.value.outcome) == ("TAXPAYER_WRONG", "not_executed")


def test_a_period_that_has_not_ended_is_refused() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one)
            with pytest.raises(RemoteError) as refused:
                one.prepare(m.PrepareArgs(kind="settle", device_no=DEVICE, periods=("2026-11",)))
            assert (refused.value.code, refused.value.outcome) == ("PERIOD_NOT_ENDED", "not_executed")
        assert writes(shop) == []


def test_a_settle_waits_for_the_return_and_goes_on_when_it_is_filed() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            job = waits(one, settle(one).job_id, "declaration")
            assert job.wait is not None
            assert job.wait.code == "NOT_DECLARED"
            assert sorted(writes(shop)) == [("seal", True)] * 2
            until(
                lambda: (
                    {each.state for row in identified(one).types for each in row.periods} == {"clear_due"}
                ),
                "status shows what the seal did while the job waits",
            )
            shop.file_return(TAXPAYER, PERIOD)
            done(one, job.job_id)
        assert sorted(writes(shop)) == ONCE_PER_TYPE


def test_a_bureau_that_is_down_is_waited_for() -> None:
    with site() as shop:
        shop.file_return(TAXPAYER, PERIOD)
        assert shop.bureau is not None
        address = shop.bureau.ready["url"].rpartition("//")[2]
        shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            shop.bureau.stop()
            job = submitted(one, token)
            waiting = waits(one, job.job_id, "bureau")
            assert waiting.wait is not None
            assert waiting.wait.until_ms is not None
            assert writes(shop) == []
            shop.start_bureau([TAXPAYER], listen=address)
            done(one, job.job_id)
        assert sorted(writes(shop)) == ONCE_PER_TYPE


@pytest.mark.parametrize("point", ["before", "answer"])
def test_sigterm_in_mid_job_ends_in_good_order_and_the_job_goes_on_later(point: str) -> None:
    with site() as shop, shop.device_orders() as orders:
        shop.file_return(TAXPAYER, PERIOD)
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            orders.order(fault("seal", "hold", point))
            job = submitted(one, token).job_id
            reached = orders.event("reached")
            agent.child.terminate()
            until(lambda: one.status().draining, "the agent drains")
            with pytest.raises(RemoteError) as refused:
                one.check(m.CheckArgs(device_no=DEVICE))
            assert (refused.value.code, refused.value.outcome) == ("DRAINING", "not_executed")
            orders.order({"do": "release", "fault": reached["fault"]})
            assert agent.stop() == 0
        shop.start_agent()
        with client(shop) as one:
            done(one, job)
        assert sorted(writes(shop)) == ONCE_PER_TYPE


def test_malformed_frames_get_an_answer_or_silence_and_hurt_nobody() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one, zmq.Context() as context:
            raw = context.socket(zmq.DEALER)
            raw.setsockopt(zmq.LINGER, 0)
            raw.connect(shop.endpoint)
            for frames in (
                [b""],
                [b"TCA1"],
                [b"TCA1", b"\xc1"],
                [b"TCA1", b"\x80"] * 40,
                [b"GET / HTTP/1.1"],
            ):
                raw.send_multipart(frames)
            assert raw.poll(5000)
            raw.close()
            assert one.hello().protocol == "TCA/1"


def test_a_restart_forgets_no_key_and_makes_no_second_job() -> None:
    with site() as shop:
        agent = shop.start_agent()
        args, key = m.SubmitArgs(kind="backup", device_no=DEVICE), "one-key-for-ever-0001"
        with client(shop) as one:
            identified(one)
            first = one.submit(args, key=key)
            done(one, first.job.job_id)
        agent.kill()
        shop.start_agent()
        with client(shop) as one:
            again = one.submit(args, key=key)
            assert (again.known, again.job.job_id) == (True, first.job.job_id)
            record = json.loads(one.record(first.job.job_id).json)
            assert record["outcome"] == "executed"
