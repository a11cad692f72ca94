"""Typical user code. Nothing here runs; it must pass mypy --strict (part of `make check`)."""

from __future__ import annotations

import asyncio

from taxclient import (
    AgentUnavailable,
    CheckArgs,
    Client,
    ClientError,
    EventView,
    JobView,
    KeyUnknown,
    NotAllowed,
    Outcome,
    PrepareArgs,
    RemoteError,
    Retry,
    SubmitArgs,
    Timeout,
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
            except ClientError as error:
                print(what_to_say(error))
    print(asyncio.run(rack("ipc:///run/taxagent/agent.sock", [])))
