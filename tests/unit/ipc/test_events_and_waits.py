"""What is told without being asked: parked waits, and the event channel."""

from __future__ import annotations

from pathlib import Path

import msgpack
import msgspec
import zmq

from taxagent.ipc.waits import PARKED_EACH
from taxagent.model.device import PasswordVerdict, TriedPassword
from taxagent.model.events import AnyEvent, JobAccepted, JobRunning, PasswordTried, StepBegun
from taxagent.model.job import Job, JobState, Step, StepId
from taxclient.protocol import messages as m
from taxclient.sync import Client
from tests.builders.ipc import DEVICE, KEY, House, house, job, peer, reply_of


def running(h: House, found: Job) -> None:
    """The job begins to run: the desk has it in memory, the loop hears of the row."""
    h.desk.jobs[found.job_id] = msgspec.structs.replace(found, state=JobState.RUNNING)
    h.loop.publish([(1, JobRunning(at_ms=5, job_id=found.job_id, boot="boot-1"))])


def rows(count: int) -> list[tuple[int, AnyEvent]]:
    return [(seq, JobRunning(at_ms=seq, job_id=job().job_id, boot="boot-1")) for seq in range(1, count + 1)]


def parked(h: House, socket: zmq.Socket[bytes], request_id: str, **args: object) -> None:
    """Send a job.wait, and be sure that the loop has taken it."""
    plain = {"job_id": job().job_id, **args}
    message = {"id": request_id, "op": "job.wait", "sent_at": h.clock.now_ms, "ttl_ms": 5000, "args": plain}
    hello = {"id": "h", "op": "hello", "sent_at": 0, "ttl_ms": 5000}
    for each in (message, hello):
        socket.send_multipart([b"TCA1", msgpack.packb(each)])
    assert reply_of(socket.recv_multipart()).id == "h"


def test_a_parked_wait_is_answered_when_the_job_moves(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket, Client(h.endpoint) as client:
        h.desk.jobs[job().job_id] = job()
        client.hello()
        parked(h, socket, "change")
        parked(h, socket, "end", until="end")
        h.inside(lambda: running(h, job()))
        assert reply_of(socket.recv_multipart()).id == "change"
        h.desk.jobs[job().job_id] = msgspec.structs.replace(job(), state=JobState.DONE)
        h.inside(lambda: h.loop.publish(rows(1)))
        assert reply_of(socket.recv_multipart()).id == "end"


def test_one_connection_cannot_take_the_waits_of_all(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as greedy, Client(h.endpoint) as client:
        h.desk.jobs[job().job_id] = job()
        for number in range(PARKED_EACH):
            parked(h, greedy, str(number), timeout_ms=60_000)
        message = {"id": "x", "op": "job.wait", "sent_at": h.clock.now_ms, "ttl_ms": 5000}
        greedy.send_multipart([b"TCA1", msgpack.packb({**message, "args": {"job_id": job().job_id}})])
        refused = reply_of(greedy.recv_multipart())
        assert refused.error is not None
        assert (refused.error.code, refused.error.retry_after_ms) == ("RATE_LIMITED", 1000)
        assert client.wait(job().job_id, timeout_ms=10).timed_out
        h.inside(lambda: running(h, job()))
        assert {reply_of(greedy.recv_multipart()).status for _ in range(PARKED_EACH)} == {"ok"}
        parked(h, greedy, "again", timeout_ms=60_000)


def test_a_change_between_two_waits_is_not_missed(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.desk.jobs[job().job_id] = job()
        seen = client.job(job().job_id)
        h.inside(lambda: running(h, job()))
        answer = client.wait(seen.job_id, rev=seen.rev, timeout_ms=60_000)
        assert (answer.timed_out, answer.job.state) == (False, "running")


def test_a_wait_whose_time_is_over_says_so(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.desk.jobs[job().job_id] = job()
        assert client.wait(job().job_id, timeout_ms=10).timed_out
        assert client.wait(job().job_id, timeout_ms=0).timed_out


def test_a_job_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.desk.jobs[job().job_id] = msgspec.structs.replace(job(), state=JobState.DONE)
        for until in ("change", "end"):
            assert not client.wait(job().job_id, until=until, timeout_ms=60_000).timed_out


def test_a_client_that_left_while_it_waited_is_no_trouble(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.desk.jobs[job().job_id] = job()
        with peer(h.endpoint) as socket:
            parked(h, socket, "gone")
        h.inside(lambda: running(h, job()))
        assert client.job(job().job_id).state == "running"


def test_events_come_in_order_and_from_where_one_asks(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.reader.rows = rows(3)
        h.inside(lambda: h.loop.publish(h.reader.rows))
        with client.events(since=1) as stream:
            assert [event.seq for event in (stream.next(1000), stream.next(1000)) if event] == [2, 3]
            assert stream.next(0) is None
            h.reader.rows = rows(4)
            h.inside(lambda: h.loop.publish(h.reader.rows[3:]))
            event = stream.next(5000)
            assert event is not None
            assert (event.seq, event.topic, event.boot) == (4, f"job.{job().job_id}", "boot-1")


def test_a_gap_in_the_channel_is_filled_from_the_journal(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client, client.events() as stream:
        h.reader.rows = rows(5)
        h.inside(lambda: h.loop.publish(h.reader.rows[4:]))
        assert [event.seq for _ in range(5) if (event := stream.next(5000))] == [1, 2, 3, 4, 5]


def test_a_devices_new_snapshot_is_told_though_it_is_no_row(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client, client.events() as stream:
        h.inside(lambda: h.loop.device_changed(DEVICE))
        event = stream.next(5000)
        assert event is not None
        assert (event.topic, event.type) == (f"device.{DEVICE}", "device.changed")


def test_the_channel_gives_ids_and_states_and_no_more(tmp_path: Path) -> None:
    secret = JobAccepted(
        at_ms=1,
        job_id=job().job_id,
        kind=job().kind,
        scope=job().scope,
        claims=(),
        principal="shopkeeper",
        key=KEY,
        request_sha256="ab",
        ref="voucher-7",
    )
    refused = TriedPassword(salt="aa", salted_sha256="bb", tries_left=2, verdict=PasswordVerdict.REFUSED)
    latched = PasswordTried(at_ms=2, device_no=DEVICE, tried=refused)
    begun = StepBegun(at_ms=3, job_id=job().job_id, id=StepId(step=Step.SEAL, group="007", period="2026-10"))
    with house(tmp_path) as h, Client(h.endpoint) as client, client.events() as stream:
        h.inside(lambda: h.loop.publish([(1, secret), (2, latched), (3, begun)]))
        told = [event for _ in range(3) if (event := stream.next(5000))]
        assert [(event.type, event.device_no, event.step) for event in told] == [
            ("job.accepted", DEVICE, ""),
            ("password.tried", DEVICE, ""),
            ("step.begun", "", "seal"),
        ]
        text = str([msgspec.to_builtins(event) for event in told])
        assert not any(word in text for word in ("shopkeeper", KEY, "voucher-7", "bb", "aa'"))


def test_hostile_subscriptions_do_not_hold_the_loop(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client, peer(h.endpoint + ".events", zmq.SUB) as socket:
        for number in range(3000):
            socket.setsockopt(zmq.SUBSCRIBE, f"job.{number}".encode())
        assert all(client.hello().seq == 0 for _ in range(100))


def test_events_since_pages_through_the_journal(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.reader.rows = rows(5)
        page: m.EventsResult = client.events_since(1, limit=2)
        assert ([event.seq for event in page.events], page.next, page.last) == ([2, 3], 3, 5)
        assert client.events_since(5).events == ()
