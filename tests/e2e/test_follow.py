"""Who follows a job loses nothing: not when the agent is killed, not when the client is, not when both are.

And what a key, a voucher number and a second request for the same months are answered with, by a real agent.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from taxagent.simulator.site import Site
from taxclient import Client, KeyUnknown, RemoteError, SubmitArgs, new_key
from taxclient.protocol import messages as m
from tests.builders.site import (
    DEVICE,
    PERIOD,
    TAXPAYER,
    answers,
    client,
    ended,
    identified,
    prepared,
    site,
    submitted,
    until,
    waits,
    writes,
)

KEY = "followed-to-the-end-1"
FOLLOWER = """
import sys
from taxclient import Client, SubmitArgs
endpoint, key, device, token = sys.argv[1:]
request = SubmitArgs(kind="settle", device_no=device, token=token)
with Client(endpoint) as client:
    job = client.follow(key, request=request, seen=lambda job: print(job.state, flush=True))
print(job.job_id, job.state, job.outcome, flush=True)
"""


@contextmanager
def follower(shop: Site, token: str) -> Iterator[subprocess.Popen[str]]:
    """A client's own process, which submits under the key where the agent does not know it, and follows."""
    command = [sys.executable, "-c", FOLLOWER, shop.endpoint, KEY, DEVICE, token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def heard(child: subprocess.Popen[str], state: str) -> None:
    """Read what the follower was told until it names the state."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == state:
            return
    message = f"the follower ended without {state}"
    raise AssertionError(message)


def test_agent_and_client_are_killed_in_turn_and_the_month_is_settled_once() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
        with follower(shop, token) as first:
            heard(first, "waiting")
            first.kill()  # the client dies; its job goes on
        with follower(shop, token) as second:
            heard(second, "waiting")
            agent.kill()  # the agent dies under a parked job.wait
            agent = shop.start_agent()
            with client(shop) as one:
                waits(one, one.job_by_key(KEY).job_id, "declaration")
            second.kill()  # and both do
        agent.kill()
        shop.start_agent()
        with follower(shop, token) as third:
            heard(third, "waiting")
            shop.file_return(TAXPAYER, PERIOD)
            with client(shop) as one:
                job_id = one.job_by_key(KEY).job_id
            told, _ = third.communicate(timeout=60)
            assert told.splitlines()[-1] == f"{job_id} done executed"
        assert len([kind for kind, _ in writes(shop) if kind == "seal"]) == 2  # one a type
        assert len([kind for kind, _ in writes(shop) if kind == "apply_ticket"]) == 2


def test_taxctl_job_wait_outlives_a_killed_agent() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            job_id = submitted(one, prepared(one), KEY).job_id
            waits(one, job_id, "declaration")
            command = [
                sys.executable,
                "-m",
                "taxclient.cli.main",
                "--endpoint",
                shop.endpoint,
                "--lang",
                "en",
            ]
            with subprocess.Popen(
                [*command, "job", "wait", job_id], stdout=subprocess.PIPE, text=True
            ) as child:
                assert child.stdout is not None
                while "waits: " not in child.stdout.readline():
                    pass
                agent.kill()
                shop.start_agent()
                shop.file_return(TAXPAYER, PERIOD)
                until(lambda: answers(one), "the next start answers")
                identified(one)
                ended(one, job_id)
                told, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        assert "done: executed" in told


def test_a_second_request_for_the_same_months_is_told_the_live_job() -> None:
    with site() as shop:
        shop.start_agent()
        with client(shop) as one:
            tokens = [prepared(one), prepared(one)]
            live = submitted(one, tokens[0], KEY).job_id
            waits(one, live, "declaration")
            with pytest.raises(RemoteError) as caught:
                submitted(one, tokens[1], new_key())
            assert (caught.value.code, caught.value.outcome) == ("JOB_IN_PROGRESS", "not_executed")
            assert caught.value.detail["job_id"] == live
            assert one.jobs(m.JobListArgs(live=True)).jobs[0].job_id == live


def test_a_key_that_the_agent_never_got_is_unknown_and_may_then_be_sent() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            identified(one)
            with pytest.raises(KeyUnknown) as caught:
                one.job_by_key(KEY)
            assert caught.value.outcome == "unknown"  # before the request's time is over it may be on its way
            agent.kill()
            shop.start_agent()
            until(lambda: answers(one), "the next start answers")
            with pytest.raises(KeyUnknown):
                one.job_by_key(KEY)
            request = SubmitArgs(kind="backup", device_no=DEVICE)
            identified(one)
            done = one.follow(KEY, request=request)
            assert one.submit(request, key=KEY).known
            assert one.job_by_key(KEY).job_id == done.job_id
            with pytest.raises(KeyUnknown):
                Client(shop.endpoint).job_by_key(KEY[:-1] + "2")


def test_the_callers_voucher_number_is_stored_listed_and_printed() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            identified(one)
            request = SubmitArgs(kind="backup", device_no=DEVICE)
            job_id = ended(one, one.submit(request, key=KEY, ref="凭证-2026-7").job.job_id).job_id
            agent.kill()
            shop.start_agent()
            until(lambda: answers(one), "the next start answers")
            assert one.job(job_id).ref == "凭证-2026-7"
            assert [job.ref for job in one.jobs().jobs] == ["凭证-2026-7"]
            record = one.record(job_id)
            assert "凭证-2026-7" in record.json
            assert "凭证-2026-7" in record.page
