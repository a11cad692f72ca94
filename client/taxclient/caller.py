"""What both clients are made of: where the agent is, how long to wait, what was learned of it. Asks nothing.

sync.Client and aio.AsyncClient add the calls, each in its own way of waiting.
"""

from __future__ import annotations

import abc
import os
import time

import zmq

from taxclient.conversation import Conversation
from taxclient.protocol.built import build_types
from taxclient.protocol.keyfile import KeyFile

_TCP = "tcp://"
DEFAULT_ENDPOINT = "ipc:///run/taxagent/agent.sock"


class Caller(abc.ABC):
    """A connection to an agent. `timeout_ms` limits each answer, `connect_ms` the wait for a connection.

    `lang` is "zh" or "en" for the words of the answers, "" for the agent's own language. A tcp:// endpoint
    needs a key: `key`, or that of `key_file`, or the one that `taxctl pair` stored. Raises AuthError where
    there is none.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        timeout_ms: int = 10_000,
        connect_ms: int = 2_000,
        lang: str = "",
        key_file: str | os.PathLike[str] = "",
        key: KeyFile | None = None,
    ) -> None:
        build_types()  # the program around may have threads
        self.endpoint = endpoint
        self._key = key if key is not None else _key(endpoint, key_file)
        self._timeout_ms = timeout_ms
        self._connect_ms = connect_ms
        self._conversation = Conversation(lang=lang)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._begin()
        self._closed = False

    @abc.abstractmethod
    def _begin(self) -> None:
        """Have nothing open yet."""

    def __del__(self) -> None:
        # A context that is collected with an open socket hangs for ever.
        if not getattr(self, "_closed", True):
            self.close()

    def close(self) -> None:
        """Close all sockets; unsent messages are dropped. May be called again."""
        if not self._closed:
            self._closed = True
            self._let_go()
            self.context.destroy(linger=0)

    @abc.abstractmethod
    def _let_go(self) -> None:
        """Close what is open."""

    def _events(self, told: str) -> str:
        """Return the endpoint of the event channel: by TCP on the host that this client came to."""
        if not self.endpoint.startswith(_TCP) or not told.startswith(_TCP):
            return told
        return f"{self.endpoint.rpartition(':')[0]}:{told.rpartition(':')[2]}"

    @property
    def boot(self) -> str:
        """The agent's boot id as last heard, "" before the first answer."""
        return self._conversation.boot

    @property
    def restarts(self) -> int:
        """How often the agent was found restarted: what was read before is to be read again."""
        return self._conversation.restarts


def _key(endpoint: str, key_file: str | os.PathLike[str]) -> KeyFile | None:
    if not endpoint.startswith(_TCP):
        return None
    from pathlib import Path  # noqa: PLC0415 - for who comes by TCP alone

    from taxclient import keys  # noqa: PLC0415 - as above

    return keys.load(endpoint, Path(key_file) if key_file else keys.path_for(endpoint, os.environ))


def now_ms() -> int:
    """Return our UTC in ms."""
    return time.time_ns() // 1_000_000
