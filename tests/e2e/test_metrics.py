"""The real agent's metrics: scraped over loopback and written to a file; every published name is exported."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed
from prometheus_client.parser import text_string_to_metric_families as parsed_classic

from taxclient import Client
from taxclient.protocol import messages as m
from tests.builders.hanging_driver import Hang
from tests.builders.site import DEVICE, TAXPAYER, client, identified, site, until
from tests.e2e.test_hung import hanging_site, problem

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
OTHERS = {"up"}  # Prometheus' own


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        return str(answer.read().decode())


def families(port: int) -> dict[str, Metric]:
    return {family.name: family for family in parsed(scraped(port))}  # type: ignore[no-untyped-call]


@contextmanager
def measured(folder: Path) -> Iterator[tuple[int, Client]]:
    """An agent that has read its device, with both ways out."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = (
        f'[metrics]\nlisten = "127.0.0.1:{port}"\ntextfile = "{folder}/taxagent.prom"\ninterval_s = 0.05\n'
    )
    with site(config=config) as shop:
        shop.start_agent()
        with client(shop) as one:
            identified(one, DEVICE)
            until(lambda: "lock_days{" in scraped(port), "the device is in a picture")
            yield port, one


def test_a_scrape_tells_how_device_journal_and_month_stand_and_nothing_of_the_taxpayer(
    tmp_path: Path,
) -> None:
    with measured(tmp_path) as (port, _):
        text = scraped(port)
        found = {family.name: family for family in parsed(text)}  # type: ignore[no-untyped-call]
        states = {
            sample.labels["taxagent_device_state"]: sample.value
            for sample in found["taxagent_device_state"].samples
        }
        assert [state for state, value in states.items() if value] == ["ready"]
        assert {sample.value for sample in found["taxagent_device_lock_days"].samples} == {13.0}
        assert found["taxagent_filing_deadline_days"].samples[0].value == 13.0
        commits = {sample.name: sample.value for sample in found["taxagent_journal_commit_seconds"].samples}
        assert commits["taxagent_journal_commit_seconds_count"] > 0
        assert TAXPAYER not in text


def test_the_text_file_is_whole_and_has_the_same_names(tmp_path: Path) -> None:
    with measured(tmp_path) as (port, _):
        file = tmp_path / "taxagent.prom"
        until(lambda: file.exists() and "lock_days{" in file.read_text(), "the file has the device")
        written = {sample.name for family in parsed_classic(file.read_text()) for sample in family.samples}
        shown = {sample.name for family in families(port).values() for sample in family.samples}
        assert {name for name in shown if not name.endswith("_created")} <= written
        assert file.stat().st_mode & 0o777 == 0o644


def test_every_name_in_the_alerts_and_on_the_dashboard_is_exported(tmp_path: Path) -> None:
    with measured(tmp_path) as (port, _):
        exported = {family.name for family in families(port).values()}
        exported |= {f"{name}{end}" for name in exported for end in ("_total", "_bucket", "_info")}
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    used = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    used.append((MONITORING / "alerts.yml").read_text().split("groups:")[1])
    names = set(re.findall(r"\btaxagent_[a-z_]+", " ".join(used)))
    assert len(names) > 8
    assert names <= exported


def test_promtool_accepts_the_alerts() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here (Debian: prometheus): the alert rules were NOT checked by it")
    checked = subprocess.run(
        [promtool, "check", "rules", MONITORING / "alerts.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_scrape_under_a_device_that_hangs_answers_at_once_and_tells_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with hanging_site(monkeypatch) as shop:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        shop.config.write_text(shop.config.read_text() + f'\n[metrics]\nlisten = "127.0.0.1:{port}"\n')
        shop.start_agent()
        with client(shop) as one:
            identified(one, DEVICE)
            hang = Hang(shop.folder, "hello")
            one.check(m.CheckArgs(device_no=DEVICE))
            until(lambda: problem(one) == "DEVICE_HUNG", "the hang is seen")
            begun = time.monotonic()
            scraped(port)
            assert time.monotonic() - begun < 1.0
            told = f'device_state{{device_no="{DEVICE}",taxagent_device_state="hung"}} 1.0'
            until(lambda: told in scraped(port), "the next picture has it")
            hang.end(come_back=True)
