"""Other threads and signal handlers reach the loop, and nobody else does."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
import zmq

from taxclient.sync import Client
from tests.builders.ipc import House, house, peer


def test_posts_of_many_threads_arrive_in_each_threads_order(tmp_path: Path) -> None:
    got: list[tuple[int, int]] = []

    def post(number: int) -> None:
        for count in range(500):
            h.mailbox.post(lambda count=count: got.append((number, count)))  # type: ignore[misc]

    with house(tmp_path) as h:
        threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        h.inside(lambda: None)
        assert len(got) == 4000
        for number in range(8):
            assert [count for who, count in got if who == number] == list(range(500))


@pytest.mark.parametrize("attempt", range(10))
def test_a_signal_ends_a_blocking_receive_at_whatever_moment_it_comes(tmp_path: Path, attempt: int) -> None:
    h = House(tmp_path)
    h.loop.bind()
    handled: list[int] = []

    def stop(number: int) -> None:
        handled.append(number)
        h.loop.stop()

    def kill_when_served() -> None:
        with Client(h.endpoint) as client:
            client.hello()
        os.kill(os.getpid(), signal.SIGUSR1)

    previous = signal.signal(signal.SIGUSR1, lambda number, _: h.mailbox.post(lambda: stop(number)))
    killer = threading.Thread(target=kill_when_served)
    try:
        killer.start()
        h.loop.run()  # in the main thread, as the daemon does
    finally:
        signal.signal(signal.SIGUSR1, previous)
        killer.join()
        h.mailbox.close()
    assert handled == [signal.SIGUSR1]


def test_an_item_that_fails_ends_nothing(tmp_path: Path) -> None:
    def failing() -> None:
        raise ZeroDivisionError

    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.mailbox.post(failing)
        assert client.hello().protocol == "TCA/1"


def test_a_foreign_peer_cannot_pass_for_the_mailbox(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        socket.setsockopt(zmq.ROUTING_ID, b"\x00" * 16)
        assert not h.mailbox.owns(b"\x00" * 16)
        socket.send(b"")
        assert socket.recv_multipart()[0] == b""  # answered as a request that is out of form


def test_a_post_after_the_end_goes_nowhere(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        pass
    called: list[bool] = []
    h.mailbox.post(lambda: called.append(True))
    with pytest.raises(zmq.ZMQError):
        h.mailbox.context.socket(zmq.DEALER)
    assert called == []


def test_timers_call_in_their_order_and_can_be_cancelled(tmp_path: Path) -> None:
    called: list[str] = []
    done = threading.Event()

    def start() -> None:
        h.loop.call_later(30, done.set)
        h.loop.call_later(20, lambda: called.append("second"))
        h.loop.call_later(10, lambda: called.append("first"))
        h.loop.call_later(15, lambda: called.append("never")).cancel()

    with house(tmp_path) as h:
        h.inside(start)
        assert done.wait(5)
        assert called == ["first", "second"]
