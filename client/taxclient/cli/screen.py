"""Where taxctl writes: lines for people, or one UTF-8 JSON object for programs, on any console."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from taxclient.cli import console, exits
from taxclient.cli.columns import Shown, Table
from taxclient.cli.console import Channel
from taxclient.cli.exits import NotSent
from taxclient.cli.misfits import misfit_said
from taxclient.cli.show import mends
from taxclient.cli.words import Speech
from taxclient.protocol.errors import AgentUnavailable, ClientError, RemoteError, Timeout
from taxclient.protocol.messages import ErrorBody, Message


class Screen:
    """Standard output and error. With `json` only `result` and `error` write, once."""

    def __init__(self, speech: Speech, *, json: bool, out: Channel, err: Channel, terminal: bool) -> None:
        self.speech = speech
        self.json = json
        self.terminal = terminal and not json
        self._out = out
        self._err = err
        self._is_passing = False

    @property
    def broken(self) -> bool:
        """Whether nobody gets what is written any more."""
        return self._out.broken

    def line(self, text: str = "") -> None:
        """Write a line for people."""
        if not self.json:
            self._write(self._out, text)

    def show(self, shown: Iterable[Shown]) -> None:
        """Write lines and tables for people; at a terminal tables are drawn, where rich is there."""
        for item in shown:
            if isinstance(item, str):
                self.line(item)
                continue
            for line in self._drawn(item) if self.terminal and self._out.unicode else item.plain():
                self.line(line)

    def _drawn(self, table: Table) -> Iterable[str]:
        if not table.rows:
            return ()
        try:
            from taxclient.cli.drawn import drawn
        except ImportError:  # the client's wheel needs no rich
            return table.plain()
        return drawn(table).split("\n")

    def passing(self, text: str) -> None:
        """Write what holds for now, at a terminal alone: the next line takes its place."""
        if self.terminal:
            self._out.text(self._clear() + text)
            self._is_passing = True

    def note(self, text: str) -> None:
        """Write a line for people that is not the result."""
        if not self.json:
            self._write(self._err, text)

    def result(self, message: Message | dict[str, object]) -> None:
        """Write the JSON object; nothing where people read."""
        if self.json:
            self._out.data(msgspec.json.encode(message) + b"\n")

    def ask(self, question: str) -> str:
        """Ask at the terminal and return the answer, "" at the end of input."""
        self._out.text(question)
        return "" if self.broken else console.answer()

    def error(self, error: ClientError) -> None:
        """Say what went wrong and what to do."""
        body = error_body(error, self.speech)
        if self.json:
            self.result({"error": body})
            return
        title = f"{body.title} [{body.code}]" if body.title else f"[{body.code}]"
        self._write(self._err, title)
        for text in (body.message, *mends(body, self.speech)):
            if text:
                self._write(self._err, text)

    def _write(self, channel: Channel, text: str) -> None:
        channel.text(f"{self._clear()}{text}\n")

    def _clear(self) -> str:
        """What takes a passing line away."""
        passing, self._is_passing = self._is_passing, False
        return "\r\x1b[K" if passing else ""


def error_body(error: ClientError, speech: Speech) -> ErrorBody:
    """Return any of our errors in the protocol's form; the client's own have codes of their own."""
    if isinstance(error, RemoteError):
        return error.body
    if isinstance(error, NotSent):
        words = (error.code, speech.say(error.text, error.detail), speech.say(error.remedy, error.example))
    elif isinstance(error, AgentUnavailable):
        words = ("AGENT_UNAVAILABLE", speech.say("no_agent", error.endpoint), speech.say("start_agent"))
    elif isinstance(error, Timeout):
        words = ("TIMEOUT", speech.say("timeout"), speech.say("ask_again" if error.key else "try_later"))
    elif exits.malformed(error):
        said = f"{speech.say('malformed')}{speech.aside(misfit_said(error, speech))}"
        words = ("BAD_REQUEST", said, speech.say("form"))
    else:
        words = ("PROTOCOL_ERROR", f"{speech.say('garbled')} ({error})", speech.say("update"))
    return ErrorBody(
        code=words[0],
        title=words[1],
        message="",
        outcome=error.outcome,
        retry=error.retry,
        who="here",
        remedy=words[2],
    )
