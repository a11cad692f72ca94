"""Rows about durable accepts, and about answers while others submit. The device stands still meanwhile, so
that a job costs what accepting it costs, and no more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import zmq

from taxagent.journal import LOG_PAGES
from tests.bench.commits import Commits
from tests.bench.figures import Measured, median, percentile, rotated
from tests.bench.ground import Ground, ground
from tests.bench.peers import Peer, checks, echo, granted, peers, rate, request, round_trips
from tests.bench.slow_disk import slowed_fsync
from tests.builders.site import DEVICE

_BATCH = 20  # accepts of one client in a round
_CLIENTS, _EACH = 64, 6
_SUBMITTERS, _SUBMITS = 8, 96  # and in a round, of all of them


def accept_p50(rounds: int) -> Measured:
    """One client submits job after job; each answer means that the job is on the disk."""
    with ground() as at:
        at.occupy()
        commits, on_long_log = _floors(at)
        with peers(1, at.endpoint) as (peer,):
            reply = peer.ask(checks(1, DEVICE)[0])
            granted(reply)
        with echo(at.folder, reply) as (floor, _):

            def submitted(endpoint: str) -> list[float]:
                with peers(1, endpoint) as (peer,):
                    peer.ask(request("hello"))
                    return round_trips(peer, checks(_BATCH, DEVICE))

            echoed, committed, long, accepted = rotated(
                rounds,
                lambda: submitted(floor),
                lambda: commits.take(_BATCH),
                lambda: on_long_log.take(_BATCH),
                lambda: submitted(at.endpoint),
            )
        commits.close()
        on_long_log.close()
    least, most = median(committed), median(echoed)
    note = f"commit {least * 1e6:.0f} us ({_on_long_log(long)}), echo {most * 1e6:.0f} us"
    return Measured(value=median(accepted) * 1e6, floor=(least + most) * 1e6, note=note)


def accept_rate(rounds: int) -> Measured:
    """64 clients, each with one job under way to the disk, beside one commit after the other."""
    with ground() as at:
        at.occupy()
        commits, on_long_log = _floors(at)
        with peers(_CLIENTS, at.endpoint) as connected:
            for peer in connected:
                peer.result(request("hello"))

            def one_by_one() -> list[float]:
                took = commits.take(_BATCH)
                return [len(took) / sum(took)]

            def together() -> list[float]:
                return [rate(connected, checks(_CLIENTS * _EACH, DEVICE))]

            committed, long, accepted = rotated(
                rounds, one_by_one, lambda: on_long_log.take(_BATCH), together
            )
        commits.close()
        on_long_log.close()
    floor = median(committed)
    note = f"one commit {1e6 / floor:.0f} us ({_on_long_log(long)})"
    return Measured(value=median(accepted), floor=floor, note=note)


def _floors(at: Ground) -> tuple[Commits, Commits]:
    return Commits(at.shop.state_dir), Commits(at.shop.state_dir, log_pages=LOG_PAGES)


def _on_long_log(took: list[float]) -> str:
    return f"{median(took) * 1e6:.0f} us on a log that is as long as the agent's"


def p99_under_submits(rounds: int) -> Measured:
    """One client asks for the status while 8 submit as fast as they get answers."""
    with ground() as at:
        at.occupy()
        commits = Commits(at.shop.state_dir)
        asked: list[float] = []
        committed: list[float] = []
        with peers(1, at.endpoint) as (peer,):
            reply = peer.ask(request("status"))
        with echo(at.folder, reply) as (floor, _), peers(1, floor) as (of_echo,):

            def crowd() -> list[float]:
                took = asked_under_submits(at)
                asked.extend(took)
                return took

            def alone() -> list[float]:
                took = commits.take(_BATCH)
                committed.extend(took)
                return took

            echoed, _, _ = rotated(
                rounds, lambda: round_trips(of_echo, [request("status")] * 50), alone, crowd
            )
        commits.close()
    commit, echo_p50 = percentile(committed, 0.99), median(echoed)
    note = f"commit p99 {commit * 1e6:.0f} us, echo p50 {echo_p50 * 1e6:.0f} us, {len(asked)} questions"
    return Measured(value=percentile(asked, 0.99) * 1e3, floor=(1.5 * commit + 5 * echo_p50) * 1e3, note=note)


def p99_on_slow_disk(rounds: int) -> Measured:
    """The same, where each fsync of the agent takes 50 ms more."""
    with slowed_fsync(50) as library, ground(preload=str(library)) as at:
        at.occupy()
        with peers(1, at.endpoint) as (peer,):
            begun = time.perf_counter()
            granted(peer.ask(checks(1, DEVICE)[0]))
            accept_ms = (time.perf_counter() - begun) * 1e3
        if accept_ms < 50:
            msg = f"the shim does not work here: an accept took {accept_ms:.1f} ms"
            raise RuntimeError(msg)
        asked = [took for _ in range(rounds) for took in asked_under_submits(at, submits=_SUBMITTERS)]
    note = f"one accept takes {accept_ms:.0f} ms there; {len(asked)} questions"
    return Measured(value=percentile(asked, 0.99) * 1e3, note=note)


def asked_under_submits(at: Ground, submits: int = _SUBMITS) -> list[float]:
    """Return the seconds of each status while 8 clients have `submits` jobs accepted, and none is idle."""
    status, waiting = request("status"), checks(submits, DEVICE)
    took, clock = [], time.perf_counter
    with peers(_SUBMITTERS + 1, at.endpoint) as (asker, *submitters):
        for peer in (asker, *submitters):
            peer.result(request("hello"))
        for peer in submitters:
            peer.socket.send_multipart(waiting.pop())
        answered = 0
        while answered < submits:
            begun = clock()
            asker.ask(status)
            took.append(clock() - begun)
            answered += _submitted_again(submitters, waiting)
    return took


def _submitted_again(submitters: Sequence[Peer], waiting: list[list[bytes]]) -> int:
    """Take the answers that are there, and let those who got one submit the next; return how many."""
    answered = 0
    for peer in submitters:
        try:
            reply = peer.socket.recv_multipart(zmq.NOBLOCK)[-1]
        except zmq.Again:
            continue
        granted(reply)
        answered += 1
        if waiting:
            peer.socket.send_multipart(waiting.pop())
    return answered
