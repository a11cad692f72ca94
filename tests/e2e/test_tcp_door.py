"""The TCP door of a real agent: who is let in, by what, until when, and what everybody else gets: nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
import zmq

from taxagent.journal import JOURNAL_NAME, Reader
from taxagent.model.events import ClientRefused
from taxagent.simulator.site import Site
from taxclient import AuthError, Client, NotAllowed, RemoteError, connect
from taxclient.aio import AsyncClient
from taxclient.pairing import pair
from taxclient.protocol import codes, wire
from taxclient.protocol import messages as m
from taxclient.protocol.keyfile import Published
from tests.builders.site import DEVICE, client, ended, identified, prepared, settle, site, until, waits
from tests.builders.tcp import door_config, fresh_key, key_at, knocking, published

AT_ONCE_S = 1.5  # far below any time-out of a client (2 s to connect, 10 s for an answer)


@contextmanager
def shop_with_door() -> Iterator[tuple[Site, Client, Published]]:
    with site(config=door_config()) as shop:
        shop.start_agent()
        with client(shop) as admin:
            identified(admin)
            yield shop, admin, published(shop)


def paired(shop: Site, admin: Client, at: Published, name: str = "till-1", role: str = "operator") -> Path:
    code = admin.open_pairing(name, role).code
    path = shop.folder / f"{name}.json"
    pair(code, endpoint=at.endpoint, server_key=at.server_key, key_file=path)
    return path


def rows(shop: Site, admin: Client) -> list[str]:
    return [event.type for event in admin.events_since(0, 500).events]


def refusals(shop: Site) -> list[str]:
    """The reason of each refusal, as the journal has them."""
    with closing(Reader(shop.state_dir / JOURNAL_NAME)) as reader:
        return [row.reason for row in reader.clients() if isinstance(row, ClientRefused)]


def silent(endpoint: str, key: object) -> bool:
    """Whether a raw request gets no answer at all."""
    body = m.Request(id="1", op="status", sent_at=time.time_ns() // 1_000_000, ttl_ms=60_000)
    with knocking(endpoint, key) as socket:  # type: ignore[arg-type]
        socket.send_multipart(wire.joined(msgspec.msgpack.encode(body)))
        return not socket.poll(700, zmq.POLLIN)


def test_a_paired_client_asks_submits_and_hears_events_until_its_key_is_revoked() -> None:
    with shop_with_door() as (shop, admin, at):
        path = paired(shop, admin, at)
        assert path.stat().st_mode & 0o777 == 0o600
        with connect(at.endpoint, key_file=path, lang="en") as till:
            hello = till.hello()
            assert (hello.principal, hello.role, hello.events) == ("client:till-1", "operator", at.events)
            with till.events() as stream:
                job = settle(till)
                assert stream.next(5_000) is not None
            assert waits(till, job.job_id, "declaration").principal == "client:till-1"
            assert admin.revoke_client("till-1").client.revoked_ms
            with pytest.raises(NotAllowed):
                till.status()  # on the live connection, at the next request
            began = time.monotonic()
            with connect(at.endpoint, key_file=path) as again, pytest.raises(AuthError) as refused:
                again.status()
            assert refused.value.reason == "refused"
            assert time.monotonic() - began < AT_ONCE_S
        until(lambda: "client.refused" in rows(shop, admin), "the refusal is a row")
        wanted = ["pairing.opened", "client.paired", "pairing.closed", "client.revoked", "client.refused"]
        told = [kind for kind in rows(shop, admin) if kind in wanted]
        assert told[: len(wanted)] == wanted


def test_another_role_counts_from_the_next_request_on() -> None:
    with shop_with_door() as (shop, admin, at):
        path = paired(shop, admin, at)
        with Client(at.endpoint, key_file=path) as till:
            token = prepared(till)
            admin.set_client_role("till-1", "viewer")
            with pytest.raises(NotAllowed):
                till.submit(m.SubmitArgs(kind="settle", device_no=DEVICE, token=token))
            assert till.hello().role == "viewer"
            with pytest.raises(NotAllowed):
                till.clients()


def test_an_unknown_key_and_a_plain_client_get_nothing_and_are_journaled_once() -> None:
    with shop_with_door() as (shop, admin, at):
        stranger = fresh_key(at)
        assert silent(at.endpoint, stranger)
        assert silent(at.endpoint, stranger)
        assert silent(at.endpoint, None)
        with knocking(at.events, stranger, zmq.SUB) as socket:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
            admin.open_pairing("next")  # an event
            assert not socket.poll(700)
        with knocking(at.endpoint, None):  # it comes again and again; either end may be the first to give up
            until(lambda: len(refusals(shop)) >= 2, "they are rows")
        assert refusals(shop).count("unknown") == 1
        assert len(refusals(shop)) == len(set(refusals(shop)))


def test_another_server_key_is_an_auth_error_at_once() -> None:
    with shop_with_door() as (shop, _admin, at):
        wrong = fresh_key(at, server_key=fresh_key(at).public_key)
        began = time.monotonic()
        with (
            Client(at.endpoint, key_file=key_at(shop.folder, wrong)) as one,
            pytest.raises(AuthError) as refused,
        ):
            one.status()
        assert (refused.value.reason, refused.value.outcome) == ("handshake", "not_executed")
        assert time.monotonic() - began < AT_ONCE_S


def test_both_drivers_are_refused_at_once() -> None:
    async def asked(path: Path, endpoint: str) -> str:
        async with AsyncClient(endpoint, key_file=path) as one:
            with pytest.raises(AuthError) as refused:
                await one.status()
            return refused.value.reason

    with shop_with_door() as (shop, _admin, at):
        path = key_at(shop.folder, fresh_key(at))
        began = time.monotonic()
        assert asyncio.run(asked(path, at.endpoint)) == "refused"
        assert time.monotonic() - began < AT_ONCE_S


def test_asyncio_asks_and_hears_by_tcp() -> None:
    async def asked(path: Path, endpoint: str) -> str:
        async with AsyncClient(endpoint, key_file=path) as one, await one.events() as stream:
            (await one.check(m.CheckArgs(device_no=DEVICE))).job  # noqa: B018
            event = await stream.next(5_000)
            return event.type if event else ""

    with shop_with_door() as (shop, admin, at):
        assert asyncio.run(asked(paired(shop, admin, at), at.endpoint)) == "job.accepted"


def test_a_code_lets_one_client_in_and_nothing_but_redeem() -> None:
    with shop_with_door() as (shop, admin, at):
        code = admin.open_pairing("till-1").code
        secret = codes.curve_secret(codes.read(code, at.server_key), at.server_key)
        own = zmq.utils.z85.encode(secret)
        key = msgspec.structs.replace(
            fresh_key(at), public_key=zmq.curve_public(own).decode(), secret_key=own.decode()
        )
        with Client(at.endpoint, key=key) as door:
            for ask in (door.hello, door.status, door.clients):
                with pytest.raises(NotAllowed):
                    ask()
            assert door.redeem(fresh_key(at).public_key).client.name == "till-1"
            with pytest.raises(NotAllowed):
                door.redeem(fresh_key(at).public_key)  # the connection lives, its key counts no more
        with pytest.raises(AuthError) as refused:
            pair(code, endpoint=at.endpoint, server_key=at.server_key, key_file=shop.folder / "k.json")
        assert refused.value.reason == "code"
        assert [one.name for one in admin.clients().clients] == ["till-1"]


def test_the_third_wrong_try_closes_the_code_and_a_mistyped_one_is_no_try() -> None:
    with shop_with_door() as (shop, admin, at):
        code = admin.open_pairing("till-1").code
        file = shop.folder / "k.json"
        wrong_check = code[:-1] + ("0" if code[-1] != "0" else "1")
        with pytest.raises(codes.BadCode):
            pair(wrong_check, endpoint=at.endpoint, server_key=at.server_key, key_file=file)
        for _ in range(3):
            guess = codes.written(codes.new_secret(), at.server_key)
            with pytest.raises(AuthError):
                pair(guess, endpoint=at.endpoint, server_key=at.server_key, key_file=file)
        with pytest.raises(AuthError):
            pair(code, endpoint=at.endpoint, server_key=at.server_key, key_file=file)
        assert not file.exists()
        until(lambda: "pairing.closed" in rows(shop, admin), "it is a row")
        assert admin.clients().pairing == ""


def test_clients_outlive_a_restart_and_a_code_does_not() -> None:
    with shop_with_door() as (shop, admin, at):
        path = paired(shop, admin, at)
        gone = paired(shop, admin, at, "till-2")
        admin.revoke_client("till-2")
        code = admin.open_pairing("till-3").code
        shop.agent.kill()  # type: ignore[union-attr]
        shop.start_agent()
        until(lambda: bool(admin.hello().ops), "it is back")
        with Client(at.endpoint, key_file=path) as till:
            assert till.hello().principal == "client:till-1"
        with Client(at.endpoint, key_file=gone) as till, pytest.raises(AuthError):
            till.hello()
        with pytest.raises(AuthError):
            pair(code, endpoint=at.endpoint, server_key=at.server_key, key_file=shop.folder / "k.json")


def test_the_admins_key_on_this_computer_can_do_what_ipc_can() -> None:
    with shop_with_door() as (shop, _admin, at):
        file = shop.state_dir / "door" / "admin.json"
        assert file.stat().st_mode & 0o777 == 0o600
        with Client(at.endpoint, key_file=file) as own:
            hello = own.hello()
            assert (hello.principal, hello.role) == ("client:admin", "admin")
            with pytest.raises(RemoteError, match="CLIENT_EXISTS"):
                own.open_pairing("admin")


def command(
    shop: Site, *words: str, typed: str = "", tool: str = "taxagent"
) -> subprocess.CompletedProcess[str]:
    module = "taxagent" if tool == "taxagent" else "taxclient.cli.main"
    environment = {
        **os.environ,
        "LANG": "en_US.UTF-8",
        "XDG_CONFIG_HOME": str(shop.folder / "home"),
        "TAXAGENT_ENDPOINT_FILE": str(shop.folder / "run/endpoint.json"),
    }
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        input=typed,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env=environment,
    )


def test_the_two_commands_pair_a_client_and_clients_shows_and_revokes_it() -> None:
    with shop_with_door() as (shop, _admin, at):
        config = ("--config", str(shop.config))
        shown = json.loads(command(shop, "pair", "--name", "till-1", "--json", *config).stdout)
        redeemed = command(shop, "pair", typed=shown["code"].lower() + "\n", tool="taxctl")
        assert (redeemed.returncode, redeemed.stderr) == (0, "")
        asked = command(shop, "--endpoint", at.endpoint, "status", "--json", tool="taxctl")
        assert asked.returncode == 0, asked.stderr
        assert "till-1" in command(shop, "clients", "list", *config).stdout
        assert "viewer" in command(shop, "clients", "role", "till-1", "viewer", *config).stdout
        assert command(shop, "clients", "revoke", "till-1", *config).stdout == "till-1: revoked\n"
        refused = command(shop, "--endpoint", at.endpoint, "status", tool="taxctl")
        assert refused.returncode == 77
        assert "taxagent pair" in refused.stderr
        assert command(shop, "clients", "revoke", "till-9", *config).returncode == 11


def test_a_job_of_a_tcp_client_is_settled_as_any_other() -> None:
    with (
        shop_with_door() as (shop, admin, at),
        Client(at.endpoint, key_file=paired(shop, admin, at)) as till,
    ):
        job = till.check(m.CheckArgs(device_no=DEVICE)).job
        assert ended(till, job.job_id).state == "done"


def test_an_agent_whose_port_is_taken_ends_at_once_and_says_so() -> None:
    with shop_with_door() as (shop, _admin, at):
        config = shop.config.read_text(encoding="utf-8")
        config = config.replace('state_dir = "state"', 'state_dir = "state2"')
        other = shop.config.with_name("other.toml")
        other.write_text(config.replace(shop.endpoint, f"{shop.endpoint}2"), encoding="utf-8")
        ended = command(shop, "run", "--config", str(other))
        assert ended.returncode == 2
        assert "CONFIG_INVALID" in ended.stderr
        assert at.endpoint in ended.stderr
