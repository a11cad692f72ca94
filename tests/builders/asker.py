"""A person at the terminal, for tests: answers by a word of the question, and remembers what was said."""

from __future__ import annotations

from collections.abc import Callable


class ScriptedAsker:
    """cli.terminal.Asker. The first word of `answers` that a question has gives its answer, else the default.

    An answer may be a list: one after the other, where the check sends it back.
    """

    def __init__(
        self, answers: dict[str, str | list[str]], *, agrees: bool = False, secret: str = ""
    ) -> None:
        self._answers = {
            word: [told] if isinstance(told, str) else list(told) for word, told in answers.items()
        }
        self._agrees = agrees
        self._secret = secret
        self.said: list[str] = []
        self.asked: list[str] = []
        self.secrets_asked = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def ask(self, question: str, default: str = "", check: Callable[[str], str] | None = None) -> str:
        self.asked.append(question)
        told = next((told for word, told in self._answers.items() if word in question), [default])
        while True:
            answer = told.pop(0) if told else default
            wrong = check(answer) if check is not None else ""
            if not wrong:
                return answer
            self.said.append(f"! {wrong}")
            assert told, f"{question}: {answer!r} was not taken: {wrong}"

    def secret(self, question: str, again: str, differ: str) -> str:
        self.secrets_asked += 1
        return self._secret

    def agreed(self, question: str) -> bool:
        self.asked.append(question)
        return self._agrees
