"""Time, rate and keys: what is refused as not executed, and what is answered all the same."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgpack
import msgspec
import pytest

from taxagent.ipc.access import Access, AccessTable
from taxagent.ipc.calls import request_sha256
from taxagent.ipc.errands import Errands
from taxagent.ipc.gate import Buckets, Rate
from taxagent.ipc.mailbox import Mailbox
from taxagent.jobs.asks import Role
from taxagent.model.errors import JournalUnknown
from taxclient.protocol import messages as m
from taxclient.protocol.errors import RemoteError
from taxclient.sync import Client
from tests.builders.ipc import DEVICE, KEY, FakeClock, House, house, job, peer, reply_of

ARGS = m.SubmitArgs(device_no=DEVICE, kind="settle")


class HandClock(FakeClock):
    """Time that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def submit(h: House, sent_at: int, ttl_ms: int = 5000) -> m.Reply:
    args = {"device_no": DEVICE, "kind": "settle"}
    message = {
        "id": "1",
        "op": "submit",
        "key": KEY,
        "sent_at": sent_at,
        "ttl_ms": ttl_ms,
        "args": args,
    }
    with peer(h.endpoint) as socket:
        socket.send_multipart([b"TCA1", msgpack.packb(message)])
        return reply_of(socket.recv_multipart())


@pytest.mark.parametrize(
    "sent_ago, ttl_ms, code",
    [
        (5000, 5000, None),
        (5001, 5000, "EXPIRED"),
        (3_600_000, 3_600_000, None),
        (-30_000, 1, None),
        (-30_001, 3_600_000, "CLOCK_SKEW"),
    ],
)
def test_a_request_is_served_in_its_time_alone(
    tmp_path: Path, sent_ago: int, ttl_ms: int, code: str | None
) -> None:
    with house(tmp_path) as h:
        error = submit(h, h.clock.now_ms - sent_ago, ttl_ms).error
        assert (error and error.code) == code
        assert error is None or error.outcome == "not_executed"
        assert len(h.desk.asked) == (code is None)


def test_a_known_key_is_answered_whenever_it_comes(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        h.desk.jobs = h.reader.kept = {job().job_id: job()}
        assert submit(h, 0).status == "accepted"


def test_a_late_repeat_of_a_key_that_is_being_committed_waits_for_its_job(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as first, peer(h.endpoint) as late:
        h.desk.hold = True
        args = {"device_no": DEVICE, "kind": "settle"}
        message = {"op": "submit", "key": KEY, "ttl_ms": 5000, "args": args}
        first.send_multipart([b"TCA1", msgpack.packb({**message, "id": "1", "sent_at": h.clock.now_ms})])
        with Client(h.endpoint) as client:
            while not h.desk.held:
                client.hello()
            late.send_multipart([b"TCA1", msgpack.packb({**message, "id": "2", "sent_at": 0})])
            get = {
                "id": "3",
                "op": "job.get",
                "sent_at": h.clock.now_ms,
                "ttl_ms": 5000,
                "args": {"key": KEY},
            }
            late.send_multipart([b"TCA1", msgpack.packb(get)])
            while len(h.desk.held) < 2:
                client.hello()
        for answer in h.desk.held:
            h.inside(answer)
        assert reply_of(first.recv_multipart()).status == "accepted"
        assert reply_of(late.recv_multipart()).status == "accepted"
        found = reply_of(late.recv_multipart())
        assert found.id == "3"
        assert found.error is None or found.error.code == "KEY_UNKNOWN"


def test_a_client_with_a_wrong_clock_corrects_itself(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        for hours in (-5, 7):
            h.clock.now_ms += hours * 3_600_000
            assert client.status().version == "0.1.0"
        assert not client.submit(ARGS, key=KEY).known


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with house(tmp_path, rate=Rate(per_s=0.001, burst=3)) as h, Client(h.endpoint) as client:
        for _ in range(3):
            client.hello()
        with pytest.raises(RemoteError) as caught:
            client.hello()
        assert (caught.value.code, caught.value.outcome) == ("RATE_LIMITED", "not_executed")
        assert caught.value.retry_after_ms
        with Client(h.endpoint) as other:
            assert other.hello().protocol == "TCA/1"


def test_a_bucket_fills_again() -> None:
    clock = HandClock()
    buckets = Buckets(Rate(per_s=10, burst=2), clock)
    assert [buckets.wait_ms(b"a") for _ in range(3)] == [0, 0, 100]
    clock.seconds = 0.05
    assert buckets.wait_ms(b"a") == 50
    clock.seconds = 0.1
    assert [buckets.wait_ms(b"a"), buckets.wait_ms(b"b")] == [0, 0]


def test_where_the_journal_cannot_say_the_outcome_is_unknown(tmp_path: Path) -> None:
    with house(tmp_path) as h:

        def broken(principal: str, key: str) -> None:
            raise JournalUnknown("JOURNAL_UNKNOWN")

        h.reader.job_by_key = broken  # type: ignore[method-assign]
        error = submit(h, 0).error
        assert error is not None
        assert (error.code, error.outcome) == ("JOURNAL_UNKNOWN", "unknown")


def test_the_identity_of_a_request_has_neither_token_nor_defaults() -> None:
    plain = request_sha256("submit", ARGS)
    assert plain == request_sha256("submit", msgspec.structs.replace(ARGS, token="t"))
    assert plain == request_sha256(
        "submit", msgspec.convert({"kind": "settle", "device_no": DEVICE, "late": False}, m.SubmitArgs)
    )
    assert plain != request_sha256("submit", msgspec.structs.replace(ARGS, late=True))
    assert plain != request_sha256("check", m.CheckArgs(device_no=DEVICE))


def test_errands_beyond_the_bound_are_refused_at_once() -> None:
    mailbox = Mailbox()
    errands = Errands("test", mailbox, bound=1)
    refused: list[object] = []
    try:
        errands.run(lambda: 1, refused.append)
        errands.run(lambda: 2, refused.append)
        assert [getattr(error, "fault", "") for error in refused] == ["RATE_LIMITED"]
        errands.start()
        answered = threading.Event()
        while True:
            errands.run(answered.set, lambda _: None)
            if answered.wait(0.01):
                break
    finally:
        errands.stop()
        mailbox.close()


class SlowNames:
    """A name service that answers when the test lets it, and may fail then."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = threading.Event()
        self.failure: OSError | None = None

    def name_of(self, uid: int) -> str:
        self.asked += 1
        assert self.go.wait(5)
        if self.failure is not None:
            raise self.failure
        return "shop"

    def groups_of(self, name: str, gid: int) -> tuple[str, ...]:
        return ()


def answered_by(names: SlowNames, folder: Path, calls: int) -> list[m.Reply]:
    """The answers to `calls` of one peer that is not known yet, all sent before its name is."""
    access = Access(AccessTable(users={"shop": Role.OPERATOR}), own_uid=os.geteuid() + 1, accounts=names)
    with house(folder, access=access) as h, peer(h.endpoint) as socket:
        for number in range(calls):
            call = {"id": str(number), "op": "status", "sent_at": h.clock.now_ms, "ttl_ms": 5000}
            socket.send_multipart([b"TCA1", msgpack.packb(call)])
        names.go.set()
        return [reply_of(socket.recv_multipart()) for _ in range(calls)]


def test_the_calls_of_one_peer_wait_for_one_look_at_its_name(tmp_path: Path) -> None:
    names = SlowNames()
    replies = answered_by(names, tmp_path, 80)
    assert {reply.status for reply in replies} == {"ok"}
    assert [reply.id for reply in replies] == [str(number) for number in range(80)]
    assert names.asked == 1


def test_a_name_service_that_fails_is_no_word_about_what_the_peer_may(tmp_path: Path) -> None:
    names = SlowNames()
    names.failure = OSError("the directory server is away")
    for error in (reply.error for reply in answered_by(names, tmp_path, 3)):
        assert error is not None
        assert (error.code, error.outcome, error.retry) == ("RATE_LIMITED", "not_executed", "after_ms")
        assert error.retry_after_ms == 1000
