"""job.answer over the wire: the question with its picture to who looks, the answer to the desk."""

from __future__ import annotations

from pathlib import Path

import msgpack
import msgspec
import pytest

from taxagent.jobs.asks import Answer, Picture
from taxagent.model.errors import JournalRefused
from taxagent.model.events import ChallengeAnswered
from taxagent.model.job import JobState, Wait, WaitReason
from taxclient.cli.main import main
from taxclient.protocol import messages as m
from taxclient.protocol.errors import FrameError
from taxclient.sync import Client
from tests.builders.command import run
from tests.builders.ipc import KEY, House, house, job, peer, reply_of

JOB = job().job_id
ROW = ChallengeAnswered(job_id=JOB, challenge_id="C1", principal="uid:0", key=KEY, at_ms=1)
PICTURE = b"\x89PNG\r\n" + bytes(range(256))


def asked(h: House, code: str = "CHALLENGE", **detail: str) -> None:
    """The job waits with a question."""
    wait = Wait(
        reason=WaitReason.CHALLENGE,
        fault=code,
        since_ms=1,
        next_ms=None,
        until_ms=None,
        detail={"challenge_id": "C1", "bureau_text": "请输入图片中的验证码", **detail},
    )
    h.desk.jobs = {JOB: job(state=JobState.WAITING, wait=wait)}
    h.desk.pictures = {JOB: Picture(image=PICTURE, image_type="image/png")}


def shown(view: m.JobView) -> m.ChallengeView:
    assert view.wait is not None
    assert view.wait.challenge is not None
    return view.wait.challenge


def test_who_looks_at_the_job_sees_the_question_and_its_picture(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        asked(h)
        for view in (client.job(JOB), client.wait(JOB, timeout_ms=0).job):
            question = shown(view)
            assert (question.challenge_id, question.question) == ("C1", "请输入图片中的验证码")
            assert (question.image, question.image_type) == (PICTURE, "image/png")


def test_lists_and_status_carry_no_picture(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        asked(h)
        h.reader.kept = dict(h.desk.jobs)
        for view in (*client.status().live_jobs, *client.jobs().jobs):
            assert (shown(view).question, shown(view).image) == ("请输入图片中的验证码", b"")


def test_after_a_wrong_answer_the_message_has_the_bureaus_words_and_the_question_is_the_new_one(
    tmp_path: Path,
) -> None:
    with house(tmp_path) as h, Client(h.endpoint, lang="zh") as client:
        asked(h, "CHALLENGE_WRONG", bureau_text="验证码不正确", question="请再输入一次")
        wait = client.job(JOB).wait
        assert wait is not None
        assert "验证码不正确" in wait.message
        assert shown(client.job(JOB)).question == "请再输入一次"


def test_the_answer_goes_to_the_desk_under_its_key(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        asked(h)
        assert client.answer(JOB, "C1", "w7x9", key=KEY).job_id == JOB
        assert h.desk.answers == [("uid:0", Answer(job_id=JOB, challenge_id="C1", text="w7x9", key=KEY))]


@pytest.mark.parametrize("text", ["", "x" * 65])
def test_an_answer_out_of_form_is_not_sent(tmp_path: Path, text: str) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        with pytest.raises(FrameError):
            client.answer(JOB, "C1", text)
        assert h.desk.answers == []


def test_no_print_of_an_answer_shows_it() -> None:
    assert "w7x9" not in repr(m.JobAnswerArgs(job_id=JOB, challenge_id="C1", answer="w7x9"))
    assert "w7x9" not in f"{Answer(job_id=JOB, challenge_id='C1', text='w7x9', key=KEY)}"


def test_taxctl_shows_the_question_keeps_the_picture_and_sends_the_answer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "code.png"
    with house(tmp_path) as h:
        asked(h)
        words = ["job", "answer", JOB, "w7x9", "--image", str(file), "--patience", "0.01"]
        assert main(["--endpoint", h.endpoint, "--lang", "zh", *words]) == 30
        assert [answer.text for _, answer in h.desk.answers] == ["w7x9"]
    printed = capfd.readouterr().out
    assert "请输入图片中的验证码" in printed
    assert f"图片：{file}" in printed
    assert f"taxctl job answer {JOB}" in printed
    assert file.read_bytes() == PICTURE
    assert file.stat().st_mode & 0o777 == 0o600


def test_taxctl_without_a_terminal_and_without_an_answer_asks_nobody(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        asked(h)
        code, found = run(h, capsysbinary, "job", "answer", JOB)
        assert (code, found["error"]["code"]) == (2, "BAD_REQUEST")
        h.desk.jobs = {JOB: msgspec.structs.replace(h.desk.jobs[JOB], wait=None, state=JobState.RUNNING)}
        code, found = run(h, capsysbinary, "job", "answer", JOB, "w7x9")
        assert (code, found["error"]["code"]) == (10, "CHALLENGE_OVER")
        assert h.desk.answers == []


def late(h: House) -> m.Reply:
    """The answer to one that comes when its time is over."""
    args = {"job_id": JOB, "challenge_id": "C1", "answer": "w7x9"}
    message = {"id": "1", "op": "job.answer", "key": KEY, "sent_at": 0, "ttl_ms": 5000, "args": args}
    with peer(h.endpoint) as socket:
        socket.send_multipart([b"TCA1", msgpack.packb(message)])
        return reply_of(socket.recv_multipart())


def test_an_answer_that_the_journal_has_is_answered_whenever_it_comes_again(tmp_path: Path) -> None:
    with house(tmp_path, jobs=[job()]) as h:
        h.reader.rows = [(1, ROW)]
        assert late(h).status == "ok"


def test_an_answer_that_comes_too_late_and_that_the_journal_has_not_was_not_executed(tmp_path: Path) -> None:
    with house(tmp_path, jobs=[job()]) as h:
        error = late(h).error
        assert error is not None
        assert (error.code, error.outcome, h.desk.answers) == ("EXPIRED", "not_executed", [])


def test_where_the_journal_cannot_be_read_what_the_key_did_is_unknown(tmp_path: Path) -> None:
    def unreadable(principal: str, key: str) -> None:
        raise JournalRefused("JOURNAL_REFUSED", reason="unreadable")

    with house(tmp_path, jobs=[job()]) as h:
        h.reader.answer_by_key = unreadable  # type: ignore[method-assign]
        error = late(h).error
        assert error is not None
        assert (error.outcome, h.desk.answers) == ("unknown", [])


def test_one_that_is_too_late_is_unknown_while_another_under_its_key_is_at_the_desk(tmp_path: Path) -> None:
    with house(tmp_path, jobs=[job()]) as h, peer(h.endpoint) as socket, Client(h.endpoint) as client:
        h.desk.hold = True
        args = {"job_id": JOB, "challenge_id": "C1", "answer": "w7x9"}
        message = {"id": "1", "op": "job.answer", "key": KEY, "ttl_ms": 5000, "args": args}
        socket.send_multipart([b"TCA1", msgpack.packb({**message, "sent_at": h.clock.now_ms})])
        while not h.desk.held:
            client.hello()
        error = late(h).error
        assert error is not None
        assert (error.code, error.outcome) == ("EXPIRED", "unknown")
        for answer in h.desk.held:
            h.inside(answer)
        assert reply_of(socket.recv_multipart()).status == "ok"
        error = late(h).error
        assert error is not None
        assert error.outcome == "not_executed"
