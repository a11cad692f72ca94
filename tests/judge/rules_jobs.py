"""Rules about jobs: one a key, one at a time, one end each; and the chain under them all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tests.judge.evidence import IRREVERSIBLE, Evidence
from tests.judge.shapes import Row, Told
from tests.judge.verdicts import Facts, facts, rule

_KEYED = frozenset({"submit", "check"})


@rule
def one_job_per_key(seen: Evidence) -> Iterator[Facts]:
    """One job per (principal, key), for ever: in the journal, and in all that anyone was told."""
    jobs: dict[tuple[str, str], str] = {}
    for row in seen.accepts.values():
        if row.key and jobs.setdefault((row.principal, row.key), row.job_id) != row.job_id:
            yield facts(key=row.key, jobs=f"{jobs[row.principal, row.key]} {row.job_id}")
    for told in seen.told:
        for view in told.views() if told.op in _KEYED else ():
            job_id = jobs.setdefault((told.principal, told.key), view.job_id)
            if job_id != view.job_id:
                yield facts(key=told.key, told=view.job_id, journal=job_id)


@rule
def accepted_is_durable(seen: Evidence) -> Iterator[Facts]:
    """A job that anyone was shown stands in the journal, under the key that asked for it."""
    for told, view in seen.jobs_told():
        accept = seen.accepts.get(view.job_id)
        if accept is None:
            if view.job_id not in seen.forgotten:
                yield facts(job=view.job_id, op=told.op, journal="has no such job")
        elif told.op in _KEYED and (accept.principal, accept.key) != (told.principal, told.key):
            yield facts(job=view.job_id, asked=told.key, journal=accept.key)


@rule
def refused_made_no_job(seen: Evidence) -> Iterator[Facts]:
    """Where every request under a key was told `not_executed`, no job has the key."""
    asked: dict[tuple[str, str], list[Told]] = {}
    for told in seen.told:
        if told.op in _KEYED:
            asked.setdefault((told.principal, told.key), []).append(told)
    for row in seen.accepts.values():
        told_of = asked.get((row.principal, row.key), [])
        if told_of and all(_not_executed(told) for told in told_of):
            yield facts(job=row.job_id, key=row.key, told="not_executed")


@rule
def accepted_is_never_denied(seen: Evidence) -> Iterator[Facts]:
    """Who asks about a key once its job is accepted is never told `not_executed`, or that it is unknown."""
    accepts = {(row.principal, row.key): row for row in seen.accepts.values() if row.key}
    for told in seen.told:
        error, accept = told.reply and told.reply.error, accepts.get((told.principal, told.key))
        if not error or accept is None or not _stood_before(seen, accept, told.sent_ms):
            continue
        if error.code == "KEY_UNKNOWN" or (told.op in _KEYED and _not_executed(told)):
            yield facts(key=told.key, job=accept.job_id, told=error.code)


def _stood_before(seen: Evidence, accept: Row, at_ms: int) -> bool:
    """Whether a job was accepted before: by its row's time, or, where that clock was wrong, by a write."""
    if seen.comparable and accept.at_ms < at_ms:
        return True
    return any(line.at_ms < at_ms for line in seen.wrote(accept.job_id))


@rule
def known_stays_known(seen: Evidence) -> Iterator[Facts]:
    """Who was once told of a job by its key is never told that the key is unknown, or not executed."""
    known: dict[tuple[str, str], Told] = {}
    for told in seen.told:
        if told.key and any(view.job_id not in seen.forgotten for view in told.views()):
            first = known.setdefault((told.principal, told.key), told)
            known[told.principal, told.key] = min(first, told, key=lambda each: each.told_ms)
    for told in seen.told:
        error = told.reply.error if told.reply is not None else None
        before = known.get((told.principal, told.key))
        if error is None or before is None or before.told_ms >= told.sent_ms:
            continue
        if error.code == "KEY_UNKNOWN" or (told.op in _KEYED and _not_executed(told)):
            yield facts(key=told.key, job=before.views()[0].job_id, told=error.code)


def _not_executed(told: Told) -> bool:
    """Whether the request itself was said to have done nothing; a conflict is about another request."""
    error = told.reply.error if told.reply is not None else None
    return error is not None and error.outcome == "not_executed" and error.code != "KEY_CONFLICT"


@rule
def one_live_job(seen: Evidence) -> Iterator[Facts]:
    """At most one live job has a (device, group, period)."""
    held: dict[tuple[str, str, str], str] = {}
    for row in seen.rows:
        if row.event == "job.accepted":
            for group, period in row.claims:
                claim = (row.scope.device_no, group, period)
                if claim in held:
                    yield facts(claim="/".join(claim), jobs=f"{held[claim]} {row.job_id}")
                held[claim] = row.job_id
        elif row.event == "job.ended":
            held = {claim: job_id for claim, job_id in held.items() if job_id != row.job_id}


@rule
def one_outcome(seen: Evidence) -> Iterator[Facts]:
    """Each accepted job ends in exactly one outcome, and nothing happens to it afterwards."""
    shown = {standing.job_id: standing for standing in seen.standings}
    for job_id, accept in seen.accepts.items():
        rows = seen.by_job[job_id]
        ends = [row for row in rows if row.event == "job.ended"]
        if len(ends) > 1 or (ends and rows[-1] is not ends[0]):
            yield facts(job=job_id, ends=len(ends), last=rows[-1].event)
        if not ends and seen.settled and rows[-1].event != "job.needs_human":
            yield facts(job=job_id, kind=accept.kind, left_at=rows[-1].event)
        standing = shown.get(job_id)
        if standing is None or standing.ended != bool(ends):
            yield facts(job=job_id, projection=standing, ended=bool(ends))


@rule
def settled_before_again(seen: Evidence) -> Iterator[Facts]:
    """No irreversible step begins while the device has one of which nothing is known."""
    open_steps: dict[str, dict[tuple[str, str], Row]] = {}
    for row in seen.rows:
        accept = seen.accepts.get(row.job_id)
        if accept is None:
            continue
        steps = open_steps.setdefault(accept.scope.device_no, {})
        if row.event == "job.ended":
            for key in [key for key in steps if key[0] == row.job_id]:
                del steps[key]
        elif row.event == "step.begun" and row.id.step in IRREVERSIBLE:
            for other in steps.values():
                yield facts(step=row.id, job=row.job_id, open=other.id, of=other.job_id, row=row.seq)
            steps[row.job_id, str(row.id)] = row
        elif row.event == "step.ended" and row.outcome != "unknown":
            steps.pop((row.job_id, str(row.id)), None)


@rule
def chain_verifies(seen: Evidence) -> Iterator[Facts]:
    """Each row's hash follows from the one before it, without a gap."""
    digest, last = hashlib.sha256(seen.journal_id.encode()).digest(), 0
    for link in seen.links:
        digest = hashlib.sha256(digest + link.body).digest()
        if link.seq != last + 1 or link.digest != digest:
            yield facts(row=link.seq, after=last)
            return
        last = link.seq


@rule
def a_person_is_told_why(seen: Evidence) -> Iterator[Facts]:
    """What reading cannot settle names the facts that disagree."""
    for row in seen.rows:
        if row.event == "job.needs_human" and (row.problem is None or not row.problem.detail):
            yield facts(job=row.job_id, problem=row.problem)
    for told in seen.told:
        error = told.reply.error if told.reply is not None else None
        if error is not None and not error.remedy:
            yield facts(op=told.op, code=error.code, remedy="none")
