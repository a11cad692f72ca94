"""Typical user code. Nothing here runs; it must pass mypy --strict (part of `make check`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from taxclient import (
    AcceptedResult,
    AgentUnavailable,
    ChallengeView,
    CheckArgs,
    Client,
    ClientError,
    DrainResult,
    EventView,
    InvoiceArgs,
    JobListArgs,
    JobListResult,
    JobView,
    KeyUnknown,
    NotAllowed,
    Outcome,
    PairOpenResult,
    PrepareArgs,
    RecordListArgs,
    RecordListResult,
    RemoteError,
    Retry,
    SubmitArgs,
    Timeout,
    connect,
    new_key,
)
from taxclient.aio import AsyncClient


def due(client: Client) -> dict[str, list[str]]:
    """Months that are due, by device."""
    return {
        device.device_no: [p.period for t in device.types for p in t.periods if p.state != "settled"]
        for device in client.status().devices
    }


def settle(client: Client, device_no: str, stored: dict[str, str]) -> JobView:
    """Prepare, confirm, submit under a stored key, follow through restarts."""
    shown = client.prepare(PrepareArgs(kind="settle", device_no=device_no))
    fen: int = sum(row.positive_amount for row in shown.totals)
    request = SubmitArgs(kind="settle", device_no=device_no, periods=shown.scope.periods, token=shown.token)
    key = stored.setdefault(device_no, new_key())
    return client.follow(key, request=request, ref=f"V-{fen}", limit_ms=3_600_000, seen=show)


def back_up(client: Client, device_no: str, store: Callable[[str, int, int], None]) -> str:
    """A job that nobody waits for; its key is stored before it is sent."""
    accepted: AcceptedResult = client.submit(SubmitArgs(kind="backup", device_no=device_no), keep=store)
    return accepted.job.key if accepted.known else accepted.job.job_id


def show(job: JobView) -> None:
    """A line a step."""
    print(job.state, [(step.step, step.outcome) for step in job.steps])


def what_to_say(error: ClientError) -> str:
    """Decide by class, outcome and retry; never by the text."""
    if isinstance(error, AgentUnavailable):
        return error.endpoint
    if isinstance(error, Timeout):
        return f"unknown, ask for {error.key}" if error.outcome == Outcome.UNKNOWN else "ask again"
    if isinstance(error, NotAllowed | KeyUnknown):
        return error.remedy
    if isinstance(error, RemoteError) and error.retry == Retry.AFTER_MS:
        later: int | None = error.retry_after_ms
        return f"later: {later}"
    return str(error)


def hear(client: Client) -> list[EventView]:
    """Events until a quiet second."""
    heard: list[EventView] = []
    with client.events(since=0) as stream:
        while (event := stream.next(1_000)) is not None:
            heard.append(event)
    return heard


def look(client: Client, device_no: str) -> list[str]:
    """All that is asked for reading: each result is typed to its leaves."""
    hello = client.hello()
    lines = [f"{hello.protocol} minor {hello.minor} as {hello.role}", *hello.ops]
    lines += [f"{thing.usb_id} {thing.name}" for thing in client.devices().seen]
    details = client.device(device_no)
    lines += [f"{limit.invoice_type} {limit.capacity_left}" for limit in details.limits]
    for answer in client.diagnose(device_no).answers:
        lines += [f"{answer.verdict} {cause.message} {cause.next}" for cause in answer.causes]
    lines += [fault.remedy for fault in client.explain("CHALLENGE").faults]
    lines += [line.remedy for line in client.doctor().lines]
    window = client.explain_window(2026, device_no)
    lines += [f"{row.month} {row.deadline}" for row in window.deadlines]
    found = client.invoice(InvoiceArgs(device_no=device_no, code="3700221320", number="04310401"))
    amount: int = found.invoice.amount
    return [*lines, f"{amount} {found.period_state}"]


def evidence(client: Client) -> dict[str, bool]:
    """Whether each record still stands."""
    page: RecordListResult = client.records(RecordListArgs(limit=10))
    texts = {row.job_id: client.record(row.job_id).page for row in page.records}
    return {job_id: client.verify_record(job_id).holds for job_id in texts}


def tend(client: Client) -> None:
    """What a person does with jobs that wait or need one."""
    job_list: JobListResult = client.jobs(JobListArgs(live=True))
    for job in job_list.jobs:
        now = client.wait(job.job_id, rev=job.rev, until="change", timeout_ms=0).job
        challenge: ChallengeView | None = now.wait.challenge if now.wait else None
        if challenge is not None:
            picture: bytes = challenge.image
            client.answer(job.job_id, challenge.challenge_id, f"{len(picture)}", key=new_key())
        elif now.state == "needs_human":
            client.close_job(now.job_id, "settled by hand")
        elif now.cancel_requested:
            client.resume(client.cancel(client.job(now.job_id).job_id).job_id)
    print(client.job_by_key("key-of-sixteen-chars").state, client.events_since(0).last)


def lend(client: Client, device_no: str) -> bool:
    """Leave a device to the invoicing program, take it back, and stop the agent."""
    given = client.release(device_no, minutes=30)
    until: int | None = given.released_until_ms
    client.retry(client.hold(device_no, key=new_key()).device.device_no)
    drained: DrainResult = client.drain(client.boot)
    return until is None and not drained.running and client.restarts == 0


def let_in(client: Client, name: str) -> str:
    """Pair a till, let it read alone, and take its key away again."""
    opened: PairOpenResult = client.open_pairing(name, "operator")
    client.redeem("k" * 40)
    with connect("tcp://127.0.0.1:8470", key_file="till.json") as till:
        till.status()
    client.set_client_role(name, "viewer")
    gone = client.revoke_client(name).client.revoked_ms
    return opened.code if gone else client.clients().pairing


async def rack(endpoint: str, devices: list[str]) -> list[str]:
    """Many devices side by side."""
    async with AsyncClient(endpoint, lang="zh") as client:
        accepted = await asyncio.gather(
            *(client.check(CheckArgs(device_no=device_no), key=new_key()) for device_no in devices)
        )
        jobs = await asyncio.gather(*(client.follow(answer.job.key) for answer in accepted))
        async with await client.events() as stream:
            event: EventView | None = await stream.next(1_000)
        return [job.outcome for job in jobs] + ([event.type] if event else [])


def main() -> None:
    """All of it."""
    with Client(timeout_ms=5_000, lang="en") as client:
        for device_no in due(client):
            try:
                show(settle(client, device_no, {}))
                print(look(client, device_no), evidence(client), lend(client, device_no), let_in(client, "a"))
                tend(client)
            except ClientError as error:
                print(what_to_say(error))
    print(asyncio.run(rack("ipc:///run/taxagent/agent.sock", [])))
