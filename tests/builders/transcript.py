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
    """The lines of one world, in the order of the requests; a reply may come late, or never."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[dict[str, Any]] = []

    def asked(self, at_ms: int, principal: str, op: str, key: str = "") -> int:
        """Note a request and return its number."""
        line = {"sent_ms": at_ms, "told_ms": at_ms, "principal": principal, "op": op, "key": key}
        self._lines.append({**line, "reply": None})
        return len(self._lines) - 1

    def told(self, number: int, at_ms: int, answer: object) -> None:
        """Note the reply to request `number`, as the protocol shows it."""
        self._lines[number]["told_ms"] = at_ms
        self._lines[number]["reply"] = reply_of(answer)

    def write(self) -> Path:
        """Put the lines on the disk and return where."""
        self.path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in self._lines))
        return self.path


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
