"""What the service manager sees of the agent: its state in words, signs of life, and time for a step.

Lives in the loop's thread, but for `verifying`. Knows jobs as values; decides nothing about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from taxagent.host.notify import Manager
from taxagent.host.watchdog import Ask, Later, Watchdog
from taxagent.model.faults import Lang
from taxagent.model.job import Job, JobState
from taxagent.model.value import Value

TOLD_MS = 100  # so long changes are gathered: a list of live jobs may be long
EXTEND_MS = 20_000  # so much time each request gives; asked for again every quarter of it
_VERIFYING_MS = 60_000  # between two signs of a start that verifies a long journal on a slow disk

_SAY: dict[str, tuple[str, str]] = {
    "verifying": ("正在核对日志（{percent}%），暂不办理", "Verifying the journal ({percent} %); no work yet"),
    "ready": ("就绪", "Ready"),
    "draining": ("正在停止", "Stopping"),
    "failed": ("因错误结束：{title}", "Ended by an error: {title}"),
    "devices": ("{count} 个设备", "{count} plugged"),
    "hung": ("{count} 个设备没有反应", "{count} not reacting"),
    "running": ("{count} 个任务办理中", "{count} running"),
    "waiting": ("{count} 个任务等待中", "{count} waiting"),
    "person": ("{count} 个任务要人处理", "{count} to be looked at by a person"),
    "irreversible": ("{count} 个不可中断的步骤", "{count} in a step that must not be cut"),
    "refused": (
        "新配置有误，沿用旧配置：{title}",
        "new configuration refused, the old one holds: {title}",
    ),
    "restart": ("要重启才生效：{keys}", "needs a restart: {keys}"),
}


class Picture(Value, frozen=True, kw_only=True):
    """What there is to tell: how many devices, how many of them hang, and the live jobs."""

    devices: int
    hung: int
    jobs: tuple[Job, ...]


class Supervision:
    """Tells the manager, where there is one, and has sleep and shutdown wait for a write."""

    def __init__(
        self,
        notifier: Manager,
        *,
        language: Lang,
        later: Later,
        ask: Ask,
        picture: Callable[[], Picture],
        inhibit: Callable[[], None],
        allow: Callable[[], None],
    ) -> None:
        """Prepare; `later` and `ask` as in watchdog.py, `picture` is asked in the loop's thread.

        `inhibit` is called when sleep is to wait, `allow` when it need not any more; neither may block.
        """
        self._notifier = notifier
        self._later = later
        self._picture = picture
        self._inhibit, self._allow = inhibit, allow
        self._writing: set[str] = set()  # jobs that run and may come to an irreversible step
        self._gathering = False
        self._chinese = language == "zh"
        self._said = ""
        self._state = "ready"
        self._remark = ""
        self._started = False
        self._watchdog = Watchdog(
            notifier.watchdog_ms, later=later, ask=ask, sign=lambda: notifier.tell(WATCHDOG=1)
        )

    def verifying(self, done: int, of: int) -> None:
        """A start goes on: `done` of `of` rows are verified. The starting thread."""
        percent = done * 100 // max(1, of)
        status = self._words("verifying", percent=percent)
        if status != self._said:
            self._said = status
            self._notifier.tell(STATUS=status, EXTEND_TIMEOUT_USEC=_VERIFYING_MS * 1000)

    def ready(self) -> None:
        """The agent takes work from now on."""
        self._started = True
        self._said = self._status()
        self._notifier.tell(READY=1, STATUS=self._said)
        if self._notifier.watchdog_ms:
            self._watchdog.start()

    def moved(self, jobs: Iterable[Job]) -> None:
        """These jobs have changed: sleep waits from the begin of a run on, before its first write."""
        before = bool(self._writing)
        for job in jobs:
            if job.kind.irreversible and job.state is JobState.RUNNING:
                self._writing.add(job.job_id)
            else:
                self._writing.discard(job.job_id)
        if bool(self._writing) != before:
            (self._allow if before else self._inhibit)()
        self.look()

    def look(self) -> None:
        """Something may have changed: tell it soon if it did."""
        if self._notifier.heard and not self._gathering:
            self._gathering = True
            self._later(TOLD_MS, self._tell)

    def _tell(self) -> None:
        self._gathering = False
        if self._started and (status := self._status()) != self._said:
            self._said = status
            self._notifier.tell(STATUS=status)

    def reloading(self, monotonic_us: int) -> None:
        """A new configuration is being read, since this instant of CLOCK_MONOTONIC."""
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=monotonic_us)

    def reloaded(self, *, refused: str = "", restart: tuple[str, ...] = ()) -> None:
        """It is in force; or `refused` says why not; `restart` are the keys that wait for a restart."""
        keys = ", ".join(restart)
        self._remark = ""
        if refused:
            self._remark = self._words("refused", title=refused)
        elif keys:
            self._remark = self._words("restart", keys=keys)
        self._said = self._status()
        self._notifier.tell(READY=1, STATUS=self._said)

    def draining(self) -> None:
        """The agent stops; while an irreversible step is under way it asks for more time."""
        self._state, self._remark = "draining", ""
        self._said = self._status()
        self._notifier.tell(STOPPING=1, STATUS=self._said)
        if self._notifier.heard:
            self._extend()

    def failed(self, title: str) -> None:
        """The agent ends by an error. Any thread."""
        self._notifier.tell(STATUS=self._words("failed", title=title))

    def _extend(self) -> None:
        if any(_cutting(job) for job in self._picture().jobs):
            self._notifier.tell(EXTEND_TIMEOUT_USEC=EXTEND_MS * 1000)
            self._later(EXTEND_MS // 4, self._extend)

    def _status(self) -> str:
        picture = self._picture()
        jobs = picture.jobs
        counts = {
            "devices": picture.devices,
            "hung": picture.hung,
            "running": sum(job.state is JobState.RUNNING for job in jobs),
            "waiting": sum(job.state is JobState.WAITING for job in jobs),
            "person": sum(job.state is JobState.NEEDS_HUMAN for job in jobs),
            "irreversible": sum(map(_cutting, jobs)),
        }
        told = [self._words(key, count=count) for key, count in counts.items() if count or key == "devices"]
        between, colon = ("，", "：") if self._chinese else (", ", ": ")
        text = self._words(self._state) + colon + between.join(told)
        return f"{text}; {self._remark}" if self._remark else text

    def _words(self, key: str, **facts: object) -> str:
        return _SAY[key][not self._chinese].format(**facts)


def _cutting(job: Job) -> bool:
    """Return whether a job is in the midst of a step that cannot be undone."""
    return job.state is JobState.RUNNING and bool(job.open_steps)
