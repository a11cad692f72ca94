"""`taxctl check|backup|report|clear|settle`: prepare, show, ask, submit under a stored key, follow."""

from __future__ import annotations

import argparse
import os
import time

import msgspec

from taxclient.cli import exits, show
from taxclient.cli.follow import follow
from taxclient.cli.forms import months_of
from taxclient.cli.kept import Kept, state_folder
from taxclient.cli.screen import Screen
from taxclient.protocol import messages as m
from taxclient.protocol.errors import ClientError, KeyUnknown
from taxclient.sync import Client

_YES = frozenset({"yes", "y", "是", "确认"})
_NOTHING = "-"  # instead of a token: all that was asked for is done
_IRREVERSIBLE = frozenset({"report", "clear", "settle"})


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Ask for the job, or find the one that the same request made before; follow it."""
    args = _args(options, options.device or _only_device(client, options.command))
    if options.prepare:
        return _prepare(client, args, screen)
    kept = Kept(state_folder(dict(os.environ)), client.endpoint, "submit", args)
    job = _earlier(client, kept, screen)
    if job is None:
        token = _confirmation(options, client, args, screen)
        if token is None:
            screen.note(screen.speech.say("declined"))
            return exits.NOT_EXECUTED
        if token == _NOTHING:
            return exits.DONE
        job = _submitted(client, kept, msgspec.structs.replace(args, token=token), options)
    screen.line(show.job_line(job, screen.speech))
    if not options.no_wait:
        job = follow(client, job, screen, patience_s=options.patience, limit_s=options.limit)
    screen.result(m.JobResult(job=job))
    for line in show.job_end(job, screen.speech):
        screen.line(line)
    if job.ended and not screen.broken:
        kept.forget()
    if job.kind == "check" and job.ended:
        _show_device(client, job, screen)
    return exits.of_job(job)


def _show_device(client: Client, job: m.JobView, screen: Screen) -> None:
    """What a check is run for: how the device stands, where it was read since the check was asked for."""
    for view in client.devices().devices:
        if view.device_no == job.scope.device_no and view.as_of_ms >= job.accepted_ms:
            for line in show.device(view, screen.speech):
                screen.line(line)


def _args(options: argparse.Namespace, device_no: str) -> m.SubmitArgs:
    return m.SubmitArgs(
        kind=options.command,
        device_no=device_no,
        taxpayer_id=options.taxpayer,
        types=tuple(options.type),
        periods=(*options.period, *months_of(options.quarter)),
        late=options.late,
    )


def _only_device(client: Client, command: str) -> str:
    numbers = [view.device_no for view in client.devices().devices]
    if not numbers:
        raise exits.NotSent("BAD_REQUEST", "no_devices", "which_device")
    if len(numbers) > 1:
        names, example = ", ".join(numbers), f"taxctl {command} {numbers[0]}"
        raise exits.NotSent("BAD_REQUEST", "several_devices", "next_command", names, example)
    return numbers[0]


def _prepare(client: Client, args: m.SubmitArgs, screen: Screen) -> int:
    result = client.prepare(_to_prepare(args))
    _show(result, screen)
    if not result.consequences:
        screen.line(screen.speech.say("already_done"))
        screen.result(result)
        return exits.DONE
    screen.line(screen.speech.say("token", result.token, show.moment(result.expires_ms)))
    command = f"taxctl {args.kind} {args.device_no}{_scope_options(args)} --token {result.token}"
    screen.line(screen.speech.say("next_command", command))
    screen.result(result)
    return exits.DONE


def _scope_options(args: m.SubmitArgs) -> str:
    """The options that a token is bound to, as they are typed."""
    options = [f"--type {each}" for each in args.types] + [f"--period {each}" for each in args.periods]
    options += [f"--taxpayer {args.taxpayer_id}"] if args.taxpayer_id else []
    options += ["--late"] if args.late else []
    return "".join(f" {each}" for each in options)


def _earlier(client: Client, kept: Kept, screen: Screen) -> m.JobView | None:
    """The job of the same request, where it was sent before and is still what is asked for."""
    if not kept.sent:
        return None
    try:
        job = client.job_by_key(kept.entry.key)
    except KeyUnknown:
        return None  # it never arrived: it may go again, under the same key
    if not kept.stands_for(job, time.time_ns() // 1_000_000):
        kept.renew()
        return None
    if not job.ended:
        kept.accepted(job.job_id)  # the next command is told how it ends, or is a new one
    screen.note(screen.speech.say("found"))
    return job


def _confirmation(
    options: argparse.Namespace, client: Client, args: m.SubmitArgs, screen: Screen
) -> str | None:
    """The token; "" where none is needed, _NOTHING where nothing is left to do; None: the person said no."""
    if args.kind not in _IRREVERSIBLE or options.yes:
        return ""
    if options.token:
        return str(options.token)
    if not screen.terminal:
        command = f"taxctl {args.kind} {args.device_no}{_scope_options(args)}"
        raise exits.NotSent("TOKEN_NEEDED", "token_needed", "token_how", "", command)
    result = client.prepare(_to_prepare(args))
    _show(result, screen)
    if not result.consequences:
        screen.line(screen.speech.say("already_done"))
        return _NOTHING
    if screen.ask(screen.speech.say("ask")).lower() not in _YES:
        return None
    return result.token


def _show(result: m.PreparedResult, screen: Screen) -> None:
    screen.show(show.prepared(result, screen.speech))


def _to_prepare(args: m.SubmitArgs) -> m.PrepareArgs:
    return msgspec.convert(msgspec.to_builtins(args), m.PrepareArgs)


def _submitted(client: Client, kept: Kept, args: m.SubmitArgs, options: argparse.Namespace) -> m.JobView:
    def keep(key: str, sent_at: int, ttl_ms: int) -> None:
        try:
            kept.store(key, sent_at, ttl_ms)
        except OSError as error:
            raise exits.NotSent("STATE_DIR_UNWRITABLE", "no_state", "state_how", str(error)) from error

    try:
        answer = client.submit(args, key=kept.entry.key, ref=options.ref, keep=keep)
    except ClientError as error:
        if error.outcome == m.Outcome.NOT_EXECUTED:
            kept.forget()
        raise
    kept.accepted(answer.job.job_id)
    return answer.job
