"""`taxctl job answer`: show the bureau's verification code, take the answer, see what comes of it."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from taxclient.cli import exits, show
from taxclient.cli.follow import follow
from taxclient.cli.screen import Screen
from taxclient.protocol import messages as m
from taxclient.sync import Client

_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif"}
_MODE = 0o600


def run(options: argparse.Namespace, client: Client, screen: Screen) -> int:
    """Answer the question that the job waits with; follow the job until it waits, ends or needs a person."""
    job = client.job(options.job_id)
    challenge = job.wait.challenge if job.wait is not None else None
    if challenge is None:
        raise exits.NotSent("CHALLENGE_OVER", "no_challenge", "see_job", job.job_id, job.job_id)
    screen.line(challenge.question)
    if challenge.image:
        screen.line(screen.speech.say("picture", _kept(challenge, options.image)))
    text = options.answer or (screen.ask(screen.speech.say("your_answer")) if screen.terminal else "")
    if not text:
        raise exits.NotSent("BAD_REQUEST", "no_answer", "answer_how", job.job_id, job.job_id)
    job = client.answer(job.job_id, challenge.challenge_id, text.strip())
    job = follow(client, job, screen, patience_s=options.patience)
    screen.result(m.JobResult(job=job))
    for line in show.job_end(job, screen.speech):
        screen.line(line)
    return exits.of_job(job)


def _kept(challenge: m.ChallengeView, where: str) -> str:
    """Write the picture to `where`, or to a temporary file of our own; return its path."""
    if where:
        descriptor, path = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), where
    else:
        suffix = _SUFFIXES.get(challenge.image_type, ".bin")
        descriptor, path = tempfile.mkstemp(prefix="taxctl-", suffix=suffix)
    with os.fdopen(descriptor, "wb") as file:
        file.write(challenge.image)
    return str(Path(path).resolve())
