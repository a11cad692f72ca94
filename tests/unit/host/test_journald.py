"""Entries of the system journal: what is in the datagram, and what becomes of one that is not taken."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from taxagent.host.journald import Journald, wanted


@pytest.fixture
def journal() -> Iterator[socket.socket]:
    with (
        tempfile.TemporaryDirectory(prefix="jd-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door,
    ):
        door.bind(str(Path(folder) / "socket"))
        door.settimeout(5)
        yield door


def sent(journal: socket.socket, **event: object) -> bytes:
    with pytest.raises(structlog.DropEvent):
        Journald(Path(journal.getsockname()))(None, "", event)
    return journal.recv(65536)


def test_an_event_is_a_message_a_priority_and_a_field_for_each_fact(journal: socket.socket) -> None:
    data = sent(
        journal, event="job_ended", level="error", timestamp="t", job_id="01J", fault="", steps={"seal": 1}
    )
    assert data.decode().splitlines() == [
        'MESSAGE=job_ended job_id=01J steps={"seal":1}',
        "PRIORITY=3",
        "SYSLOG_IDENTIFIER=taxagent",
        "TAXAGENT_EVENT=job_ended",
        "TAXAGENT_JOB_ID=01J",
        "TAXAGENT_FAULT=",
        'TAXAGENT_STEPS={"seal":1}',
    ]


def test_a_value_of_several_lines_has_its_length_before_it_and_forges_no_field(
    journal: socket.socket,
) -> None:
    data = sent(journal, event="e", detail="one\nPRIORITY=0")
    assert b"TAXAGENT_DETAIL\n" + (14).to_bytes(8, "little") + b"one\nPRIORITY=0\n" in data
    assert b"MESSAGE=e detail=one PRIORITY=0\n" in data


def test_what_the_journal_does_not_take_is_a_line_with_its_priority(tmp_path: Path) -> None:
    line = Journald(tmp_path / "nobody")(None, "", {"event": "draining", "level": "warning"})
    assert line == "<4>draining"


def test_an_entry_too_long_for_a_datagram_is_a_line(journal: socket.socket) -> None:
    event = {"event": "e", "level": "info", **{f"fact_{number}": "x" * 60_000 for number in range(9)}}
    assert Journald(Path(journal.getsockname()))(None, "", event).startswith("<6>e fact_0=xxx")


def test_it_is_wanted_where_systemd_named_this_very_file() -> None:
    found = os.fstat(2)
    assert wanted({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, 2)
    assert not wanted({"JOURNAL_STREAM": "1:2"}, 2)
    assert not wanted({}, 2)
