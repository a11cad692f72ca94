"""Rows about questions: how long an answer from memory takes, and how many a second there are."""

from __future__ import annotations

from tests.bench.figures import Measured, median, rotated
from tests.bench.ground import ground
from tests.bench.peers import echo, peers, rate, request, round_trips

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
