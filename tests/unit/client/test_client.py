"""The blocking client: a time limit on everything, nothing sent twice, nothing said that is not known."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import msgspec
import pytest
import zmq

import taxclient
from taxclient import (
    AgentUnavailable,
    CheckArgs,
    Closed,
    ConnectionLost,
    FrameError,
    ProtocolError,
    SubmitArgs,
    Timeout,
)
from taxclient.conversation import Conversation, new_key
from taxclient.protocol import messages as m
from tests.builders.drivers import DRIVERS, Driver
from tests.builders.ipc import DEVICE, KEY, house, job

ARGS = SubmitArgs(device_no=DEVICE, kind="settle")
Answer = Callable[[dict[str, object]], list[bytes] | None]


def ok(request: dict[str, object], result: m.Message, boot: str = "b") -> list[bytes]:
    reply = m.Reply(
        id=str(request["id"]), status="ok", boot=boot, result=msgspec.Raw(msgspec.msgpack.encode(result))
    )
    return [b"TCA1", msgspec.msgpack.encode(reply)]


@contextmanager
def agent(folder: Path, answer: Answer) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A server that answers what it is told to, and a list of what it was asked."""
    endpoint, seen = f"ipc://{folder}/fake.sock", list[dict[str, object]]()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    router.bind(endpoint)
    stop = context.socket(zmq.PAIR)
    stop.bind("inproc://stop")
    tell = context.socket(zmq.PAIR)
    tell.connect("inproc://stop")

    def serve() -> None:
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(stop, zmq.POLLIN)
        while stop not in dict(poller.poll()):
            peer, _, data = router.recv_multipart()
            seen.append(msgpack.unpackb(data))
            frames = answer(seen[-1])
            if frames is not None:
                router.send_multipart([peer, *frames])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield endpoint, seen
    finally:
        tell.send(b"")
        thread.join()
        context.destroy(linger=0)


@pytest.fixture(params=DRIVERS, ids=["sync", "asyncio"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Each test that takes it holds for both drivers."""
    found: Driver = request.param
    return found


DEVICES = m.DevicesResult(devices=(), seen=())


def test_what_is_visible_is_what_is_public() -> None:
    visible = {
        name
        for name, value in vars(taxclient).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert visible | {"__version__"} == set(taxclient.__all__)
    assert all(vars(taxclient)[name].__doc__ for name in visible if name != "DEFAULT_ENDPOINT")


def test_without_an_agent_nothing_was_sent(tmp_path: Path, driver: Driver) -> None:
    with driver(f"ipc://{tmp_path}/none", connect_ms=30) as client:
        with pytest.raises(AgentUnavailable) as caught:
            client.submit(ARGS, key=KEY)
        assert caught.value.outcome == "not_executed"


def test_a_request_for_an_absent_agent_is_not_delivered_later(tmp_path: Path, driver: Driver) -> None:
    with driver(f"ipc://{tmp_path}/agent.sock", connect_ms=300) as client:
        with pytest.raises(AgentUnavailable):
            client.submit(ARGS, key=KEY)
        with house(tmp_path) as h:
            assert client.status().version == "0.1.0"
            assert h.desk.asked == []


def test_a_write_without_an_answer_is_unknown_and_names_its_key(tmp_path: Path, driver: Driver) -> None:
    with agent(tmp_path, lambda _: None) as (endpoint, seen), driver(endpoint, timeout_ms=300) as client:
        with pytest.raises(Timeout) as caught:
            client.submit(ARGS)
        assert (caught.value.outcome, caught.value.retry) == ("unknown", "same_key")
        assert [request["key"] for request in seen] == [caught.value.key]


def test_a_read_without_an_answer_is_not_executed(tmp_path: Path, driver: Driver) -> None:
    with agent(tmp_path, lambda _: None) as (endpoint, seen), driver(endpoint, timeout_ms=30) as client:
        with pytest.raises(Timeout) as caught:
            client.status()
        assert caught.value.outcome == "not_executed"
        assert len(seen) == 1


def test_an_agent_that_goes_away_is_noticed_at_once(tmp_path: Path, driver: Driver) -> None:
    with driver(f"ipc://{tmp_path}/agent.sock", timeout_ms=50_000) as client:
        with house(tmp_path) as h:
            h.desk.jobs[job().job_id] = job()
            h.desk.accept = lambda *_: h.loop.stop()  # type: ignore[method-assign]
            with pytest.raises(ConnectionLost) as caught:
                client.submit(ARGS, key=KEY)
        assert (caught.value.outcome, caught.value.key) == ("unknown", KEY)
        assert caught.value.waited_ms < 10_000


def test_a_late_answer_is_nobodys(tmp_path: Path, driver: Driver) -> None:
    held: list[dict[str, object]] = []

    def answer(request: dict[str, object]) -> list[bytes] | None:
        held.append(request)
        if len(held) == 2:  # the answer to the first comes in place of the second's, which follows
            return None
        return ok(request, DEVICES) if len(held) > 2 else None

    with agent(tmp_path, answer) as (endpoint, _), driver(endpoint, timeout_ms=30) as client:
        for _ in range(2):
            with pytest.raises(Timeout):
                client.devices()
        assert client.devices() == DEVICES


def test_an_answer_to_another_call_is_passed_over() -> None:
    conversation = Conversation()
    first = conversation.begin("device.list", m.NoArgs(), now_ms=1, ttl_ms=1)
    second = conversation.begin("device.list", m.NoArgs(), now_ms=1, ttl_ms=1)
    assert conversation.match(second, ok({"id": first.id}, DEVICES)) is None
    assert conversation.match(second, ok({"id": second.id}, DEVICES)) == DEVICES


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"TCA1", b"\xc1"],
        [b"TCA2", b"\x80"],
        [b"TCA1", b"\x80"],
        [b"TCA1", msgpack.packb({"id": "", "status": "ok", "boot": "b"})],
        [b"TCA1", msgpack.packb({"id": "", "status": "ok", "boot": "b", "result": {"devices": 5}})],
    ],
)
@pytest.mark.parametrize("op, outcome", [("submit", "unknown"), ("device.list", "not_executed")])
def test_a_garbled_answer_to_a_write_leaves_it_unknown(frames: list[bytes], op: str, outcome: str) -> None:
    conversation = Conversation()
    args, key = (ARGS, KEY) if op == "submit" else (m.NoArgs(), "")
    call = conversation.begin(op, args, now_ms=1, ttl_ms=1, key=key)
    with pytest.raises(ProtocolError) as caught:
        conversation.match(call, frames)
    assert caught.value.outcome == outcome


def test_what_the_agent_would_refuse_is_not_sent() -> None:
    conversation = Conversation()
    for op, args, key in (
        ("submit", ARGS, ""),
        ("submit", ARGS, "short"),
        ("submit", SubmitArgs(device_no="12", kind="settle"), KEY),
        ("submit", m.NoArgs(), KEY),
        ("drain", m.NoArgs(), ""),
    ):
        with pytest.raises(ProtocolError):
            conversation.begin(op, args, now_ms=1, ttl_ms=1, key=key)
    with pytest.raises(FrameError, match="bytes") as caught:
        conversation.begin(
            "check", CheckArgs(device_no=DEVICE, types=("007",) * 20_000), now_ms=1, ttl_ms=1, key=KEY
        )
    assert caught.value.code == "TOO_LARGE"


def test_the_key_is_offered_for_storing_before_anything_is_sent(tmp_path: Path, driver: Driver) -> None:
    def full(key: str, sent_at: int, ttl_ms: int) -> None:
        raise OSError(28, "no space")

    with house(tmp_path) as h, driver(h.endpoint) as client:
        with pytest.raises(OSError, match="no space"):
            client.submit(ARGS, keep=full)
        assert h.desk.asked == []
        kept: list[str] = []
        answer = client.submit(ARGS, keep=lambda key, *_: kept.append(key))
        assert kept == [answer.job.key]


def test_keys_are_fresh_and_of_the_form() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    msgspec.convert(new_key(), m.Key)


def test_a_restarted_agent_is_noticed(tmp_path: Path, driver: Driver) -> None:
    boots = iter(["b1", "b1", "b2"])
    with (
        agent(tmp_path, lambda request: ok(request, DEVICES, next(boots))) as (endpoint, _),
        driver(endpoint) as client,
    ):
        assert client.boot == ""
        seen = [(client.devices(), client.boot, client.restarts)[1:] for _ in range(3)]
        assert seen == [("b1", 0), ("b1", 0), ("b2", 1)]


def test_a_closed_client_says_so(tmp_path: Path, driver: Driver) -> None:
    with driver(f"ipc://{tmp_path}/none") as client:
        client.close()
        client.close()
        with pytest.raises(Closed):
            client.status()


def test_an_agent_that_comes_back_is_found_again(tmp_path: Path, driver: Driver) -> None:
    with driver(f"ipc://{tmp_path}/agent.sock") as client:
        for _ in range(2):
            with house(tmp_path) as h:
                h.desk.jobs[job().job_id] = job()
                assert client.job(job().job_id).job_id == job().job_id


def test_a_forgotten_client_does_not_hang_the_interpreter() -> None:
    script = (
        "from taxclient import Client\nc = Client('ipc:///nowhere', connect_ms=1)\n"
        "try: c.status()\nexcept Exception: pass\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20)
