"""Everyone is put out before connections take the process's last descriptor. Knows no request.

libzmq 4.3.5 ends the whole process where its ipc listener gets no descriptor (ipc_listener.cpp), and each
connection takes one: whoever may connect could end the agent by connecting often. An address that is given
up takes its connections with it; honest clients come back by themselves, and their keys keep what they asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import structlog

from taxagent.ipc.timers import Timers

_WANTED: Final = 65_536  # the soft limit that the process gives itself, where the hard one allows it
_CROWD: Final = 1024  # descriptors in use, far more than a shop's programs take (an idle agent: 28)
_MANY: Final = 256  # above, a crowd may be gathering: each connection takes 4 kB of memory
_A_MS: Final = 60  # connections that one core can make in a millisecond (27 were seen), doubled
_QUIET_MS, _GATHERING_MS, _QUICKEST_MS = 500, 20, 10  # an agent at rest takes as much with 1000

_log = structlog.get_logger("ipc.crowd")


class Crowd:
    """Looks now and then how many descriptors are in use; has the door shut and opened again.

    `shut` gives the address up; `opened` takes it again, and may raise OSError (zmq.ZMQError is one): then it
    is tried again. All in the loop's thread.
    """

    def __init__(self, timers: Timers, shut: Callable[[], None], opened: Callable[[], None]) -> None:
        self._timers = timers
        self._shut = shut
        self._opened = opened
        self._limit = 0
        self._is_shut = False

    def start(self) -> None:
        """Take as many descriptors as the process may have, and look from now on. Nothing on Windows."""
        self._limit = _raised()
        if self._limit:
            self._look()

    def _look(self) -> None:
        # The next free number is close to how many are in use, and never above it; None: there is none left.
        free = _next_free()
        used = self._limit if free is None else free
        crowd = min(_CROWD, self._limit // 2)
        if not self._is_shut and used >= crowd:
            self._is_shut = True
            _log.warning("door_shut", reason="too many connections", descriptors=used)
            self._shut()
        elif self._is_shut and used < crowd // 2:
            self._open_again()
        usual = _QUIET_MS if used < _MANY else _GATHERING_MS
        self._timers.later(max(_QUICKEST_MS, min(usual, (self._limit - crowd) // _A_MS)), self._look)

    def _open_again(self) -> None:
        try:
            self._opened()
        except OSError as error:
            _log.warning("door_still_shut", reason=str(error))
        else:
            self._is_shut = False
            _log.info("door_open_again")


def _raised() -> int:
    """Return the limit of descriptors, raised where that is allowed; 0 where the system has none."""
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _WANTED if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _next_free() -> int | None:
    try:
        found = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
    os.close(found)
    return found
