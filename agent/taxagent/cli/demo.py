"""`taxagent demo`: three devices of three kinds, settled before your eyes by the real agent on simulators."""

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
    from taxagent.simulator.scenario import Scenario
    from taxagent.simulator.site import Site
    from taxclient import Client
    from taxclient.protocol import messages as m

_START = "2026-11-03T11:30:00+08:00"  # in the filing window of October, outside the peak hours
_KINDS = ("control_disk", "golden_disk", "ukey")
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
            seconds = round(time.monotonic() - started, 1)
            self._say(self._words.done.format(count=summary["devices"], seconds=seconds))
        if as_json:
            print(json.dumps(summary, ensure_ascii=False))
        return 0 if ok else 1

    def _month(self, site: Site, summary: dict[str, object]) -> None:
        from taxagent.simulator.scenario import load
        from taxagent.simulator.site import example
        from taxclient import Client

        paths = [example(kind) for kind in _KINDS]
        scenarios = [load(path) for path in paths]
        self._say(self._words.title)
        site.start_devices(paths)
        site.start_bureau([scenario.taxpayer_id for scenario in scenarios])
        site.write_config()
        site.start_agent()
        self._say(self._words.started.format(count=len(scenarios)))
        with Client(site.endpoint, lang=self._words.lang) as client:
            for scenario in scenarios:
                self._show(self._seen(client, scenario.device_no))
            summary["devices"] = len(scenarios)
            self._check_and_backup(client, scenarios[0].device_no)
            jobs = [self._submitted(client, scenario) for scenario in scenarios]
            records = []
            for job in jobs:
                done = self._settled(client, site, job)
                records.append(self._recorded(client, done, in_full=job is jobs[-1]))
            for scenario in scenarios:
                self._all_settled(self._seen(client, scenario.device_no))
        site.stop()
        summary["settled"] = [
            {
                "device_no": job.scope.device_no,
                "kind": scenario.kind.value,
                "period": job.scope.periods[-1],
                "periods": list(job.scope.periods),
            }
            for scenario, job in zip(scenarios, jobs, strict=True)
        ]
        summary["records"] = [{"job_id": record.job_id, "sha256": record.sha256} for record in records]
        summary["journal_verified"] = self._verify(site)

    def _check_and_backup(self, client: Client, device_no: str) -> None:
        from taxclient.protocol import messages as m

        checked = self._finished(client, client.check(m.CheckArgs(device_no=device_no)).job)
        outcome = word("outcome", checked.outcome, self._words.lang)
        self._say(self._words.check.format(device_no=device_no, outcome=outcome))
        asked = client.submit(m.SubmitArgs(kind="backup", device_no=device_no)).job
        backup = self._finished(client, asked)
        outcome = word("outcome", backup.outcome, self._words.lang)
        path = backup.backups[0].path
        self._say(self._words.backup.format(device_no=device_no, outcome=outcome, path=path))

    def _submitted(self, client: Client, scenario: Scenario) -> m.JobView:
        """Show what will be done on a device, confirm it and have it accepted."""
        from taxclient.cli.show import consequence
        from taxclient.cli.words import Speech
        from taxclient.protocol import messages as m

        device_no = scenario.device_no
        prepared = client.prepare(m.PrepareArgs(kind="settle", device_no=device_no))
        self._say(self._words.prepared.format(device_no=device_no))
        for code in prepared.consequences:
            self._say(f"  - {consequence(code, Speech(self._words.lang))}")
        job = client.submit(m.SubmitArgs(kind="settle", device_no=device_no, token=prepared.token)).job
        self._say(self._words.accepted.format(job=job.job_id))
        return job

    def _settled(self, client: Client, site: Site, job: m.JobView) -> m.JobView:
        """Follow a job to its end, and file the returns that it waits for; return it as it ended."""
        self._say("")
        self._say(self._words.steps.format(device_no=job.scope.device_no))
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
                for period in job.scope.periods:
                    site.file_return(job.scope.taxpayer_id, period)
                filed = True
                self._say(self._words.filed.format(periods=self._words.listed.join(job.scope.periods)))
            job = client.wait(job.job_id, rev=job.rev, timeout_ms=5_000).job
        self._steps(job, printed)
        if (job.state, job.outcome) != ("done", "executed") or not filed:
            raise Broken(f"settle: {job.state}, {job.outcome}, {job.problem}")
        return job

    def _recorded(self, client: Client, job: m.JobView, *, in_full: bool) -> m.RecordResult:
        """Show a record as a line, or as the page that people print."""
        from taxagent.records.page import page

        record = client.record(job.job_id)
        if in_full:
            self._say("")
            self._say(page(record.json.encode(), self._words.lang))
        else:
            outcome = word("outcome", job.outcome, self._words.lang)
            told = {"job": job.job_id, "outcome": outcome, "sha256": record.sha256}
            self._say(self._words.recorded.format(**told))
        return record

    def _steps(self, job: m.JobView, printed: set[str]) -> None:
        from taxclient.cli.show import step_name
        from taxclient.cli.words import NOTE, Speech

        speech, several = Speech(self._words.lang), len(job.scope.periods) > 1
        for step in job.steps:
            name = ".".join(part for part in (step.step, step.group, step.period) if part)
            if step.outcome == "executed" and name not in printed:
                printed.add(name)
                note = speech.aside(speech.word(NOTE, step.note)) if step.note else ""
                self._say(f"  ✓ {step_name(step, speech, month=several)}{note}")

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
        machine = self._words.main_machine
        if device.terminal_no:
            machine = self._words.sub_machine.format(number=device.terminal_no)
        self._say(
            self._words.device.format(
                device_no=device.device_no,
                kind=word("device_kind", device.kind, self._words.lang),
                machine=machine,
                taxpayer=device.taxpayer_id,
                clock=device.clock.replace("T", " "),
            )
        )
        for row in device.types:
            periods = self._words.listed.join(
                f"{each.period} {word('period_state', each.state, self._words.lang)}" for each in row.periods
            )
            self._say(
                self._words.type_row.format(
                    invoice_type=row.invoice_type,
                    group=row.group,
                    deadline=row.invoicing_deadline,
                    last_report=row.last_report,
                    periods=periods,
                )
            )

    def _all_settled(self, device: m.DeviceView) -> None:
        """Show a device that has been worked on. Raises Broken where something is still to be done."""
        self._show(device)
        if any(row.periods for row in device.types):
            raise Broken(f"{device.device_no} is not settled")

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
