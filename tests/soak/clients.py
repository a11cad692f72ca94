"""Clients of a soak: taxclient's own flows, with every request and answer written down for the judge."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import zmq

from taxclient import questions as q
from taxclient.conversation import Conversation
from taxclient.flows import Exchange, asking
from taxclient.link import Link
from taxclient.protocol import messages as m
from taxclient.protocol import wire
from taxclient.protocol.errors import ClientError

if TYPE_CHECKING:
    from taxclient.questions import Question

R = TypeVar("R")
PRINCIPAL = "uid:0"
_ANSWER_MS, _CONNECT_MS = 4_000, 500
_FOLLOW_MS = 800


class Transcript:
    """What all clients of one principal asked and were told. Any thread."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._lines: list[dict[str, Any]] = []
        self.answers = 0  # how many of them have a reply

    def add(self, line: dict[str, Any]) -> None:
        """Keep one request and its reply."""
        with self._gate:
            self._lines.append(line)
            self.answers += "reply" in line

    def __len__(self) -> int:
        return len(self._lines)

    def write(self, path: Path) -> None:
        """Write the lines in the order in which the requests were sent."""
        lines = sorted(self._lines, key=lambda line: (line["sent_ms"], line["told_ms"]))
        path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


class Asker:
    """One connection. Use it in one thread, and close it there."""

    def __init__(self, endpoint: str, transcript: Transcript, principal: str) -> None:
        self._endpoint = endpoint
        self._transcript = transcript
        self._principal = principal
        self._conversation = Conversation(lang="en")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._link: Link | None = None

    def ask(self, question: Question[R]) -> R:
        """Ask once, as taxclient does. Raises ClientError."""
        flow = asking(self._conversation, question, _ANSWER_MS, _now_ms)
        try:
            step = next(flow)
            while True:
                try:
                    step = flow.send(self._exchanged(step))
                except ClientError as error:
                    step = flow.throw(error)
        except StopIteration as end:
            result: R = end.value
            return result

    def close(self) -> None:
        """Leave."""
        self._lost()
        self._context.destroy(linger=0)

    def _exchanged(self, step: Exchange) -> m.Message:
        call = step.call
        self._link = link = self._link or Link(self._context, self._endpoint, _CONNECT_MS)
        line: dict[str, Any] = {"principal": self._principal, "op": call.op, "key": _key(call.frames)}
        line["sent_ms"] = line["told_ms"] = _now_ms()
        if not link.send(call.frames):
            self._lost()
            raise self._conversation.unsent(self._endpoint)
        deadline = time.monotonic() + step.timeout_ms / 1000
        try:
            while (left_ms := round((deadline - time.monotonic()) * 1000)) > 0 and not link.lost:
                frames = link.receive(left_ms)
                if frames is None:
                    continue
                line["told_ms"] = _now_ms()
                try:
                    result = self._conversation.match(call, frames)
                except ClientError:
                    line["reply"] = _reply(frames)
                    raise
                if result is not None:
                    line["reply"] = _reply(frames)
                    return result
        finally:
            self._transcript.add(line)
        lost = link.lost
        self._lost()
        raise self._conversation.unanswered(call, _ANSWER_MS, lost=lost)

    def _lost(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


class Board:
    """What the clients of a soak share: the requests that were made, by key. Any thread."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.devices = devices
        self.stop = threading.Event()
        self.defects: list[str] = []
        self._gate = threading.Lock()
        self._asked: list[Question[m.AcceptedResult]] = []

    def made(self, question: Question[m.AcceptedResult]) -> Question[m.AcceptedResult]:
        """Remember a request before it is sent."""
        with self._gate:
            self._asked.append(question)
        return question

    def any(self, dice: random.Random) -> Question[m.AcceptedResult] | None:
        """Return some request that anyone made."""
        with self._gate:
            return dice.choice(self._asked) if self._asked else None


def lives(asker: Asker, board: Board, seed: str) -> None:
    """Be a client until the board says stop: ask for work, ask again, look, wait, cancel."""
    dice = random.Random(seed)
    acts = (_submit, _submit, _submit, _again, _again, _by_key, _wait, _look, _cancel, _resume)
    try:
        while not board.stop.is_set():
            try:
                dice.choice(acts)(asker, board, dice)
            except ClientError:
                board.stop.wait(dice.random() * 0.05)  # the transcript has it; the agent may be away
    except Exception as error:  # noqa: BLE001 - told to who started the thread
        board.defects.append(f"{type(error).__name__}: {error}")
    finally:
        asker.close()


def _submit(asker: Asker, board: Board, dice: random.Random) -> None:
    device = dice.choice(board.devices)
    kind = dice.choice(("settle", "settle", "report", "clear", "backup", "check"))
    token = ""
    if kind in ("settle", "report", "clear"):
        token = asker.ask(q.prepare(m.PrepareArgs(kind=kind, device_no=device), _ANSWER_MS)).token
    args = m.SubmitArgs(kind=kind, device_no=device, token=token)
    asker.ask(board.made(q.submit(args, "", f"ref-{dice.randrange(1000)}", None)))


def _again(asker: Asker, board: Board, dice: random.Random) -> None:
    """Repeat someone's request under its key; now and then another request under that key."""
    known = board.any(dice)
    if known is None:
        return
    if dice.random() < 0.1:
        known = msgspec.structs.replace(known, args=m.SubmitArgs(kind="check", device_no=board.devices[0]))
    asker.ask(known)


def _by_key(asker: Asker, board: Board, dice: random.Random) -> None:
    known = board.any(dice)
    if known is not None:
        asker.ask(q.job_by_key(known.key))


def _wait(asker: Asker, board: Board, dice: random.Random) -> None:
    live = asker.ask(q.jobs(m.JobListArgs(live=True))).jobs
    if live:
        job = dice.choice(live)
        asker.ask(q.wait(job.job_id, job.rev, "change", _FOLLOW_MS))


def _look(asker: Asker, board: Board, dice: random.Random) -> None:
    looks: tuple[Question[Any], ...] = (q.status(), q.jobs(m.JobListArgs()), q.diagnose(""), q.hello())
    asker.ask(dice.choice(looks))


def _cancel(asker: Asker, board: Board, dice: random.Random) -> None:
    live = asker.ask(q.jobs(m.JobListArgs(live=True))).jobs
    if live and dice.random() < 0.15:
        asker.ask(q.cancel(dice.choice(live).job_id))


def _resume(asker: Asker, board: Board, dice: random.Random) -> None:
    for job in asker.ask(q.jobs(m.JobListArgs(live=True))).jobs:
        if job.state == "needs_human":
            asker.ask(q.resume(job.job_id))


def _key(frames: Sequence[bytes]) -> str:
    request = msgspec.msgpack.decode(frames[-1], type=m.Request)
    asked: object = request.args.get("key", "")
    return request.key or (asked if isinstance(asked, str) else "")


def _reply(frames: Sequence[bytes]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.msgpack.decode(wire.split(frames))
    return plain


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
