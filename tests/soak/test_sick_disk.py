"""The real agent on a disk that fails: at the fsync of its journal, and when no room is left."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from taxagent.journal import JOURNAL_NAME
from taxagent.simulator.site import Site
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import ClientError, KeyUnknown, RemoteError
from tests.builders.site import (
    DEVICE,
    PERIOD,
    TAXPAYER,
    client,
    ended,
    prepared,
    site,
    submitted,
    until,
    waits,
    writes,
)
from tests.crash.power_tape import built

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None, reason="needs Linux, and gcc for the sick fsync"
)
ONCE_PER_TYPE = sorted([(kind, True) for kind in ("seal", "clock_ticket", "apply_ticket")] * 2)
KEY = "a-key-on-a-sick-disk"


@contextmanager
def sick_fsync(shop: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a flag: while that file exists, an agent that is started here finds its log's fsync failing."""
    flag = shop.folder / "sick"
    with monkeypatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(built(shop.folder)))
        patch.setenv("POWER_FLAG", str(flag))
        yield flag


def test_an_accept_whose_fsync_fails_is_unknown_and_the_next_start_reads_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with site() as shop:
        shop.file_return(TAXPAYER, PERIOD)
        with sick_fsync(shop, monkeypatch) as flag:
            agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            flag.touch()
            with pytest.raises(ClientError) as told:
                submitted(one, token, KEY)
            assert (told.value.outcome, told.value.retry) == ("unknown", "same_key")
        assert agent.child.wait(20) == 1, "it commits nothing more and ends"
        assert "JOURNAL_UNKNOWN" in agent.log_end()
        assert writes(shop) == [], "nothing was begun on it"
        shop.start_agent()  # on a disk that is well again
        with client(shop) as one:
            try:
                known = one.job_by_key(KEY).job_id
            except KeyUnknown:
                known = ""
            job = submitted(one, token, KEY).job_id
            assert known in ("", job)
            assert ended(one, job).outcome == "executed"
        assert sorted(writes(shop)) == ONCE_PER_TYPE


@pytest.mark.parametrize("command", ["seal", "apply_ticket"])
def test_a_commit_that_fails_after_a_write_ends_the_agent_before_its_next_step(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site() as shop, shop.device_orders() as orders:
        shop.file_return(TAXPAYER, PERIOD)
        with sick_fsync(shop, monkeypatch) as flag:
            agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            orders.order(
                {"do": "fault", "device": DEVICE, "command": command, "point": "after", "act": "hold"}
            )
            submitted(one, token, KEY)
        orders.event("reached")
        done = writes(shop)
        flag.touch()
        orders.order({"do": "clear_faults"})
        assert agent.child.wait(20) == 1
        assert writes(shop) == done, "no step was begun that the journal may not have"
        shop.start_agent()
        with client(shop) as one:
            job = one.job_by_key(KEY)
            assert ended(one, job.job_id).outcome == "executed"
        assert sorted(writes(shop)) == ONCE_PER_TYPE


@contextmanager
def small_disk(folder: Path, mb: int) -> Iterator[Path]:
    """Mount a disk of `mb` MB; skip the test where this user may not."""
    folder.mkdir(mode=0o700, parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mb}m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user may mount no tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def filled(disk: Path, left_kb: int = 0) -> Path:
    """Fill a disk but for so much; return the file to remove."""
    ballast = disk / "somebody-else's"
    size = shutil.disk_usage(disk).free - left_kb * 1024
    with ballast.open("wb") as file:
        file.write(bytes(size))
    return ballast


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def settled_on(one: Client, key: str, token: str) -> None:
    job = ended(one, submitted(one, token, key).job_id)
    assert (job.state, job.outcome) == ("done", "executed"), job.problem


@pytest.mark.parametrize("left_kb", [0, 4096], ids=["no byte left", "less than the reserve left"])
def test_a_full_disk_executes_nothing_answers_reads_and_is_forgotten_once_there_is_room(left_kb: int) -> None:
    with site() as shop, small_disk(shop.state_dir, 24) as disk:
        shop.file_return(TAXPAYER, PERIOD)
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            ballast = filled(disk, left_kb)
            with pytest.raises(RemoteError) as full:
                submitted(one, token, KEY)
            assert (full.value.code, full.value.outcome) == ("JOURNAL_FULL", "not_executed")
            assert full.value.remedy
            with pytest.raises(KeyUnknown):
                one.job_by_key(KEY)
            assert one.status().devices[0].device_no == DEVICE
            ballast.unlink()
            settled_on(one, KEY, token)
            assert agent.child.poll() is None
        assert sorted(writes(shop)) == ONCE_PER_TYPE


def test_a_job_that_meets_a_full_disk_in_its_middle_goes_on_by_itself() -> None:
    with site() as shop, small_disk(shop.state_dir, 24) as disk:
        agent = shop.start_agent()
        with client(shop) as one:
            token = prepared(one)
            job = submitted(one, token, KEY).job_id
            waits(one, job, "declaration")
            ballast = filled(disk)
            shop.file_return(TAXPAYER, PERIOD)
            until(lambda: "job_not_journaled" in agent.log_end(), "the job met the full disk")
            assert one.job(job).wait is not None, "the job is as the journal has it"
            ballast.unlink()
            agent.stop()
            shop.start_agent()
        with client(shop) as one:
            assert ended(one, job).outcome == "executed"
        assert sorted(writes(shop)) == ONCE_PER_TYPE


@pytest.mark.parametrize("left_kb", [0, 4096])
def test_a_start_on_a_full_disk_says_so_and_changes_nothing(left_kb: int) -> None:
    with site() as shop, small_disk(shop.state_dir, 24) as disk:
        first = shop.start_agent()
        with client(shop) as one:
            prepared(one)
        first.stop()
        filled(disk, left_kb)
        before = sha256_of(disk / JOURNAL_NAME)
        agent = shop.start_agent()
        assert agent.child.wait(20) != 0
        log = agent.log_end()
        assert "JOURNAL_FULL" in log
        assert "清理磁盘空间" in log, "and what to do"
        assert "Traceback" not in log
        assert sha256_of(disk / JOURNAL_NAME) == before


def test_a_first_start_on_a_full_disk_says_so() -> None:
    with site() as shop, small_disk(shop.state_dir, 24) as disk:
        filled(disk)
        agent = shop.start_agent()
        assert agent.child.wait(20) == 10
        assert "No space left on device" in agent.log_end()
        assert "free some space" in agent.log_end()


def test_a_journal_of_a_newer_agent_is_refused_at_the_start_and_untouched() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            prepared(one)
        agent.stop()
        path = shop.state_dir / JOURNAL_NAME
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 999")
        before = sha256_of(path)
        agent = shop.start_agent()
        assert agent.child.wait(20) == 10
        assert "JOURNAL_REFUSED" in agent.log_end()
        assert "newer" in agent.log_end()
        assert sha256_of(path) == before


def test_a_journal_whose_rows_were_changed_ends_the_start_with_what_to_do() -> None:
    with site() as shop:
        agent = shop.start_agent()
        with client(shop) as one:
            prepared(one)
        agent.stop()
        with closing(sqlite3.connect(shop.state_dir / JOURNAL_NAME, isolation_level=None)) as db:
            db.execute("DROP TRIGGER event_no_update")
            db.execute("UPDATE event SET body = CAST(replace(body, 'agent', 'Agent') AS BLOB) WHERE seq = 1")
        agent = shop.start_agent()
        assert agent.child.wait(20) == 1
        assert "JOURNAL_REFUSED" in agent.log_end()
        assert "taxagent journal verify" in agent.log_end()
        assert writes(shop) == []


def test_a_back_up_that_finds_no_room_stops_the_job_before_the_seal() -> None:
    with site() as shop, small_disk(shop.state_dir / "backups", 1) as disk:
        shop.state_dir.chmod(0o700)
        filled(disk)
        shop.start_agent()
        with client(shop) as one:
            job = ended(one, submitted(one, prepared(one), KEY).job_id)
            assert job.outcome == "not_executed"
            assert job.problem is not None
            assert job.problem.code == "BACKUP_FAILED"
        assert writes(shop) == []


def test_reads_need_no_room() -> None:
    with site() as shop, small_disk(shop.state_dir, 24) as disk:
        shop.start_agent()
        with client(shop) as one:
            prepared(one)
            filled(disk)
            assert one.status().devices
            assert one.jobs(m.JobListArgs()).jobs == ()
