"""The asyncio client: the same surface, calls that overlap, and cancelling that leaves nothing behind."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from taxagent.model.events import JobRunning
from taxagent.model.job import JobState
from taxclient import Client, Closed, EventStream, RemoteError, SubmitArgs
from taxclient.aio import AsyncClient, AsyncEventStream
from tests.builders.ipc import DEVICE, KEY, House, house, job


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def tell(h: House, seq: int) -> None:
    """The journal has a row more, and the loop says so."""
    row = (seq, JobRunning(at_ms=seq, job_id=job().job_id, boot="boot-1"))
    h.reader.rows.append(row)
    h.inside(lambda: h.loop.publish([row]))


async def parked(client: AsyncClient, h: House) -> asyncio.Task[Any]:
    """A wait of the client's that the agent has taken."""
    task = asyncio.create_task(client.wait(job().job_id, timeout_ms=60_000))
    async with AsyncClient(h.endpoint) as other:
        while not h.loop.parked:
            await other.hello()
    return task


@pytest.mark.parametrize("blocking, awaited", [(Client, AsyncClient), (EventStream, AsyncEventStream)])
def test_both_clients_have_the_same_methods_with_the_same_arguments(blocking: type, awaited: type) -> None:
    names = {name for name in vars(blocking) if not name.startswith("_")}
    assert names == {name for name in vars(awaited) if not name.startswith("_")}
    for name in names - {"close"}:
        ours, theirs = getattr(blocking, name), getattr(awaited, name)
        if inspect.isfunction(ours):
            assert inspect.iscoroutinefunction(theirs), name
            assert list(inspect.signature(ours).parameters.values()) == list(
                inspect.signature(theirs).parameters.values()
            ), name
            assert theirs.__doc__, name


def test_calls_overlap_and_each_gets_its_own_answer(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        async with AsyncClient(h.endpoint) as client:
            task = await parked(client, h)
            jobs = await asyncio.gather(*(client.job(job(number).job_id) for number in range(1, 9)))
            assert [found.job_id for found in jobs] == [job(number).job_id for number in range(1, 9)]
            assert not task.done()
            h.desk.jobs[job().job_id] = job(state=JobState.RUNNING)
            h.inside(lambda: h.loop.publish([(1, JobRunning(at_ms=5, job_id=job().job_id, boot="boot-1"))]))
            assert (await task).job.job_id == job().job_id

    with house(tmp_path) as h:
        h.desk.jobs = {job(number).job_id: job(number) for number in range(1, 9)}
        run(work(h))


def test_the_answer_to_a_cancelled_call_is_nobodys(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        async with AsyncClient(h.endpoint) as client:
            for _ in range(20):
                for ask in (client.devices, client.status, client.hello):
                    task: asyncio.Task[object] = asyncio.create_task(ask())
                    await asyncio.sleep(0)
                    task.cancel()
                    with suppress(asyncio.CancelledError):  # some are answered by then
                        await task
                assert (await client.job(job().job_id)).job_id == job().job_id

    with house(tmp_path) as h:
        h.desk.jobs[job().job_id] = job()
        run(work(h))


def test_a_parked_call_that_is_cancelled_gives_its_connection_back(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        async with AsyncClient(h.endpoint) as client:
            task = await parked(client, h)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            h.desk.jobs[job().job_id] = job(state=JobState.RUNNING)
            h.inside(lambda: h.loop.publish([(1, JobRunning(at_ms=5, job_id=job().job_id, boot="boot-1"))]))
            assert (await client.status()).version == "0.1.0"

    with house(tmp_path) as h:
        h.desk.jobs[job().job_id] = job()
        run(work(h))


def test_a_cancelled_submit_is_found_by_its_key(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        accept = h.desk.accept

        def tells(*args: Any) -> None:
            accept(*args)
            loop.call_soon_threadsafe(arrived.set)

        h.desk.accept = tells  # type: ignore[method-assign,assignment]
        h.desk.hold = True
        async with AsyncClient(h.endpoint) as client:
            task = asyncio.create_task(client.submit(SubmitArgs(device_no=DEVICE, kind="settle"), key=KEY))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            h.inside(h.desk.held[0])
            h.reader.kept = dict(h.desk.jobs)
            assert (await client.job_by_key(KEY)).key == KEY

    with house(tmp_path) as h:
        run(work(h))


def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        client = AsyncClient(h.endpoint)
        waiting = await parked(client, h)
        stream = await client.events()
        hearing = asyncio.create_task(stream.next(60_000))
        await asyncio.sleep(0)
        client.close()
        client.close()
        for task in (waiting, hearing):
            with pytest.raises(Closed):
                await task
        with pytest.raises(Closed):
            await client.status()

    with house(tmp_path) as h:
        h.desk.jobs[job().job_id] = job()
        run(work(h))


def test_a_refusal_keeps_the_connection(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        async with AsyncClient(h.endpoint) as client:
            for _ in range(3):
                with pytest.raises(RemoteError, match="JOB_UNKNOWN"):
                    await client.job("0" * 26)
            assert len(client._idle) == 1  # noqa: SLF001 - what the sentence says

    with house(tmp_path) as h:
        run(work(h))


def test_events_come_without_gaps_also_where_a_call_was_cancelled(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        async with AsyncClient(h.endpoint) as client, await client.events(since=0) as stream:
            seen: list[int] = []
            for seq in range(1, 41):
                tell(h, seq)
                task = asyncio.create_task(stream.next(5_000))
                for _ in range(seq % 4):
                    await asyncio.sleep(0)
                if seq % 3 == 0:
                    task.cancel()
                try:
                    event = await task
                except asyncio.CancelledError:
                    continue
                assert event is not None
                seen.append(event.seq)
            while (event := await stream.next(50)) is not None:
                seen.append(event.seq)
            assert sorted(seen) == list(range(1, 41))
            assert seen == sorted(seen)

    with house(tmp_path) as h:
        run(work(h))


def test_a_loop_in_another_thread_serves_as_well(tmp_path: Path) -> None:
    async def work(h: House) -> None:
        async with AsyncClient(h.endpoint) as client:
            assert (await client.hello()).protocol == "TCA/1"

    with house(tmp_path) as h:
        failed: list[BaseException] = []

        def other() -> None:
            try:
                run(work(h))
            except BaseException as error:  # noqa: BLE001 - shown below
                failed.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(20)
        assert failed == []
