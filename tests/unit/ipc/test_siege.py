"""What one hostile process may cost the others: frames, subscriptions, requests that wait for the journal."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest
import zmq

from taxagent.ipc.channel import WELCOME, Channel
from taxclient.protocol import messages as m
from taxclient.sync import Client
from tests.builders.ipc import DEVICE, House, house, peer, reply_of


def check(h: House, number: int) -> list[bytes]:
    message = {"id": f"r{number}", "op": "check", "key": f"key-of-request-{number:06d}", "ttl_ms": 5000}
    return [b"TCA1", msgpack.packb({**message, "sent_at": h.clock.now_ms, "args": {"device_no": DEVICE}})]


def test_a_message_of_ten_thousand_frames_is_refused_and_the_next_is_served(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket, Client(h.endpoint) as client:
        socket.send_multipart([b"TCA1", *[b"x"] * 10_000])
        refused = reply_of(socket.recv_multipart())
        assert refused.error is not None
        assert refused.error.code == "BAD_REQUEST"
        assert client.hello().protocol == "TCA/1"


def test_a_process_has_so_many_requests_at_the_desk_and_learns_that_more_are_unknown(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        h.desk.hold = True
        for number in range(65):
            socket.send_multipart(check(h, number))
        limited = reply_of(socket.recv_multipart())
        assert limited.error is not None
        assert (limited.id, limited.error.code, limited.error.outcome) == ("r64", "RATE_LIMITED", "unknown")
        assert limited.error.retry_after_ms == 1000

        def answer_all() -> None:
            for answer in h.desk.held:
                answer()

        h.inside(answer_all)
        assert {reply_of(socket.recv_multipart()).status for _ in range(64)} == {"accepted"}
        h.desk.hold = False
        socket.send_multipart(check(h, 64))
        assert reply_of(socket.recv_multipart()).status == "accepted", "there is room again"


def test_an_order_beyond_the_bound_is_unknown_since_its_key_may_have_made_it_before(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        h.desk.hold = True
        for number in range(64):
            socket.send_multipart(check(h, number))
        order = {"id": "order", "op": "device.release", "key": "key-of-the-order-1", "ttl_ms": 5000}
        args = {"device_no": DEVICE}
        socket.send_multipart([b"TCA1", msgpack.packb({**order, "sent_at": h.clock.now_ms, "args": args})])
        limited = reply_of(socket.recv_multipart())
        assert limited.error is not None
        assert (limited.id, limited.error.code, limited.error.outcome) == ("order", "RATE_LIMITED", "unknown")


def invoice(h: House, number: int, device_no: str = DEVICE) -> list[bytes]:
    args = {"device_no": device_no, "code": "011001900111", "number": f"{number:08d}"}
    message = {"id": f"r{number}", "op": "device.invoices", "ttl_ms": 5000, "sent_at": h.clock.now_ms}
    return [b"TCA1", msgpack.packb({**message, "args": args})]


def test_a_process_has_so_many_readings_at_a_device_and_others_at_another(tmp_path: Path) -> None:
    with house(tmp_path) as h, peer(h.endpoint) as socket:
        h.desk.hold = True
        for number in range(17):
            socket.send_multipart(invoice(h, number))
        limited = reply_of(socket.recv_multipart())
        assert limited.error is not None
        assert (limited.id, limited.error.code, limited.error.outcome) == (
            "r16",
            "RATE_LIMITED",
            "not_executed",
        )
        assert limited.error.retry_after_ms == 1000
        h.desk.hold = False
        socket.send_multipart(invoice(h, 99, "661999999999"))
        elsewhere = reply_of(socket.recv_multipart())
        assert elsewhere.error is not None
        assert elsewhere.error.code == "INVOICE_UNKNOWN"

        def answer_all() -> None:
            for answer in h.desk.held:
                answer()

        h.inside(answer_all)
        answered = [reply_of(socket.recv_multipart()).error for _ in range(16)]
        assert {error.code for error in answered if error is not None} == {"INVOICE_UNKNOWN"}
        socket.send_multipart(invoice(h, 100))
        there = reply_of(socket.recv_multipart())
        assert there.error is not None
        assert there.error.code == "INVOICE_UNKNOWN", "there is room again"


def test_a_flood_of_subscriptions_shuts_the_channel_and_it_can_be_opened_again(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    channel = Channel(context)
    channel.bind(f"ipc://{tmp_path}/events")
    flood = context.socket(zmq.SUB)
    flood.setsockopt(zmq.SNDHWM, 0)  # else libzmq itself drops what goes beyond a thousand
    flood.connect(f"ipc://{tmp_path}/events")
    try:
        for _ in range(6000):
            flood.setsockopt(zmq.SUBSCRIBE, secrets.token_bytes(20))
        soon(lambda: not touched(channel), "too many are noticed")
        channel.shut()
        assert channel.flooders == (os.getpid(),), "who it was is known"
        channel.say(event())  # to nobody, and nothing breaks
        assert channel.drain()
        flood.close(linger=0)
        channel.reopen()
        guest = context.socket(zmq.SUB)
        guest.setsockopt(zmq.SUBSCRIBE, b"")
        guest.connect(f"ipc://{tmp_path}/events")
        soon(lambda: touched(channel) and bool(guest.poll(1)), "who comes is welcomed")
        assert guest.recv() == WELCOME
        assert not channel.flooders
    finally:
        channel.close()
        context.destroy(linger=0)


def test_a_channel_whose_address_is_taken_stays_shut_and_can_be_tried_again(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    channel, place = Channel(context), tmp_path / "events"
    channel.bind(f"ipc://{place}")
    try:
        channel.shut()
        place.unlink()
        place.mkdir()
        for _ in range(2):
            with pytest.raises(zmq.ZMQError):
                channel.reopen()
            assert not channel.is_open
            channel.say(event())
            assert channel.drain()
        place.rmdir()
        channel.reopen()
        guest = context.socket(zmq.SUB)
        guest.setsockopt(zmq.SUBSCRIBE, b"")
        guest.connect(f"ipc://{place}")
        soon(lambda: touched(channel) and bool(guest.poll(1)), "who comes is welcomed")
    finally:
        channel.close()
        context.destroy(linger=0)


def soon(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, what


def touched(channel: Channel) -> bool:
    channel.touch()
    return channel.drain()


def event() -> m.EventView:
    return m.EventView(seq=1, boot="boot-1", topic="agent", type="agent.started", at=1)


def test_a_topic_longer_than_any_of_ours_ends_its_connection(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    channel = Channel(context)
    channel.bind(f"ipc://{tmp_path}/events")
    rude = context.socket(zmq.SUB)
    gone = rude.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    rude.connect(f"ipc://{tmp_path}/events")
    rude.setsockopt(zmq.SUBSCRIBE, bytes(200))
    try:
        soon(lambda: touched(channel) and bool(gone.poll(1)), "its connection ends")
    finally:
        rude.disable_monitor()
        gone.close(linger=0)
        channel.close()
        context.destroy(linger=0)
