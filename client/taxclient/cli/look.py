"""`taxctl status|job|record`: what reads, and what stops or follows a job."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

import msgspec

from taxclient.cli import exits, show
from taxclient.cli import words as w
from taxclient.cli.columns import Table
from taxclient.cli.screen import Screen
from taxclient.protocol import messages as m
from taxclient.sync import Client


def status(_: argparse.Namespace, client: Client, screen: Screen) -> int:
    """The agent and its devices."""
    result = client.status()
    screen.result(result)
    return _lines(show.status(result, screen.speech), screen)


def job(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Job list, get, wait, cancel, resume, close, answer."""
    if options.action == "list":
        return _job_list(options, client, screen)
    if options.action == "answer":
        from taxclient.cli import answer

        return answer.run(options, client, screen)
    if options.action == "cancel":
        found = client.cancel(options.job_id)
        screen.line(screen.speech.say("cancelling"))
    elif options.action == "resume":
        found = client.resume(options.job_id)
    elif options.action == "close":
        found = client.close_job(options.job_id, options.reason)
    else:
        found = client.job_by_key(options.key) if options.key else client.job(options.job_id)
    if options.action == "wait":
        from taxclient.cli.follow import follow

        try:
            found = follow(client, found, screen, patience_s=float("inf"), limit_s=options.limit, waits=True)
        except KeyboardInterrupt:
            screen.note(screen.speech.say("goes_on", found.job_id))
            raise
        screen.result(m.JobResult(job=found))
        _lines(show.job_end(found, screen.speech), screen)
        return exits.of_job(found)
    screen.result(m.JobResult(job=found))
    simulated = found.scope.device_no in _simulated(client, screen)
    shown = show.job(found, time.time_ns() // 1_000_000, screen.speech, simulated=simulated)
    return _lines(shown, screen)


def record(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Record list, get, verify."""
    if options.action == "list":
        args = m.RecordListArgs(device_no=options.device, before=options.before, limit=options.number)
        page = client.records(args)
        screen.result(page)
        rows = [show.record_row(row, screen.speech) for row in page.records]
        screen.show([Table(rows, _headings(w.RECORDS, screen)) if rows else screen.speech.say("none")])
        return exits.DONE
    if options.action == "verify":
        from taxclient.cli import proof

        return proof.run(options, client, screen)
    found = client.record(options.job_id)
    content = msgspec.json.decode(found.json)
    screen.result({**msgspec.to_builtins(found), "record": content})
    screen.line(found.page.rstrip())
    return exits.DONE


def _job_list(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    args = m.JobListArgs(
        device_no=options.device, live=options.live, before=options.before, limit=options.number
    )
    page = client.jobs(args)
    screen.result(page)
    simulated = _simulated(client, screen) if page.jobs else frozenset()
    rows = [
        show.job_row(found, screen.speech, simulated=found.scope.device_no in simulated)
        for found in page.jobs
    ]
    screen.show([Table(rows, _headings(w.JOBS, screen)) if rows else screen.speech.say("none")])
    return exits.DONE


def _simulated(client: Client, screen: Screen) -> frozenset[str]:
    """Return the numbers of the simulated devices; none for a program: it has `simulated` of device.list."""
    if screen.json:
        return frozenset()
    return frozenset(view.device_no for view in client.devices().devices if view.simulated)


def _headings(words: w.Words, screen: Screen) -> list[str]:
    return [screen.speech.word(words, name) for name in words]


def _lines(lines: Iterable[str], screen: Screen) -> int:
    for line in lines:
        screen.line(line)
    return exits.DONE
