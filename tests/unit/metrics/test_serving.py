"""The ways out of the metrics: what fails there is told and hurts nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from taxagent.metrics.families import Families
from taxagent.metrics.service import Metrics
from taxagent.metrics.serving import Endpoint, TextFile, given_socket
from tests.builders.ipc import FakeClock


def test_before_the_first_picture_a_scrape_is_answered_with_what_the_disk_tells(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"x" * 10)
    text = Families(tmp_path / "journal.db", lambda: 0.0).openmetrics().decode()
    assert "taxagent_journal_size_bytes 10.0" in text
    assert text.endswith("# EOF\n")


def test_a_commit_that_raises_is_measured_and_still_raises(tmp_path: Path) -> None:
    times = iter([1.0, 1.25])
    families = Families(tmp_path / "journal.db", lambda: next(times))
    with pytest.raises(ZeroDivisionError):
        families.measured(lambda: 1 // 0)
    assert "taxagent_journal_commit_seconds_sum 0.25" in families.openmetrics().decode()


def test_an_agent_without_metrics_does_not_load_their_library() -> None:
    code = "import sys, taxagent.daemon; print('prometheus_client' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert ran.stdout == "False\n"


@pytest.mark.parametrize("listen", ["", "127.0.0.1:0"])
def test_a_commit_is_made_with_metrics_and_without(tmp_path: Path, listen: str) -> None:
    metrics = Metrics(
        FakeClock(), "0.1.0", tmp_path / "journal.db", listen=listen, textfile=None, interval_s=5.0
    )
    made: list[int] = []
    metrics.measured(lambda: made.append(1))
    assert made == [1]


def test_a_socket_is_taken_only_where_systemd_gave_it_to_this_very_process() -> None:
    assert given_socket({}, 7) is None
    assert given_socket({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, 7) is None


def test_the_endpoint_answers_on_a_given_socket_and_knows_one_page_alone() -> None:
    given = socket.create_server(("127.0.0.1", 0))
    endpoint = Endpoint(":0", lambda: b"# EOF\n", given)
    endpoint.start()
    try:
        with urllib.request.urlopen(f"http://{endpoint.address}/metrics", timeout=5) as answer:
            assert answer.read() == b"# EOF\n"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{endpoint.address}/", timeout=5)
        refused.value.close()
        assert refused.value.code == 404
    finally:
        endpoint.stop()


def test_a_file_that_cannot_be_written_is_not_an_error_of_the_agent(tmp_path: Path) -> None:
    TextFile(tmp_path / "none" / "taxagent.prom", lambda: b"", 1.0).write()
    TextFile(tmp_path / "taxagent.prom", lambda: b"a 1\n", 1.0).write()
    assert [path.name for path in tmp_path.iterdir()] == ["taxagent.prom"]
