"""`taxagent demo`: one device's month, settled before your eyes by the real agent on simulators."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.demo_words import WORDS, DemoWords
from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang
from taxagent.model.words import word

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.simulator.site import Site
    from taxclient import Client
    from taxclient.protocol import messages as m

_START = "2026-11-03T11:30:00+08:00"  # in the filing window of October, outside the peak hours
_PERIOD = "2026-10"
_WAIT_S = 15.0


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("demo", help=COMMANDS["demo"].help(default_lang()))
    parser.add_argument("--keep", action="store_true", help="keep the folder: journal, back-ups, logs")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Show check, back-up, report, return, clear, record; 0 where all is as promised, else 1."""
    folder = Path(tempfile.mkdtemp(prefix="taxagent-demo-"))
    try:
        return Demo(folder, WORDS[args.lang]).play(as_json=args.json)
    finally:
        if args.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


class Broken(Exception):
    """Something was not as promised."""


class Demo:
    """The play. Every line it says is about what was just read from the agent."""

    def __init__(self, folder: Path, words: DemoWords) -> None:
        self._folder = folder
        self._words = words

    def play(self, *, as_json: bool) -> int:
        """Run the demo; return the exit code."""
        from taxagent.simulator.site import Site, SiteError

        started = time.monotonic()
        summary: dict[str, object] = {"devices": 0, "settled": [], "records": [], "journal_verified": False}
        try:
            origin = time.time_ns() // 1_000_000
            with Site(self._folder, clock=f"{_START}@{origin}x1") as site:
                self._month(site, summary)
        except (Broken, SiteError) as problem:
            self._say(self._words.broken.format(what=problem))
        ok = summary["journal_verified"] is True and summary["settled"] != []
        if ok:
            self._say(self._words.done.format(seconds=round(time.monotonic() - started, 1)))
        if as_json:
            print(json.dumps(summary, ensure_ascii=False))
        return 0 if ok else 1

    def _month(self, site: Site, summary: dict[str, object]) -> None:
        from taxagent.simulator.scenario import load
        from taxagent.simulator.site import example
        from taxclient import Client

        path = example("control_disk")
        scenario = load(path)
        self._say(self._words.title)
        site.start_devices([path])
        site.start_bureau([scenario.taxpayer_id])
        site.write_config()
        site.start_agent()
        self._say(self._words.started.format(device=scenario.device_no, taxpayer=scenario.taxpayer_id))
        with Client(site.endpoint, lang=self._words.lang) as client:
            device = self._seen(client, scenario.device_no)
            summary["devices"] = 1
            self._show(device)
            self._check_and_backup(client, scenario.device_no)
            record = self._settle(client, site, scenario.device_no, scenario.taxpayer_id)
            self._show(self._seen(client, scenario.device_no))
        site.stop()
        summary["settled"] = [{"device_no": scenario.device_no, "period": _PERIOD}]
        summary["records"] = [{"job_id": record.job_id, "sha256": record.sha256}]
        summary["journal_verified"] = self._verify(site)

    def _check_and_backup(self, client: Client, device_no: str) -> None:
        from taxclient.protocol import messages as m

        checked = self._finished(client, client.check(m.CheckArgs(device_no=device_no)).job)
        self._say(self._words.check.format(outcome=word("outcome", checked.outcome, self._words.lang)))
        asked = client.submit(m.SubmitArgs(kind="backup", device_no=device_no)).job
        backup = self._finished(client, asked)
        self._say(
            self._words.backup.format(
                outcome=word("outcome", backup.outcome, self._words.lang), path=backup.backups[0].path
            )
        )

    def _settle(self, client: Client, site: Site, device_no: str, taxpayer_id: str) -> m.RecordResult:
        from taxagent.records.page import page
        from taxclient.protocol import messages as m

        prepared = client.prepare(m.PrepareArgs(kind="settle", device_no=device_no))
        self._say(self._words.prepared.format(what=", ".join(prepared.consequences)))
        job = client.submit(m.SubmitArgs(kind="settle", device_no=device_no, token=prepared.token)).job
        self._say(self._words.accepted.format(job=job.job_id))
        filed = False
        printed: set[str] = set()
        until = time.monotonic() + _WAIT_S
        while not job.ended:
            if time.monotonic() > until:
                raise Broken(f"settle: {job.state} after {_WAIT_S:.0f} s")
            if job.state == "needs_human":
                raise Broken(f"settle: {job.problem}")
            self._steps(job, printed)
            if job.wait is not None and job.wait.reason == "declaration" and not filed:
                self._say(self._words.waiting.format(title=job.wait.title))
                site.file_return(taxpayer_id, _PERIOD)
                filed = True
                self._say(self._words.filed.format(period=_PERIOD))
            job = client.wait(job.job_id, rev=job.rev, timeout_ms=5_000).job
        self._steps(job, printed)
        if (job.state, job.outcome) != ("done", "executed") or not filed:
            raise Broken(f"settle: {job.state}, {job.outcome}, {job.problem}")
        record = client.record(job.job_id)
        print()
        print(page(record.json.encode(), self._words.lang))
        return record

    def _steps(self, job: m.JobView, printed: set[str]) -> None:
        for step in job.steps:
            name = ".".join(part for part in (step.step, step.group, step.period) if part)
            if step.outcome == "executed" and name not in printed:
                printed.add(name)
                self._say(
                    self._words.step.format(
                        step=word("step", step.step, self._words.lang), about=step.group, note=step.note
                    )
                )

    def _seen(self, client: Client, device_no: str) -> m.DeviceView:
        """Wait until the agent is there and has identified the device."""
        from taxclient.protocol.errors import AgentUnavailable

        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until:
            with contextlib.suppress(AgentUnavailable):
                for device in client.status().devices:
                    if device.device_no == device_no and device.types:
                        return device
            time.sleep(0.05)
        raise Broken(f"device {device_no} was not identified within {_WAIT_S:.0f} s")

    def _show(self, device: m.DeviceView) -> None:
        kind = word("device_kind", device.kind, self._words.lang)
        self._say(self._words.device.format(device_no=device.device_no, kind=kind, clock=device.clock))
        for row in device.types:
            periods = ", ".join(
                f"{each.period} {word('period_state', each.state, self._words.lang)}" for each in row.periods
            )
            self._say(
                self._words.type_row.format(
                    invoice_type=row.invoice_type,
                    deadline=row.invoicing_deadline,
                    last_report=row.last_report,
                    periods=periods,
                )
            )

    def _finished(self, client: Client, job: m.JobView) -> m.JobView:
        until = time.monotonic() + _WAIT_S
        while not job.ended and time.monotonic() < until:
            job = client.wait(job.job_id, rev=job.rev, until="end", timeout_ms=5_000).job
        if job.state != "done":
            raise Broken(f"{job.kind}: {job.state} {job.problem}")
        return job

    def _verify(self, site: Site) -> bool:
        from taxagent.journal import JOURNAL_NAME, Reader

        reader = Reader(site.state_dir / JOURNAL_NAME)
        try:
            verified = reader.verify()
        finally:
            reader.close()
        self._say(self._words.verified.format(rows=verified.rows))
        return True

    def _say(self, line: str) -> None:
        print(line.rstrip(), flush=True)
