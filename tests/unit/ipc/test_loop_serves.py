"""The loop answers: from memory, by the desk, from the journal; a client sees values, not frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxagent.model.errors import Refusal
from taxagent.model.job import JobState
from taxclient.protocol import messages as m
from taxclient.protocol.errors import KeyUnknown, RemoteError
from taxclient.sync import Client
from tests.builders.ipc import DEVICE, KEY, digest, house, job


def submit_args(**changes: object) -> m.SubmitArgs:
    return m.SubmitArgs(device_no=DEVICE, kind="settle", token="t", **changes)  # type: ignore[arg-type]


def test_hello_says_who_answers_and_what_it_takes(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        hello = client.hello()
        assert (hello.protocol, hello.minor, hello.role, hello.principal) == ("TCA/1", 2, "admin", "uid:0")
        assert hello.now == h.clock.now_ms
        assert hello.limits["request_bytes"] == 65_536
        assert hello.events == h.endpoint + ".events"


def test_status_comes_from_memory(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        assert [device.device_no for device in client.status().devices] == [DEVICE]
        assert client.devices().devices[0].taxpayer_name == "测试商店"


def test_a_submitted_job_is_accepted_once_under_its_key(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        first = client.submit(submit_args(), key=KEY)
        again = client.submit(submit_args(), key=KEY)
        assert (first.known, again.known) == (False, True)
        assert first.job.job_id == again.job.job_id
        assert client.job(first.job.job_id).state == "accepted"


def test_a_refusal_comes_with_words_and_what_to_do(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint, lang="zh") as client:
        h.desk.refusal = Refusal("NOTHING_DUE", device_no=DEVICE)
        with pytest.raises(RemoteError) as caught:
            client.submit(submit_args(), key=KEY)
        assert (caught.value.code, caught.value.outcome) == ("NOTHING_DUE", "not_executed")
        assert caught.value.remedy
        assert any("一" <= letter <= "鿿" for letter in caught.value.message)


def test_an_unknown_key_is_no_proof_before_its_time_is_over(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        with pytest.raises(KeyUnknown) as caught:
            client.job_by_key(KEY)
        assert caught.value.outcome == "unknown"
        h.reader.kept = {job().job_id: job()}
        assert client.job_by_key(KEY).job_id == job().job_id


def test_a_job_of_an_earlier_boot_is_read_from_the_journal(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        old = job(7, state=JobState.DONE, ended_ms=5, record_sha256="ab")
        h.reader.kept = {old.job_id: old}
        assert client.job(old.job_id).ended
        assert not client.wait(old.job_id, until="end").timed_out
        assert [j.job_id for j in client.jobs().jobs] == [old.job_id]
        assert client.records().records[0].sha256 == "ab"


def test_a_record_is_given_as_it_was_journaled(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        text = '{"税":1}'.encode()
        old = job(7, state=JobState.DONE, record_sha256=digest(text))
        h.reader.kept, h.reader.records = {old.job_id: old}, {old.job_id: text}
        record = client.record(old.job_id)
        assert digest(record.json.encode()) == record.sha256
        with pytest.raises(RemoteError, match="RECORD_UNKNOWN"):
            client.record(job(8).job_id)


def test_prepare_gives_a_token_and_cancel_answers_the_job(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        prepared = client.prepare(m.PrepareArgs(device_no=DEVICE, kind="settle"))
        assert (prepared.token, prepared.consequences) == ("token-1", ("SEAL:007:2026-10",))
        made = client.submit(submit_args(), key=KEY).job
        assert client.cancel(made.job_id).cancel_requested
        with pytest.raises(RemoteError, match="JOB_UNKNOWN"):
            client.cancel(job(99).job_id)


def test_an_exception_in_the_agent_leaves_no_trace_of_itself(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        h.desk.explode = True
        with pytest.raises(RemoteError) as caught:
            client.submit(submit_args(), key=KEY)
        assert (caught.value.code, caught.value.outcome) == ("INTERNAL", "unknown")
        assert "secret" not in str(caught.value.body)
        assert client.status().version == "0.1.0"
