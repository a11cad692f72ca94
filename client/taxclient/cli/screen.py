"""Where taxctl writes: lines for people, or one UTF-8 JSON object for programs, on any console."""

from __future__ import annotations

import sys
from typing import BinaryIO

import msgspec

from taxclient.cli.exits import NotSent
from taxclient.cli.words import Speech
from taxclient.protocol.errors import AgentUnavailable, ClientError, RemoteError, Timeout
from taxclient.protocol.messages import ErrorBody, Message


class Screen:
    """Standard output and error. With `json` only `result` and `error` write, once."""

    def __init__(self, speech: Speech, *, json: bool, out: BinaryIO, err: BinaryIO, terminal: bool) -> None:
        self.speech = speech
        self.json = json
        self.terminal = terminal and not json
        self._out = out
        self._err = err
        self._is_passing = False

    def line(self, text: str = "") -> None:
        """Write a line for people."""
        if not self.json:
            self._write(self._out, text)

    def passing(self, text: str) -> None:
        """Write what holds for now, at a terminal alone: the next line takes its place."""
        if self.terminal:
            self._out.write(self._clear() + text.encode())
            self._out.flush()
            self._is_passing = True

    def note(self, text: str) -> None:
        """Write a line for people that is not the result."""
        if not self.json:
            self._write(self._err, text)

    def result(self, message: Message | dict[str, object]) -> None:
        """Write the JSON object; nothing where people read."""
        if self.json:
            self._write(self._out, msgspec.json.encode(message).decode())

    def ask(self, question: str) -> str:
        """Ask at the terminal and return the answer, "" at the end of input."""
        self._out.write(question.encode())
        self._out.flush()
        return sys.stdin.readline().strip()

    def error(self, error: ClientError) -> None:
        """Say what went wrong and what to do."""
        body = error_body(error, self.speech)
        if self.json:
            self.result({"error": body})
            return
        title = f"{body.title} [{body.code}]" if body.title else f"[{body.code}]"
        self._write(self._err, title)
        for text in (body.message, self.speech.say("remedy", body.remedy) if body.remedy else ""):
            if text:
                self._write(self._err, text)

    def _write(self, stream: BinaryIO, text: str) -> None:
        stream.write(self._clear() + text.encode() + b"\n")
        stream.flush()

    def _clear(self) -> bytes:
        """What takes a passing line away."""
        passing, self._is_passing = self._is_passing, False
        return b"\r\x1b[K" if passing else b""


def error_body(error: ClientError, speech: Speech) -> ErrorBody:
    """Return any of our errors in the protocol's form; the client's own have codes of their own."""
    if isinstance(error, RemoteError):
        return error.body
    if isinstance(error, NotSent):
        words = (error.code, speech.say(error.text, error.detail), speech.say(error.remedy))
    elif isinstance(error, AgentUnavailable):
        words = ("AGENT_UNAVAILABLE", speech.say("no_agent", error.endpoint), speech.say("start_agent"))
    elif isinstance(error, Timeout):
        words = ("TIMEOUT", speech.say("timeout"), speech.say("ask_again" if error.key else "try_later"))
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
