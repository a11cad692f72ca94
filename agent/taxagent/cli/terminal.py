"""Asking a person at the terminal: a question with a default, a secret, a yes or no. Knows no command."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from typing import Protocol

from taxagent.model.errors import Refusal

_YES = frozenset({"y", "yes", "是", "shi"})
_TYPINGS = 3  # of a secret that is typed twice


class Asker(Protocol):
    """Who is asked. `check` returns what is wrong with an answer, "" where it is well."""

    def say(self, text: str) -> None:
        """Show a line."""

    def ask(self, question: str, default: str = "", check: Callable[[str], str] | None = None) -> str:
        """Return an answer that `check` takes; an empty one is the default."""

    def secret(self, question: str, again: str, differ: str) -> str:
        """Return what was typed twice without being shown, "" where nothing was typed."""

    def agreed(self, question: str) -> bool:
        """Return whether the answer is yes; an empty one is no."""


class Terminal:
    """Asker over standard input and output. An end of input is Refusal("BAD_REQUEST")."""

    def say(self, text: str) -> None:
        print(text)

    def ask(self, question: str, default: str = "", check: Callable[[str], str] | None = None) -> str:
        while True:
            answer = self._line(f"{question} [{default}]: " if default else f"{question}: ") or default
            wrong = check(answer) if check is not None else ""
            if not wrong:
                return answer
            print(f"  ! {wrong}")

    def secret(self, question: str, again: str, differ: str) -> str:
        for _ in range(_TYPINGS):
            value = self._unseen(question)
            if not value or self._unseen(again) == value:
                return value
            print(f"  ! {differ}")
        return ""

    def agreed(self, question: str) -> bool:
        return self._line(f"{question} ").lower() in _YES

    def _unseen(self, question: str) -> str:
        try:
            return getpass.getpass(f"{question}: ")
        except EOFError:
            raise _ended() from None

    def _line(self, question: str) -> str:
        print(question, end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            raise _ended()
        return line.strip()


def _ended() -> Refusal:
    return Refusal("BAD_REQUEST", field="input", what="input_ended")
