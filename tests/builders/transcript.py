"""What clients were told, written down as tests.judge reads it: one request and its reply a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from taxagent.ipc.views import error_body, job_view
from taxagent.jobs.asks import Accepted
from taxagent.model.errors import AgentError
from taxagent.model.job import Job
from taxclient.protocol import messages as m


class Transcript:
    """The file of one world; a line is whole once its reply came, or once it is said that none will come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._asked: dict[int, dict[str, Any]] = {}
        self._count = 0

    def asked(self, at_ms: int, principal: str, op: str, key: str = "") -> int:
        """Note a request and return its number."""
        self._count += 1
        line = {"sent_ms": at_ms, "told_ms": at_ms, "principal": principal, "op": op, "key": key}
        self._asked[self._count] = {**line, "reply": None}
        return self._count

    def told(self, number: int, at_ms: int, answer: object) -> None:
        """Note the reply to request `number`, as the protocol shows it; a second one is none."""
        line = self._asked.pop(number, None)
        if line is not None:
            self._write({**line, "told_ms": at_ms, "reply": reply_of(answer)})

    def shown(self, at_ms: int, principal: str, job: Job) -> None:
        """Note that the job was asked for by its key, and shown."""
        self.told(self.asked(at_ms, principal, "job.get", job.key), at_ms, job)

    def unanswered(self) -> None:
        """Who still waits is never answered: the agent died."""
        for line in self._asked.values():
            self._write(line)
        self._asked.clear()

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def reply_of(answer: object) -> dict[str, Any]:
    """Return a desk's answer as a reply of TCA/1 shows it."""
    match answer:
        case AgentError():
            return {"status": "error", "error": error_body(answer, "en")}
        case Accepted(job=job, known=known):
            return {"status": "accepted", "result": m.AcceptedResult(job=job_view(job, "en"), known=known)}
        case Job():
            return {"status": "ok", "result": m.JobResult(job=job_view(answer, "en"))}
        case _:
            return {"status": "ok", "result": None}
