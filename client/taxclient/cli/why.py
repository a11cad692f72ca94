"""`taxctl why`: can this shop issue invoices, and if not, why? `taxagent why` shows the same lines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import groupby

from taxclient.cli import exits
from taxclient.cli import words as w
from taxclient.cli.lines import contact
from taxclient.cli.screen import Screen
from taxclient.cli.show import moment
from taxclient.cli.words import Speech
from taxclient.protocol import messages as m
from taxclient.sync import Client


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Ask, and show an answer a type."""
    result = client.diagnose(options.device)
    screen.result(result)
    for line in lines(result, screen.speech):
        screen.line(line)
    if result.contact and any(answer.causes for answer in result.answers):
        screen.line(contact(result.contact, screen.speech))
    return exits.DONE


def lines(result: m.DiagnoseResult, speech: Speech) -> Iterator[str]:
    """A device a paragraph: a line for each type, then the causes; types that are alike stand together."""
    for _, answers in groupby(result.answers, key=lambda answer: (answer.device_no, answer.location)):
        of_device = list(answers)
        yield _device(of_device[0], speech)
        told: list[m.CauseView] = []
        for alike in _alike(of_device):
            yield from (_verdict(answer, speech) for answer in alike)
            for cause in alike[0].causes:
                yield from _cause(cause, speech, known=cause in told)
                told.append(cause)


def _device(answer: m.AnswerView, speech: Speech) -> str:
    who = " ".join(part for part in (answer.taxpayer_id, answer.taxpayer_name) if part)
    read = speech.say("read_at", moment(answer.as_of_ms)) if answer.as_of_ms else speech.say("never_read")
    age = f"{read}{speech.comma}{speech.say('stale')}" if answer.as_of_ms and answer.stale else read
    parts = [answer.device_no or answer.location or speech.say("no_device"), who, age]
    return "  ".join(part for part in parts if part) + (speech.say("simulated") if answer.simulated else "")


def _alike(answers: list[m.AnswerView]) -> list[list[m.AnswerView]]:
    """Return the answers by verdict and causes, each group where its first stands."""
    groups: list[list[m.AnswerView]] = []
    for answer in answers:
        same = (
            group
            for group in groups
            if (group[0].verdict, group[0].causes) == (answer.verdict, answer.causes)
        )
        group = next(same, None)
        if group is None:
            groups.append([answer])
        else:
            group.append(answer)
    return groups


def _verdict(answer: m.AnswerView, speech: Speech) -> str:
    kind = speech.word(w.INVOICE, answer.invoice_type)
    about = f"{answer.invoice_type} {kind}" if kind != answer.invoice_type else kind
    parts = [speech.word(w.VERDICT, answer.verdict), about, speech.say("case_code", answer.case_code)]
    if answer.hours_left:
        parts.insert(2, speech.say("hours_left", answer.hours_left))
    return "  " + "  ".join(part for part in parts if part)


def _cause(cause: m.CauseView, speech: Speech, *, known: bool) -> Iterator[str]:
    """The cause in full, the second time its title alone."""
    title = f"    {'!' if cause.blocks == 'yes' else '-'} {cause.title}{speech.aside(cause.number)}"
    if known:
        yield f"{title}{speech.comma}{speech.say('as_above')}"
        return
    yield title
    yield f"      {cause.message}"
    yield "      " + speech.say("who_mends", speech.word(w.WHO, cause.who))
    yield "      " + speech.say("remedy", cause.remedy)
    if cause.next:
        yield "      " + speech.say("next_command", cause.next)
