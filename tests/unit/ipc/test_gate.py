"""Time, rate and keys: what is refused as not executed, and what is answered all the same."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgpack
import msgspec
import pytest

from taxagent.ipc.access import Access, AccessTable, Peer
from taxagent.ipc.calls import request_sha256
from taxagent.ipc.errands import Errands
from taxagent.ipc.gate import Buckets, Rate
from taxagent.ipc.mailbox import Mailbox
from taxagent.jobs.asks import Principal, Role
from taxagent.model.errors import JournalUnknown, Refusal
from taxagent.model.faults import text
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


KEYED: dict[str, dict[str, object]] = {  # what makes no job, and has a key that memory knows
    "device.release": {"device_no": DEVICE},
    "device.hold": {"device_no": DEVICE},
    "device.retry": {"device_no": DEVICE},
    "drain": {"boot": "boot-1"},
}


def late(h: House, op: str, sent_at: int = 0) -> m.Reply:
    """The answer to a request that comes when its time is over, or sent when it is told."""
    message = {"id": "1", "op": op, "key": KEY, "sent_at": sent_at, "ttl_ms": 5000, "args": KEYED[op]}
    with peer(h.endpoint) as socket:
        socket.send_multipart([b"TCA1", msgpack.packb(message)])
        return reply_of(socket.recv_multipart())


def test_every_keyed_op_is_looked_at_here() -> None:
    clients = {
        "pair.open",
        "pair.redeem",
        "client.role",
        "client.revoke",
    }  # test_clients.py
    answers = {"job.answer"}  # test_job_answer.py
    assert set(KEYED) | clients | answers == {
        name for name, op in m.OPS.items() if op.keyed and not op.makes_job
    }


@pytest.mark.parametrize("op", KEYED)
def test_the_key_of_what_makes_no_job_is_answered_whenever_it_comes(tmp_path: Path, op: str) -> None:
    with house(tmp_path, jobs=[job()]) as h:
        h.desk.known = True
        assert late(h, op).status == "ok"


@pytest.mark.parametrize("op", KEYED)
@pytest.mark.parametrize("known, outcome", [(False, "not_executed"), (None, "unknown")])
def test_too_late_is_not_executed_only_where_the_key_is_certainly_not_known(
    tmp_path: Path, op: str, known: bool | None, outcome: str
) -> None:
    with house(tmp_path) as h:
        h.desk.known = known
        error = late(h, op).error
        assert error is not None
        assert (error.code, error.outcome) == ("EXPIRED", outcome)
        assert (h.desk.ordered, h.desk.answers, h.desk.drained) == ([], [], [])


@pytest.mark.parametrize("known, outcome", [(False, "not_executed"), (True, "ok"), (None, "unknown")])
def test_neither_a_lost_role_nor_haste_hides_what_was_done_under_a_key(
    tmp_path: Path, known: bool | None, outcome: str
) -> None:
    for number, rights in enumerate((None, Now(Principal(name="shop", role=Role.VIEWER)))):
        (folder := tmp_path / str(number)).mkdir()
        rate = None if rights else Rate(per_s=0.001, burst=0.5)
        with house(folder, access=rights, rate=rate) as h:
            h.desk.known = known
            reply = late(h, "device.release", sent_at=h.clock.now_ms)
            assert (reply.error.outcome if reply.error else reply.status) == outcome


@pytest.mark.parametrize(
    "op, outcome", [("check", "unknown"), ("drain", "unknown"), ("status", "not_executed")]
)
def test_who_has_no_role_any_more_is_not_told_that_its_key_did_nothing(
    tmp_path: Path, op: str, outcome: str
) -> None:
    args = {"check": {"device_no": DEVICE}, "drain": {"boot": "boot-1"}}.get(op, {})
    message = {"id": "1", "op": op, "key": KEY, "ttl_ms": 5000, "args": args}
    with house(tmp_path, access=Now(None)) as h, peer(h.endpoint) as socket:
        socket.send_multipart([b"TCA1", msgpack.packb({**message, "sent_at": h.clock.now_ms})])
        error = reply_of(socket.recv_multipart()).error
        assert error is not None
        assert (error.code, error.outcome) == ("NOT_ALLOWED", outcome)


class Now(Access):
    """What the peer may now, whoever it is."""

    def __init__(self, principal: Principal | None) -> None:
        super().__init__(AccessTable())
        self._principal = principal

    def resolve(self, peer: Peer) -> Principal | None:
        return self._principal


@pytest.mark.parametrize("fault", ["RATE_LIMITED", "EXPIRED", "CLOCK_SKEW"])
def test_words_that_may_come_with_an_unknown_outcome_do_not_say_that_nothing_was_done(fault: str) -> None:
    assert "没有执行" not in text(Refusal(fault).problem(), "zh").cause
    assert "carried out" not in text(Refusal(fault).problem(), "en").cause


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
