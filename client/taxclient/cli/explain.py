"""`taxctl explain`: what a code or a prompt means. `taxagent explain` shows the same lines.

The catalogue is the agent's; what only a client can meet (no agent, no answer) is told without one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from taxclient.cli import exits
from taxclient.cli import words as w
from taxclient.cli.columns import Shown, Table
from taxclient.cli.screen import Screen
from taxclient.cli.words import Speech, Words
from taxclient.protocol import messages as m
from taxclient.protocol.errors import AgentUnavailable, RemoteError
from taxclient.sync import Client

_FACTS: Words = {
    "who": ("由谁处理", "who can mend it"),
    "outcome": ("结果", "outcome"),
    "retry": ("重试", "retry"),
    "prompt": ("对应提示", "the guide's line"),
    "vendor": ("厂商代码", "the vendor's code"),
}
_OUTCOME: Words = {
    "not_executed": (
        "未执行：遇到它的这一步什么也没有改变；任务此前做完的步骤仍然有效",
        "not executed: the step that met it changed nothing; what a job did before stands",
    ),
    "executed": ("已执行：这一步此前已经做完", "executed: the step is done"),
    "partly_executed": ("部分执行", "partly executed"),
    "unknown": (
        "待核实：可能已经执行，读取设备和税务机关之后才知道；不要另行重做",
        "unknown: it may have been done, which reading device and bureau tells; do nothing twice",
    ),
}
RETRY: Words = {
    "never": ("不用重试", "no"),
    "same_key": ("用同一个请求编号立即重试", "at once, under the same key"),
    "after_ms": ("稍后自动重试", "later, by itself"),
    "after_fix": ("处理好之后再试", "after it was mended"),
    "ask_human": ("先由人决定", "a person decides first"),
}
_IN_FULL = 14  # more than stand behind one prompt
_OWN: dict[str, tuple[str, str, str, str, str]] = {  # code -> title, message, remedy, outcome, retry
    "AGENT_UNAVAILABLE": ("agent_unavailable", "nothing_sent", "start_agent", "not_executed", "after_ms"),
    "TIMEOUT": ("timeout", "timeout_means", "ask_again", "unknown", "same_key"),
    "PROTOCOL_ERROR": ("garbled", "garbled_means", "update", "unknown", "after_fix"),
}


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Ask the agent, and add what is ours; what is ours alone is told without asking."""
    own = own_faults(options.what, screen.speech)
    result = m.ExplainResult(faults=own)
    if not options.what or not own:
        result = _asked(client, options.what, own, screen)
    screen.result(result)
    screen.show(lines(result, screen.speech))
    return exits.DONE


def own_faults(said: str, speech: Speech) -> tuple[m.FaultView, ...]:
    """Return the client's own faults that are meant: by code or a part of their title; all for ""."""
    what = said.strip()
    named = what.upper().replace("-", "_")
    if named in _OWN:
        return (_own(named, speech),)
    if what and len(what) < 2:
        return ()
    return tuple(_own(code, speech) for code in _OWN if any(what.casefold() in t for t in _titles(code)))


def lines(result: m.ExplainResult, speech: Speech) -> Iterator[Shown]:
    """The faults behind a prompt in full, one under the other; many as a list of code and title."""
    if len(result.faults) <= _IN_FULL:
        for number, fault in enumerate(result.faults):
            yield from [""] if number else []
            yield from _in_full(fault, speech)
    else:
        yield Table([(fault.code, fault.title) for fault in result.faults])


def _asked(client: Client, what: str, own: tuple[m.FaultView, ...], screen: Screen) -> m.ExplainResult:
    try:
        answer = client.explain(what)
    except AgentUnavailable:
        screen.note(screen.speech.say("explain_alone", what or ""))
        raise
    except RemoteError as error:
        if error.code == "MEANING_UNKNOWN" and own:
            return m.ExplainResult(faults=own)
        raise
    return m.ExplainResult(faults=(*answer.faults, *own))


def _titles(code: str) -> tuple[str, ...]:
    return tuple(each.casefold() for each in w.TEXT[_OWN[code][0]])


def _own(code: str, speech: Speech) -> m.FaultView:
    title, message, remedy, outcome, retry = _OWN[code]
    return m.FaultView(
        code=code,
        title=speech.say(title),
        message=speech.say(message),
        remedy=speech.say(remedy),
        who="here",
        outcome=outcome,
        retry=retry,
        prompt="",
    )


def _in_full(fault: m.FaultView, speech: Speech) -> Iterator[Shown]:
    yield f"{fault.code}: {fault.title}"
    yield f"  {fault.message}"
    yield "  " + speech.say("remedy", fault.remedy)
    yield Table(
        (
            (speech.word(_FACTS, "who"), speech.word(w.WHO, fault.who)),
            (speech.word(_FACTS, "outcome"), speech.word(_OUTCOME, fault.outcome)),
            (speech.word(_FACTS, "retry"), speech.word(RETRY, fault.retry)),
            *([(speech.word(_FACTS, "prompt"), fault.prompt)] if fault.prompt else []),
            *((speech.word(_FACTS, "vendor"), _shown(row, speech)) for row in fault.vendor_codes),
        ),
        indent="  ",
    )


def _shown(row: m.VendorCodeView, speech: Speech) -> str:
    kinds = speech.say("listed").join(speech.word(w.DEVICE, kind) for kind in row.kinds)
    return speech.say("vendor_code", row.code, kinds, row.words)
