"""The soak: the real agent, eight clients, four devices, killed at random moments, judged by the judge.

`python -m tests.soak.soak --kills N --minutes N --seed N` plays rounds until one of the two is reached; each
has fresh devices in arrears. The last line is JSON. A seed gives the same devices and wishes; the moments
of the kills are the machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from taxagent.simulator.scenario import Scenario, load
from taxagent.simulator.site import Site
from taxclient import Client
from taxclient import questions as q
from taxclient.protocol import messages as m
from taxclient.protocol.errors import ClientError
from tests.builders.site import START, client, site, until
from tests.judge import read, violations
from tests.soak.clients import Asker, Board, Transcript, lives
from tests.soak.devices import four

CLIENTS = 8
MONTHS = ("2026-09", "2026-10")
_ROUND_KILLS = 12
_SETTLE_S = 90.0
_ANSWERED = 0.8  # share of lives that end after the first answer, at some moment; the others may end before
_A_PERSONS = frozenset(
    {"DEVICE_CHANGED"}
)  # another client's job came between what one was shown and its submit


@dataclass
class Found:
    """What the rounds showed."""

    rounds: int = 0
    kills: int = 0
    jobs: int = 0
    told: int = 0
    writes: int = 0
    in_a_write: int = 0  # kills that left a write open, to be settled by reading
    violations: list[str] = field(default_factory=list)


def soak(kills: int, minutes: float, seed: int, keep: Path | None = None) -> Found:
    """Play rounds until `kills` or `minutes` are reached; a round with a violation is kept in `keep`."""
    found = Found()
    ends = time.monotonic() + minutes * 60
    while found.kills < kills and time.monotonic() < ends:
        number = found.rounds + 1
        _Round(f"{seed}/{number}", found, keep).play(min(_ROUND_KILLS, kills - found.kills))
        print(
            f"round {seed}/{number}: {found.kills} kills, {found.jobs} jobs, {found.told} answers, "
            f"{found.writes} writes, {len(found.violations)} violations",
            flush=True,
        )
    return found


class _Round:
    def __init__(self, seed: str, found: Found, keep: Path | None) -> None:
        self._seed = seed
        self._dice = random.Random(seed)
        self._found = found
        self._keep = keep
        self._moment = threading.Event()  # never set: its wait is how long a life of the agent lasts

    def play(self, kills: int) -> None:
        """Kill so often, let it come to rest, judge."""
        with tempfile.TemporaryDirectory(prefix="tca-soak-") as folder:
            paths = four(Path(folder), self._dice)
            with site(START, scenarios=paths) as shop:
                self._play(shop, [load(path) for path in paths], kills)

    def _play(self, shop: Site, scenarios: Sequence[Scenario], kills: int) -> None:
        transcript = Transcript()
        with client_process(shop) as one:
            principal = one.hello().principal
        board = Board([scenario.device_no for scenario in scenarios])
        threads = [
            threading.Thread(
                target=lives,
                args=(Asker(shop.endpoint, transcript, principal), board, f"{self._seed}/{n}"),
                daemon=True,
            )
            for n in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        filings = [(scenario.taxpayer_id, month) for scenario in scenarios for month in MONTHS]
        self._dice.shuffle(filings)
        for left in range(kills, 0, -1):
            if self._dice.random() < _ANSWERED:
                self._until_answered(transcript)
            self._moment.wait(self._dice.choice((0.1, 0.4, 0.9)) * self._dice.uniform(0.2, 1.8))
            if shop.agent is not None:
                shop.agent.kill()
            self._found.kills += 1
            for taxpayer, month in filings[left - 1 :: kills]:
                shop.file_return(taxpayer, month)
            shop.start_agent()
        self._moment.wait(1.0)
        board.stop.set()
        for thread in threads:
            thread.join(30)
        self._found.violations += [f"{self._seed}: a client broke: {defect}" for defect in board.defects]
        self._rest(shop, scenarios, Asker(shop.endpoint, transcript, principal))
        self._judge(shop, transcript)

    def _until_answered(self, transcript: Transcript) -> None:
        """Let the agent come to answer someone, at most 8 s: else a busy machine would kill starts alone."""
        known, ends = transcript.answers, time.monotonic() + 8
        while transcript.answers == known and time.monotonic() < ends:
            self._moment.wait(0.01)

    def _rest(self, shop: Site, scenarios: Sequence[Scenario], asker: Asker) -> None:
        """Let every job end; then what is left of each device's arrears is settled by one more."""
        try:
            until(lambda: _answers(asker), "the agent answers")
            self._until_quiet(asker)
            for scenario in scenarios:
                self._settled(asker, scenario.device_no)
        finally:
            asker.close()
            if shop.agent is not None:
                shop.agent.stop()

    def _settled(self, asker: Asker, device: str) -> None:
        until(lambda: _read(asker, device), f"device {device} is read")
        try:
            token = asker.ask(q.prepare(m.PrepareArgs(kind="settle", device_no=device), 20_000)).token
            args = m.SubmitArgs(kind="settle", device_no=device, token=token)
            job = asker.ask(q.submit(args, "", "", None)).job
        except ClientError as error:
            if "NOTHING" in str(error) or "ALREADY" in str(error):
                return
            raise
        self._until_quiet(asker)
        job = asker.ask(q.job(job.job_id))
        if (job.state, job.outcome) not in {("done", "executed"), ("done", "not_executed")}:
            problem = str(job.problem)
            self._found.violations.append(f"{self._seed}: {device} ended {job.state} {job.outcome} {problem}")

    def _until_quiet(self, asker: Asker) -> None:
        deadline = time.monotonic() + _SETTLE_S
        while live := asker.ask(q.jobs(m.JobListArgs(live=True))).jobs:
            if time.monotonic() > deadline:
                stuck = ", ".join(f"{job.job_id} {job.kind} {job.state} {job.wait}" for job in live)
                self._found.violations.append(f"{self._seed}: never came to rest: {stuck}")
                return
            for job in live:
                if job.state == "needs_human":
                    code = job.problem.code if job.problem is not None else ""
                    if code not in _A_PERSONS:
                        self._found.violations.append(f"{self._seed}: needs a person: {job.problem}")
                    asker.ask(q.close_job(job.job_id, "the soak is over"))
            asker.ask(q.wait(live[0].job_id, live[0].rev, "change", 500))

    def _judge(self, shop: Site, transcript: Transcript) -> None:
        told = shop.folder / "told.jsonl"
        transcript.write(told)
        evidence = read(
            shop.state_dir / "journal.db",
            device=shop.folder / "devices",
            bureau=shop.folder / "bureau",
            told=told,
        )
        lies = [f"{self._seed}: {violation}" for violation in violations(evidence)]
        found = self._found
        found.rounds += 1
        found.jobs += len(evidence.accepts)
        found.told += len(evidence.told)
        found.writes += len(evidence.writes)
        found.in_a_write += sum(row.event == "job.unknown" for row in evidence.rows)
        found.violations += lies
        for line in lies[:20]:
            print(f"VIOLATION {line}", flush=True)
        if found.violations and self._keep is not None:
            shutil.copytree(shop.folder, self._keep / self._seed.replace("/", "-"), ignore=_sockets)


def client_process(shop: Site) -> Client:
    """Start the agent and return a client of it."""
    shop.start_agent()
    with client(shop):
        pass
    return Client(shop.endpoint, lang="en")


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_socket()]


def _answers(asker: Asker) -> bool:
    try:
        return not asker.ask(q.status()).verifying
    except ClientError:
        return False


def _read(asker: Asker, device: str) -> bool:
    return any(view.device_no == device and view.types for view in asker.ask(q.status()).devices)


def main(argv: Sequence[str] | None = None) -> int:
    """Soak, and say what was found; 1 where a rule did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("KILLS", "24")))
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("MINUTES", "30")))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", type=Path, help="folder for the sites of rounds with a violation")
    args = parser.parse_args(argv)
    print(f"soak: {args.kills} kills or {args.minutes} minutes, seed {args.seed}", flush=True)
    found = soak(args.kills, args.minutes, args.seed, args.keep)
    for line in found.violations[:50]:
        print(f"VIOLATION {line}")
    counts = msgspec.to_builtins({**found.__dict__, "violations": len(found.violations)})
    print(json.dumps(counts))
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
