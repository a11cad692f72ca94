"""How the service stands with Windows' service control manager; the manager is a list here."""

from __future__ import annotations

from taxagent.host.windows import installation
from taxagent.host.windows.dispatcher import PRESHUTDOWN, SHUTDOWN, STOP, asks_to_stop
from taxagent.host.windows.installation import Standing as Found
from taxagent.host.windows.power import Awake
from taxagent.host.windows.standing import SERVICE_SPECIFIC, Standing, State


class Manager:
    def __init__(self) -> None:
        self.told: list[tuple[State, int, int, int]] = []
        self.lines: list[str] = []

    def __call__(self, state: State, *, hint_ms: int = 0, exit_code: int = 0, own_code: int = 0) -> None:
        self.told.append((state, hint_ms, exit_code, own_code))

    @property
    def states(self) -> list[State]:
        return [row[0] for row in self.told]


def test_it_runs_only_once_the_agent_is_ready_and_asks_for_time_until_then() -> None:
    manager = Manager()
    standing = Standing(manager, manager.lines.append)
    standing.begin()
    standing.tell(STATUS="verifying", EXTEND_TIMEOUT_USEC=60_000_000)
    assert manager.told[-1] == (State.START_PENDING, 60_000, 0, 0)
    standing.tell(READY=1)
    assert manager.states == [State.START_PENDING, State.START_PENDING, State.RUNNING]


def test_a_drain_is_stop_pending_and_a_late_ready_does_not_undo_it() -> None:
    manager = Manager()
    standing = Standing(manager, manager.lines.append)
    standing.tell(READY=1)
    standing.stop_asked()
    standing.tell(READY=1)
    standing.tell(EXTEND_TIMEOUT_USEC=20_000_000)
    standing.ended(0)
    assert manager.states == [State.RUNNING, State.STOP_PENDING, State.STOP_PENDING, State.STOPPED]
    assert manager.told[-1] == (State.STOPPED, 0, 0, 0)


def test_a_fatal_error_is_never_a_stop_with_code_0_and_is_told_once() -> None:
    manager = Manager()
    standing = Standing(manager, manager.lines.append)
    standing.ended(7)
    standing.ended(0)
    assert manager.told == [(State.STOPPED, 0, SERVICE_SPECIFIC, 7)]


def test_stop_shutdown_and_preshutdown_all_drain() -> None:
    assert all(map(asks_to_stop, (STOP, SHUTDOWN, PRESHUTDOWN)))
    assert not asks_to_stop(4)


class Books:
    def create(self, command: str, account: str) -> bool:
        return True

    def delete(self) -> bool:
        return True

    def start(self) -> None:
        raise OSError("it ended with code 2")

    def stop(self) -> bool:
        return False

    def standing(self) -> Found | None:
        return None

    def settings(self) -> tuple[tuple[str, object], ...]:
        return ("SID type", self.start), ("description", self.stop)


def test_a_setting_that_is_refused_is_told_and_the_next_one_follows() -> None:
    steps = list(installation.install(Books(), "agent"))  # type: ignore[arg-type]
    assert [(step.did, step.what) for step in steps] == [
        ("written", "service"),
        ("not_there", "SID type"),
        ("ran", "description"),
    ]
    assert not any(step.failed for step in steps)


def test_a_start_that_fails_is_a_failed_step() -> None:
    (step,) = installation.start(Books())  # type: ignore[arg-type]
    assert step.failed
    assert step.why == "it ended with code 2"


def test_sleep_waits_between_take_and_leave() -> None:
    asked: list[int] = []

    def request(flags: int) -> int:
        asked.append(flags)
        return 1

    awake = Awake(request)
    awake.take()
    awake.leave()
    assert asked == [0x8000_0001, 0x8000_0000]
