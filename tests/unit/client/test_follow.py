"""Following a job by its key: through restarts, without sending anything twice, for as long as was said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from taxagent.model.job import JobState
from taxclient import (
    AgentUnavailable,
    ConnectionLost,
    ErrorBody,
    JobView,
    KeyUnknown,
    RemoteError,
    SubmitArgs,
    Timeout,
)
from taxclient import questions as q
from taxclient.conversation import Conversation
from taxclient.flows import Follow, Pause, Step, following
from taxclient.protocol import messages as m
from taxclient.questions import Question
from tests.builders.drivers import DRIVERS, Driver
from tests.builders.ipc import DEVICE, KEY, house, job

REQUEST = SubmitArgs(device_no=DEVICE, kind="settle")


def view(state: str, rev: str = "1", *, ended: bool = False) -> JobView:
    scope = m.ScopeView(device_no=DEVICE, taxpayer_id="", types=(), periods=())
    return JobView(
        job_id=job().job_id,
        rev=rev,
        kind="settle",
        state=state,
        ended=ended,
        outcome="unknown",
        scope=scope,
        principal="p",
        key=KEY,
        ref="",
        accepted_ms=1,
        ended_ms=None,
        late=False,
        cancel_requested=False,
        confirmed=None,
        wait=None,
        problem=None,
        steps=(),
        tickets=(),
        backups=(),
        record_sha256="",
    )


def refusal(code: str, retry: str = "never", retry_after_ms: int | None = None) -> RemoteError:
    body = ErrorBody(
        code=code,
        message="",
        outcome="unknown",
        retry=retry,
        who="here",
        remedy="",
        retry_after_ms=retry_after_ms,
    )
    return KeyUnknown(body) if code == "KEY_UNKNOWN" else RemoteError(body)


UNKNOWN_KEY = refusal("KEY_UNKNOWN")
GONE = AgentUnavailable("ipc:///gone")
LOST = ConnectionLost("job.wait", 5)
RUNNING, DONE = view("running"), view("done", "2", ended=True)


def play(
    answers: list[JobView | Exception | None],
    *,
    request: bool = False,
    seconds: float = 1,
    **limits: int | None,
) -> tuple[list[str], JobView | Exception, list[str]]:
    """Answer the flow's steps one by one; return what it asked, how it ended, and the states that were seen.

    Each step takes `seconds` on the clock.
    """
    now, asked, seen = 0.0, list[str](), list[str]()
    what = Follow(
        key=KEY,
        request=q.submit(REQUEST, KEY, "", None) if request else None,
        limit_ms=limits.get("limit_ms"),
        away_ms=limits.get("away_ms") or 60_000,
        seen=lambda found: seen.append(found.state),
    )
    flow = following(what, Conversation(), lambda: now)
    left: Iterator[JobView | Exception | None] = iter(answers)
    try:
        step = next(flow)
        while True:
            asked.append(name(step))
            now += seconds
            answer = next(left)
            step = flow.throw(answer) if isinstance(answer, Exception) else flow.send(result(step, answer))
    except StopIteration as end:
        found: JobView = end.value
        return asked, found, seen
    except (KeyUnknown, RemoteError, AgentUnavailable, Timeout) as error:
        return asked, error, seen


def name(step: Step) -> str:
    if isinstance(step, Question):
        return f"{step.op} by key" if isinstance(step.args, m.JobGetArgs) and step.args.key else step.op
    assert isinstance(step, Pause)
    return f"pause {step.ms}"


def result(step: Step, answer: JobView | None) -> object:
    if not isinstance(step, Question) or answer is None:
        return None
    if step.op == "job.wait":
        return m.JobWaitResult(job=answer, timed_out=False)
    return m.AcceptedResult(job=answer, known=False) if step.op == "submit" else answer


def test_a_job_is_read_by_its_key_and_waited_for_until_it_ends() -> None:
    asked, end, seen = play([RUNNING, RUNNING, DONE])
    assert asked == ["job.get by key", "job.wait", "job.wait"]
    assert end is DONE
    assert seen == ["running", "done"]


def test_a_job_that_needs_a_person_is_handed_back() -> None:
    stuck = view("needs_human", "3")
    assert play([RUNNING, stuck])[1] is stuck


def test_after_a_lost_answer_the_job_is_read_again_by_its_key() -> None:
    asked, end, _ = play([RUNNING, LOST, GONE, GONE, RUNNING, DONE])
    assert asked == ["job.get by key", "job.wait", *["job.get by key"] * 3, "job.wait"]
    assert end is DONE


def test_a_request_goes_out_where_its_key_is_not_known_and_only_then() -> None:
    assert play([UNKNOWN_KEY, RUNNING, DONE], request=True)[0] == ["job.get by key", "submit", "job.wait"]
    assert play([DONE], request=True)[0] == ["job.get by key"]


def test_a_request_without_an_answer_is_asked_for_before_it_goes_out_again() -> None:
    lost = Timeout("submit", 5, key=KEY)
    asked, end, _ = play([UNKNOWN_KEY, lost, DONE], request=True)
    assert (asked, end) == (["job.get by key", "submit", "job.get by key"], DONE)
    asked, end, _ = play([UNKNOWN_KEY, lost, UNKNOWN_KEY, DONE], request=True)
    assert asked == ["job.get by key", "submit", "job.get by key", "submit"]


def test_a_job_that_was_seen_and_is_no_longer_known_is_not_asked_for_again() -> None:
    asked, end, _ = play([RUNNING, LOST, UNKNOWN_KEY], request=True)
    assert (asked[-1], end) == ("job.get by key", UNKNOWN_KEY)


def test_without_a_request_an_unknown_key_is_the_callers() -> None:
    assert play([UNKNOWN_KEY])[1] is UNKNOWN_KEY


def test_an_agent_that_starts_or_stops_is_given_time() -> None:
    asked, end, _ = play([refusal("DRAINING", "after_ms", 700), None, refusal("VERIFYING"), None, DONE])
    assert (asked[1], asked[3], end) == ("pause 700", "pause 250", DONE)


def test_a_refusal_ends_it() -> None:
    refused = refusal("TOKEN_EXPIRED", "after_fix")
    assert play([UNKNOWN_KEY, refused], request=True)[1] is refused


def test_an_agent_that_stays_away_is_given_up_after_its_time() -> None:
    asked, end, _ = play([RUNNING, LOST, *[GONE] * 20], seconds=2, away_ms=10_000)
    assert end is GONE
    assert len(asked) == 7


def test_at_the_limit_the_job_comes_back_as_it_was_last_seen() -> None:
    asked, end, _ = play([RUNNING] * 9, seconds=2, limit_ms=5_000)
    assert (end, len(asked)) == (RUNNING, 3)


@pytest.fixture(params=DRIVERS, ids=["sync", "asyncio"])
def driver(request: pytest.FixtureRequest) -> Driver:
    found: Driver = request.param
    return found


def test_both_drivers_follow_a_job_through_a_restart_of_the_agent(tmp_path: Path, driver: Driver) -> None:
    ends: list[JobView] = []

    def follow() -> None:
        with driver(endpoint) as client:
            ends.append(client.follow(KEY))

    waiting = job(1, state=JobState.WAITING)
    with house(tmp_path) as h:
        endpoint = h.endpoint
        h.reader.kept = h.desk.jobs = {waiting.job_id: waiting}
        h.reader.kept[waiting.job_id] = msgspec.structs.replace(
            waiting, principal=principal(endpoint, driver)
        )
        follower = threading.Thread(target=follow)
        follower.start()
        with driver(endpoint) as client:
            while not h.loop.parked:
                client.hello()
    with house(tmp_path) as h:
        done = msgspec.structs.replace(waiting, state=JobState.DONE)
        h.reader.kept = h.desk.jobs = {done.job_id: done}
        follower.join(20)
    assert [end.state for end in ends] == ["done"]


def test_both_drivers_send_the_request_under_its_key_once(tmp_path: Path, driver: Driver) -> None:
    with house(tmp_path) as h, driver(h.endpoint) as client:
        found = client.follow(KEY, request=REQUEST, ref="V-1", limit_ms=0)
        assert (found.key, found.state, found.ref) == (KEY, "accepted", "V-1")
        h.reader.kept = dict(h.desk.jobs)
        again = client.follow(KEY, request=REQUEST, ref="V-1", limit_ms=0)
        assert again.job_id == found.job_id
        assert len(h.desk.asked) == 1


def principal(endpoint: str, driver: Driver) -> str:
    with driver(endpoint) as client:
        return client.hello().principal
