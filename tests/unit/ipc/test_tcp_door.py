"""The loop with a TCP door: one ROUTER for both ways in, opened and shut together."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
import zmq

from taxagent.ipc.channel import WELCOME
from taxagent.ipc.curve import new_pair
from taxagent.ipc.tcp import TcpDoor
from taxagent.model.errors import AgentError
from taxclient import AuthError, CheckArgs, Client, FrameError, NotAllowed
from taxclient.link import Link
from taxclient.protocol import keyfile, wire
from tests.builders.ipc import DEVICE, house
from tests.builders.journal import paired
from tests.builders.tcp import fresh_key, house_with_door, knocking
from tests.unit.ipc.test_clients import Rows


def test_both_ways_are_answered_by_one_loop_each_with_its_principal_and_channel(tmp_path: Path) -> None:
    with (
        house_with_door(tmp_path) as (h, key),
        Client(h.endpoint) as local,
        Client(key.endpoint, key=key) as far,
    ):
        assert local.hello().principal != far.hello().principal == "client:till-1"
        assert local.hello().events.startswith("ipc://")
        assert far.hello().events.startswith("tcp://")
        assert far.check(CheckArgs(device_no=DEVICE)).job.principal == "client:till-1"


def test_a_door_that_is_shut_for_a_crowd_opens_for_both_again(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, key):
        for _ in range(2):
            h.inside(h.loop.listening.put_out)  # what the crowd's watch calls
            h.inside(h.loop.listening.let_in)
            with Client(h.endpoint) as local, Client(key.endpoint, key=key) as far:
                assert local.hello().principal
                assert far.hello().principal == "client:till-1"
            with Client(h.endpoint) as local, local.events() as stream:
                assert stream.last == 0


def test_the_largest_request_and_no_larger_one_is_taken(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (_h, key), Client(key.endpoint, key=key) as far:
        with pytest.raises(FrameError):
            far.check(CheckArgs(device_no=DEVICE), ref="x" * 70_000)
        body = b"\x00" * wire.REQUEST_BYTES  # the greatest size: answered, not cut off
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        raw = context.socket(zmq.DEALER)
        raw.setsockopt(zmq.CURVE_SERVERKEY, key.server_key.encode())
        raw.setsockopt(zmq.CURVE_PUBLICKEY, key.public_key.encode())
        raw.setsockopt(zmq.CURVE_SECRETKEY, key.secret_key.encode())
        raw.connect(key.endpoint)
        raw.send_multipart([wire.MAGIC, body])
        assert raw.poll(5_000)
        context.destroy(linger=0)


def test_without_a_door_its_ops_say_so(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as one:
        for ask in (one.clients, one.open_pairing, lambda: one.revoke_client("till-1")):
            with pytest.raises(Exception, match="TCP_OFF"):
                ask()


def test_who_comes_by_ipc_cannot_redeem(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, _key), Client(h.endpoint) as one:
        one.open_pairing("till-2")
        with pytest.raises(Exception, match="PAIRING_OVER"):
            one.redeem(new_pair().public)
        assert one.clients().pairing == "till-2"


def test_a_name_that_is_paired_is_not_given_twice(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, _key), Client(h.endpoint) as one:
        for name in ("till-1", "admin"):
            with pytest.raises(Exception, match="CLIENT_EXISTS"):
                one.open_pairing(name)


def test_only_an_administrator_pairs_and_revokes(tmp_path: Path) -> None:
    with house_with_door(tmp_path, "technician") as (_h, key), Client(key.endpoint, key=key) as far:
        for ask in (far.open_pairing, far.clients, lambda: far.revoke_client("till-1")):
            with pytest.raises(NotAllowed):
                ask()


def test_the_same_key_is_answered_with_the_same_code(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, _key), Client(h.endpoint) as one:
        first = one.open_pairing("till-2", key="k" * 16)
        assert one.open_pairing("till-2", key="k" * 16) == first
        assert one.open_pairing("till-2", key="n" * 16).code != first.code


def test_an_address_that_another_has_is_told_as_the_configurations_fault(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, _key):
        taken = h.tcp.settings  # type: ignore[union-attr]
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        door = TcpDoor(taken, context, journal=Rows(), clock=h.clock, mailbox=h.mailbox)  # type: ignore[arg-type]
        router = context.socket(zmq.ROUTER)
        with pytest.raises(AgentError) as refused:
            door.bind(router)
        assert (refused.value.fault, refused.value.detail["key"]) == ("CONFIG_INVALID", "door.tcp")
        door.close(router, 0)
        context.destroy(linger=0)


def test_no_print_of_a_result_shows_a_code(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, _key), Client(h.endpoint) as one:
        opened = one.open_pairing("till-2")
        assert opened.code not in repr(opened)
        assert opened.code in msgspec.json.encode(opened).decode()


def test_a_revoked_client_hears_no_more_events_and_another_misses_none(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, key), Client(h.endpoint) as one:
        at = keyfile.Published(
            endpoint=key.endpoint,
            events=h.tcp.settings.events,  # type: ignore[union-attr]
            server_key=key.server_key,
        )
        other = fresh_key(at)
        h.inside(lambda: h.tcp.clients.take(paired("till-2", other.public_key)))  # type: ignore[union-attr]
        with (
            knocking(at.events, key, zmq.SUB) as revoked,
            knocking(at.events, other, zmq.SUB) as kept,
        ):
            for each in (revoked, kept):
                each.setsockopt(zmq.SUBSCRIBE, b"")
                while each.poll(20) == 0:
                    one.hello()  # has the channel look
                assert each.recv_multipart() == [WELCOME]
            one.revoke_client("till-1")
            while not (kept.poll(20) and kept.recv_multipart() == [WELCOME]):
                one.hello()  # it is welcomed again: what it missed meanwhile is in the journal
            while revoked.poll(0):
                heard = revoked.recv_multipart()
                assert heard == [WELCOME] or b"client.revoked" in heard[-1]  # told before it was put out
            one.open_pairing("till-3")
            kept.setsockopt(zmq.RCVTIMEO, 5_000)
            while b"pairing.opened" not in kept.recv_multipart()[-1]:
                pass  # the refusal of the other, which knocks again, is told as well
            assert not revoked.poll(300)


def test_a_refusal_that_came_before_the_first_request_is_not_forgotten(tmp_path: Path) -> None:
    with house_with_door(tmp_path) as (h, key):
        public, secret = (each.decode() for each in zmq.curve_keypair())
        stranger = msgspec.structs.replace(key, public_key=public, secret_key=secret)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        link = Link(context, key.endpoint, 2_000, stranger)
        while not h.tcp.journal.rows:  # type: ignore[union-attr]
            h.inside(lambda: None)  # until the door has said no
        assert link._monitor.poll(2_000)  # noqa: SLF001 - and the answer is here
        began = time.monotonic()
        with pytest.raises(AuthError):
            link.send([b"TCA1", b""])
        assert time.monotonic() - began < 1
        link.close()
        context.destroy(linger=0)
