"""Rows about questions: how long an answer from memory takes, and how many a second there are."""

from __future__ import annotations

import msgspec

from taxagent.ipc.curve import new_pair
from taxclient.pairing import pair
from taxclient.protocol.keyfile import KeyFile
from tests.bench.figures import Measured, median, rotated
from tests.bench.ground import Ground, ground
from tests.bench.peers import echo, granted, peers, rate, request, round_trips
from tests.builders.tcp import door_config, published

_BATCH = 200  # round trips of a round, one connection each: well inside a peer's token bucket
_CLIENTS = 64
_EACH = 16  # requests of each client in a round


def status_p50(rounds: int) -> Measured:
    """One client asks for the status, again and again."""
    with ground() as at:
        frames = [request("status")] * _BATCH
        with peers(1, at.endpoint) as (peer,):
            reply = peer.ask(frames[0])
        with echo(at.folder, reply) as (floor, _):

            def asked(endpoint: str) -> list[float]:
                with peers(1, endpoint) as (peer,):
                    peer.ask(frames[0])
                    return round_trips(peer, frames)

            echoed, answered = rotated(rounds, lambda: asked(floor), lambda: asked(at.endpoint))
    return Measured(value=median(answered) * 1e6, floor=median(echoed) * 1e6)


def _paired(at: Ground) -> KeyFile:
    """A client's key that the agent counts."""
    door = published(at.shop)
    code = at.one.open_pairing("bench", "viewer").code
    key, _ = pair(code, endpoint=door.endpoint, server_key=door.server_key, key_file=at.folder / "bench.json")
    return key


def status_p50_curve(rounds: int) -> Measured:
    """The same by TCP with CURVE; the floor is an echo by TCP with CURVE, which lets everybody in."""
    with ground(config=door_config()) as at:
        frames = [request("status")] * _BATCH
        key, pair_of_echo = _paired(at), new_pair()
        to_echo = msgspec.structs.replace(key, server_key=pair_of_echo.public)
        with peers(1, key.endpoint, key) as (peer,):
            granted(reply := peer.ask(frames[0]))
        with echo(at.folder, reply, secret=pair_of_echo.secret) as (floor, _):

            def asked(endpoint: str, with_key: KeyFile) -> list[float]:
                with peers(1, endpoint, with_key) as (peer,):
                    peer.ask(frames[0])
                    return round_trips(peer, frames)

            echoed, answered = rotated(
                rounds, lambda: asked(floor, to_echo), lambda: asked(key.endpoint, key)
            )
    return Measured(value=median(answered) * 1e6, floor=median(echoed) * 1e6)


def status_rate_curve(rounds: int) -> Measured:
    """64 clients by TCP with CURVE, each with one question under way."""
    with ground(config=door_config()) as at:
        frames = [request("status")] * (_CLIENTS * _EACH)
        key, pair_of_echo = _paired(at), new_pair()
        to_echo = msgspec.structs.replace(key, server_key=pair_of_echo.public)
        with peers(1, key.endpoint, key) as (peer,):
            granted(reply := peer.ask(frames[0]))
        with (
            echo(at.folder, reply, secret=pair_of_echo.secret) as (floor, _),
            peers(_CLIENTS, floor, to_echo) as of_echo,
            peers(_CLIENTS, key.endpoint, key) as of_agent,
        ):
            for each in (*of_echo, *of_agent):
                each.ask(frames[0])  # the handshakes are no part of it
            echoed, answered = rotated(
                rounds, lambda: [rate(of_echo, frames)], lambda: [rate(of_agent, frames)]
            )
    return Measured(value=median(answered), floor=median(echoed))


def status_rate(rounds: int) -> Measured:
    """64 clients, each with one question under way."""
    with ground() as at:
        frames = [request("status")] * (_CLIENTS * _EACH)
        with peers(1, at.endpoint) as (peer,):
            reply = peer.ask(frames[0])
        with (
            echo(at.folder, reply) as (floor, _),
            peers(_CLIENTS, floor) as of_echo,
            peers(_CLIENTS, at.endpoint) as of_agent,
        ):
            echoed, answered = rotated(
                rounds, lambda: [rate(of_echo, frames)], lambda: [rate(of_agent, frames)]
            )
    return Measured(value=median(answered), floor=median(echoed))
