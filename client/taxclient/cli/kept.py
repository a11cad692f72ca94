"""The keys of requests that were sent, on disk before the send, so that a crash leads to no second job.

One small file a request, named by what is asked of which agent. A request that is asked again finds its key.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

import msgspec

from taxclient.conversation import new_key
from taxclient.protocol.messages import CheckArgs, JobView

_UNSEEN_MS = 3_600_000  # how long the end of a job that nobody saw is the answer to the same command
_CHINA_S = 8 * 3600


class Entry(msgspec.Struct, kw_only=True):
    """What is remembered of a request; `job_id` once it was accepted."""

    key: str
    op: str
    endpoint: str
    args: dict[str, object]
    sent_at: int = 0
    ttl_ms: int = 0
    job_id: str = ""


class Kept:
    """The memory of one request: a file from just before the send until its job was seen to end."""

    def __init__(self, folder: Path, endpoint: str, op: str, args: CheckArgs) -> None:
        plain = msgspec.to_builtins(args)
        plain.pop("token", None)
        name = hashlib.sha256(msgspec.json.encode([endpoint, op, plain], order="sorted")).hexdigest()[:32]
        self._path = folder / f"{name}.json"
        self.entry = self._read() or Entry(key=new_key(), op=op, endpoint=endpoint, args=plain)

    @property
    def sent(self) -> bool:
        """Whether the request was sent before, as far as is known."""
        return self.entry.sent_at > 0

    def stands_for(self, job: JobView, now_ms: int) -> bool:
        """Whether `job`, which the kept key made, is what the same command asks for now.

        Its end is, where no answer was seen, for an hour. A request that names no month is about what was due
        when it was sent: in another calendar month it is another request, whatever became of the first.
        """
        if not self.entry.args.get("periods") and _month(now_ms) != _month(self.entry.sent_at):
            return False
        return not job.ended or (not self.entry.job_id and now_ms - self.entry.sent_at < _UNSEEN_MS)

    def renew(self) -> None:
        """Forget the earlier request and take a new key."""
        self.forget()
        self.entry = Entry(
            key=new_key(), op=self.entry.op, endpoint=self.entry.endpoint, args=self.entry.args
        )

    def store(self, key: str, sent_at: int, ttl_ms: int) -> None:
        """Write the key to the disk; called before the send. Raises OSError: then nothing may be sent."""
        self.entry.key, self.entry.sent_at, self.entry.ttl_ms = key, sent_at, ttl_ms
        self._write()

    def accepted(self, job_id: str) -> None:
        """Note the answer. Where that fails the job is found by its key all the same."""
        self.entry.job_id = job_id
        with contextlib.suppress(OSError):
            self._write()

    def forget(self) -> None:
        """Remove the file: the request was refused, or its job has ended and was shown."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> Entry | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Entry)
        except (OSError, msgspec.DecodeError):
            return None

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(self.entry))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(self._path)
        if os.name == "posix":
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def state_folder(environment: dict[str, str]) -> Path:
    """Return where requests are remembered: $XDG_STATE_HOME/taxctl/requests, or below ~/.local/state."""
    base = environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111
    return Path(base) / "taxctl" / "requests"


def _month(ms: int) -> tuple[int, int]:
    """Return year and month of a UTC time, on China's calendar."""
    there = time.gmtime(ms // 1000 + _CHINA_S)
    return there.tm_year, there.tm_mon
