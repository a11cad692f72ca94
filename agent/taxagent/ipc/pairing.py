"""The window in which one client more may come: five minutes, three tries, one client (docs/security.md).

The ZAP thread asks who may come in, the loop opens and redeems: a lock stands between. The code is
in memory alone, for who opened the window; the door knows the public key that is made of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import zmq
from zmq.utils import z85

from taxagent.model.value import Value
from taxclient.protocol import codes

MINUTES = 5
TRIES = 3


class Window(Value, frozen=True, kw_only=True):
    """For whom it is open, who opened it under which key, and until when (monotonic seconds, UTC ms)."""

    name: str
    role: str
    public_key: str
    principal: str
    key: str
    until_s: float
    expires_ms: int


class Pairing:
    """At most one window at a time. A try is a key that nobody knows: a wrong code makes another key."""

    def __init__(self, server_key: str, monotonic: Callable[[], float]) -> None:
        self._server_key = server_key
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._window: Window | None = None
        self._code = ""
        self._tried: set[str] = set()

    @property
    def window(self) -> Window | None:
        """The window, where one is open now."""
        window = self._window
        return window if window is not None and self._monotonic() < window.until_s else None

    def opened(self, name: str, role: str, principal: str, key: str, now_ms: int) -> tuple[Window, str]:
        """Open a window; whichever was open before is shut. Return it, and the code to be shown."""
        secret = codes.new_secret()
        own = z85.encode(codes.curve_secret(secret, self._server_key))
        window = Window(
            name=name,
            role=role,
            public_key=zmq.curve_public(own).decode(),
            principal=principal,
            key=key,
            until_s=self._monotonic() + MINUTES * 60,
            expires_ms=now_ms + MINUTES * 60_000,
        )
        with self._lock:
            self._window, self._tried = window, set()
            self._code = codes.written(secret, self._server_key)
            return window, self._code

    def code_for(self, principal: str, key: str) -> tuple[Window, str] | None:
        """Return the open window and its code to who opened it under this key: its answer was lost."""
        with self._lock:
            window = self.window
            asked = window is not None and (window.principal, window.key) == (principal, key)
            return (window, self._code) if window is not None and asked else None

    def admits(self, public_key: str) -> bool:
        """Return whether the key is the one made of the code. Any thread."""
        window = self.window
        return window is not None and public_key == window.public_key

    def tried(self, public_key: str) -> Window | None:
        """Count an unknown key as a try, once; return the window that this one shut. Any thread."""
        with self._lock:
            window = self.window
            if window is None:
                return None
            self._tried.add(public_key)
            if len(self._tried) < TRIES:
                return None
            self._window, self._code = None, ""
            return window

    def shut(self, window: Window) -> bool:
        """Shut this very window; return whether it was the one that was open."""
        with self._lock:
            if self._window is not window:
                return False
            self._window, self._code = None, ""
            return True
