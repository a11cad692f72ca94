"""drain over the wire: an admin's alone, for one start of the agent, with what still runs in the reply."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from taxagent.ipc.access import Access, AccessTable, Peer
from taxagent.jobs.asks import Principal, Role
from taxagent.model.job import JobState
from taxclient.cli.main import main
from taxclient.conversation import Conversation
from taxclient.protocol import messages as m
from taxclient.protocol.errors import FrameError, NotAllowed, RemoteError
from taxclient.sync import Client
from tests.builders.ipc import DEVICE, KEY, House, house, job


class Everyone(Access):
    """Every peer is uid:0 with one role."""

    def __init__(self, role: Role) -> None:
        super().__init__(AccessTable())
        self._role = role

    def resolve(self, peer: Peer) -> Principal | None:
        return Principal(name="uid:0", role=self._role)


def working(h: House) -> None:
    """One job is being worked on, one waits."""
    running, waiting = job(1, state=JobState.RUNNING), job(2, state=JobState.WAITING)
    h.desk.jobs = {each.job_id: each for each in (running, waiting)}


def test_the_reply_says_what_still_runs_and_what_is_left(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        working(h)
        client.hello()
        found = client.drain(client.boot, key=KEY)
        assert ([each.state for each in found.running], found.left, found.boot) == (["running"], 1, "boot-1")
        assert h.desk.drained == [("uid:0", KEY)]


def test_a_drain_of_another_start_is_refused(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        with pytest.raises(RemoteError) as caught:
            client.drain("boot-0")
        assert (caught.value.code, caught.value.outcome) == ("BOOT_OVER", "not_executed")
        assert h.desk.drained == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.TECHNICIAN])
def test_only_an_admin_stops_the_agent_and_a_jobs_key_lets_nobody_in(tmp_path: Path, role: Role) -> None:
    with house(tmp_path, Everyone(role)) as h, Client(h.endpoint) as client:
        h.reader.kept = {job().job_id: job()}  # KEY names a job of this very principal
        with pytest.raises(NotAllowed):
            client.drain("boot-1", key=KEY)
        assert h.desk.drained == []


def test_a_drain_without_a_key_is_not_sent() -> None:
    with pytest.raises(FrameError, match="needs a key"):
        Conversation().begin("drain", m.DrainArgs(boot="b"), now_ms=0, ttl_ms=1)


def test_hello_and_the_events_say_that_the_agent_stops(tmp_path: Path) -> None:
    with house(tmp_path) as h, Client(h.endpoint) as client:
        assert not client.hello().draining
        with client.events() as stream:
            h.mailbox.post(h.loop.draining)
            event = stream.next(5_000)
            assert event is not None
            assert (event.topic, event.type, event.seq) == ("agent", "agent.draining", 0)


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "Being worked on"), ("zh", "正在办理，走到下一个安全点为止")]
)
def test_taxctl_says_what_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], lang: str, words: str
) -> None:
    with house(tmp_path) as h:
        working(h)
        assert main(["--endpoint", h.endpoint, "--lang", lang, "drain"]) == 0
        shown = capfd.readouterr().out
        assert words in shown
        assert DEVICE in shown


def test_taxctl_prints_the_reply_as_one_object(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with house(tmp_path) as h:
        assert main(["--endpoint", h.endpoint, "--json", "drain"]) == 0
        (line,) = [each for each in capsysbinary.readouterr().out.splitlines() if each.startswith(b'{"boot')]
        assert msgspec.json.decode(line) == {"boot": "boot-1", "running": [], "left": 0}
