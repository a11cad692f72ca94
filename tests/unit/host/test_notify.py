"""sd_notify over a real datagram socket, and when a watchdog is fed."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from taxagent.host.notify import Notifier
from taxagent.host.watchdog import Watchdog
from tests.builders.service_manager import service_manager


def test_fields_are_one_datagram_and_a_line_stays_a_line() -> None:
    with service_manager() as manager:
        Notifier({"NOTIFY_SOCKET": manager.address}, 1).tell(READY=1, STATUS="one\nREADY=0")
        assert manager.next(5.0) == {"READY": "1", "STATUS": "one READY=0"}


def test_an_abstract_socket_is_written_with_an_at_sign() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind("\0taxagent-test-notify")
        Notifier({"NOTIFY_SOCKET": "@taxagent-test-notify"}, 1).tell(WATCHDOG=1)
        door.settimeout(5)
        assert door.recv(100) == b"WATCHDOG=1"


def test_without_a_manager_nothing_is_told_and_nothing_fails() -> None:
    notifier = Notifier({}, 1)
    notifier.tell(READY=1)
    assert (notifier.heard, notifier.watchdog_ms) == (False, 0)


def test_a_manager_that_is_gone_stops_nobody() -> None:
    Notifier({"NOTIFY_SOCKET": "/nowhere/notify"}, 1).tell(READY=1)


@pytest.mark.parametrize(
    "environment, ms",
    [
        ({"WATCHDOG_USEC": "60000000"}, 60_000),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 60_000),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_the_watchdog_is_ours_where_it_names_this_process_or_none(
    environment: dict[str, str], ms: int
) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/x", **environment}, 7).watchdog_ms == ms


class Parts:
    """A loop's timers and a journal, by hand."""

    def __init__(self) -> None:
        self.timers: list[tuple[int, Callable[[], None]]] = []
        self.asked: list[Callable[[], None]] = []
        self.signs = 0

    def sign(self) -> None:
        self.signs += 1

    def dog(self, limit_ms: int) -> Watchdog:
        def later(ms: int, call: Callable[[], None]) -> None:
            self.timers.append((ms, call))

        return Watchdog(limit_ms, later=later, ask=self.asked.append, sign=self.sign)


def test_a_sign_is_sent_when_the_journal_has_answered_three_times_within_the_limit() -> None:
    parts = Parts()
    parts.dog(60_000).start()
    assert parts.signs == 0
    parts.asked.pop()()
    assert (parts.signs, [ms for ms, _ in parts.timers]) == (1, [20_000])
    parts.timers.pop()[1]()
    parts.asked.pop()()
    assert parts.signs == 2


def test_a_journal_that_does_not_answer_is_not_vouched_for() -> None:
    parts = Parts()
    parts.dog(60_000).start()
    assert (parts.signs, parts.timers) == (0, [])
