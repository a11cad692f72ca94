"""A random world: devices, a bureau, clients, and an agent that dies and comes back, all from one seed.

Every thread hands a baton at each port call; between two steps anything may happen: a death, a cable that is
pulled, a clock that jumps, a month that turns. At the end it grows calm, every job ends, and the judge looks.
"""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taxagent.model.device import QUIRKS, DeviceKind
from taxagent.model.period import Period, first_day, plus
from taxagent.simulator.bureau import VirtualBureau
from taxagent.simulator.bureau_register import BureauScenario
from taxagent.simulator.bureau_state import BureauStore
from taxagent.simulator.device import VirtualDevice
from taxagent.simulator.durable import whole_lines
from taxagent.simulator.kinds import last_report_of
from taxagent.simulator.scenario import Blanks, Generated, Scenario
from taxagent.simulator.state import DeviceStore
from tests.builders.driven import TYPES
from tests.builders.judge import STRANGERS, deadlines
from tests.builders.model import synthetic_taxpayer_id
from tests.builders.scenario import CODE, PASSWORD, scenario, type_007
from tests.builders.transcript import Transcript
from tests.builders.work_ports import TappedBureau
from tests.crash import durable
from tests.crash.baton import Actor
from tests.crash.people import People
from tests.crash.seeded import seeded
from tests.crash.town_agent import Agent
from tests.crash.town_events import Happenings
from tests.crash.town_ports import Bus, HostClock, Keyring, Line, TownClock, TownTap, Weather
from tests.judge import read, violations

_STORM = 2500  # steps
_CALM = 30_000
_LATER = dt.timedelta(days=1)


class Town:
    """One seed's world."""

    def __init__(self, base: Path, seed: int, say: Callable[[str], None] = lambda _line: None) -> None:
        self.folder = base / "live"
        self._left = base / "left"
        self._seed = seed
        self.say = say
        self.draw = random.Random(seed)
        self.steps = 0
        self.deaths = 0
        self.hangs_in = 0  # once in so many calls of a device; 0: never
        self._resumed = set[str]()
        self.jobs = 0
        self.weather = Weather(random.Random(seed + 1))

    def lived(self) -> list[str]:
        """Live to the end; return what the judge says."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        with seeded(self._seed):
            self._founded()
            try:
                self._stormy()
                quiet = self._calm()
            finally:
                self.agent.end()
        self.people.agent_died()
        return self._judged() + ([] if quiet else ["one_outcome: it never grew quiet"])

    # ---- what is there

    def _founded(self) -> None:
        draw = self.draw
        month = Period(f"{draw.choice((2025, 2026))}-{draw.randrange(2, 13):02d}")
        day = draw.randrange(1, 15)
        start = dt.datetime.combine(first_day(month), dt.time(draw.randrange(24), draw.randrange(60)))
        self.true = TownClock(start + dt.timedelta(days=day - 1))
        self.clock = HostClock(self.true)
        self.months = (plus(month, -2), plus(month, -1))[draw.randrange(2) :]
        self.tap = TownTap(self._step, self.weather, self.doomed)
        self.source = Bus(self._step, self.weather, self.true)
        self.secrets = Keyring()
        self.line = Line(self.clock, self.weather, lambda: self.virtual_bureau)
        self.bureau = TappedBureau(self.line.client, _Still(self._step), {})
        self.scenarios = [self._device(n, month) for n in range(draw.randrange(1, 4))]
        self._reopened()
        for number, device in enumerate(self.scenarios):
            self.source.plugged[f"1-{number + 1}"] = device.device_no
            wrong = draw.randrange(8) == 0
            self.secrets.give(device.device_no, "00000000" if wrong else PASSWORD)
        self.happenings = Happenings(self)
        if draw.randrange(2):
            self.happenings.returns_filed()
        transcript = Transcript(self.folder.parent / durable.TOLD)
        transcript.path.unlink(missing_ok=True)
        numbers = tuple(device.device_no for device in self.scenarios)
        self.people = People(draw, numbers, tuple(self.months), transcript)
        self.people.settle(self.true.utc_ms)
        self.people.said = self.say
        months = ", ".join(self.months)
        self.say(f"seed {self._seed}: {self.true.now}, months {months}, {len(numbers)} devices")
        self._born()

    def _device(self, number: int, month: Period) -> Scenario:
        draw = self.draw
        kind = draw.choice(list(DeviceKind))
        names = TYPES[kind][: draw.randrange(1, 1 + len(TYPES[kind]))]
        since = self.months[0]
        deadline = first_day(plus(since, 1)) + dt.timedelta(days=15)
        stock = draw.randrange(20, 90)
        return scenario(
            device_no=f"66170000{number:04d}",
            kind=kind,
            taxpayer_id=synthetic_taxpayer_id(number // 2),
            settles_ms=1200 if QUIRKS[kind].seal_by_reading else 0,
            types=tuple(
                type_007(
                    invoice_type=name,
                    last_report=last_report_of(plus(since, -1), QUIRKS[kind]),
                    invoicing_deadline=deadline,
                    stock=(Blanks(code=f"{CODE[:7]}{name}", number_from="00000001", count=stock),),
                    generate=Generated(seed=number, months=tuple(self.months), per_month=draw.randrange(4)),
                )
                for name in names
            ),
        )

    def _reopened(self) -> None:
        """Devices and bureau as their files have them."""
        self.virtual_bureau = VirtualBureau(BureauStore(self.folder / "bureau"), BureauScenario(), self.true)
        for described in self.scenarios:
            store = DeviceStore(self.folder / "device", described.device_no)
            self.source.devices[described.device_no] = VirtualDevice(described, store, self.true)

    def _born(self) -> None:
        self.agent = Agent(self, f"boot-{self.deaths}", lambda _error: self.doomed())

    # ---- steps

    def _step(self, place: str) -> None:
        """A call stands here; in an actor's thread the baton is handed on."""
        self.true.pass_time(0.001)
        for actor in self.agent.everyone():
            if actor.here:
                self.say(f"{self.steps:6} {actor.name}: {place}")
                if (
                    self.hangs_in
                    and actor is not self.agent.office
                    and not self.draw.randrange(self.hangs_in)
                ):
                    actor.stuck_until = self.true.monotonic() + self.draw.choice((30.0, 100.0, 400.0))
                    self.say(f"{self.steps:6} *** {actor.name} hangs")
                actor.pass_on(place)

    def _may_hang(self, actor: Actor) -> None:
        if self.hangs_in and not self.draw.randrange(self.hangs_in):
            actor.stuck_until = self.true.monotonic() + self.draw.choice((30.0, 100.0, 400.0))
            self.say(f"{self.steps:6} *** {actor.name} hangs")

    def _turn(self, *, people: bool) -> bool:
        """Let somebody go on, as the seed says; return False where nobody can."""
        self.steps += 1
        agent = self.agent
        options: list[Callable[[], Any]] = []
        if agent.mailbox.items:
            options += [self._mail] * 3
        if agent.journal.later:
            options += [agent.journal.commit_one] * 2
        steady = self.true.monotonic()
        options += [a.step for a in agent.everyone() if a.ready and a.stuck_until <= steady]
        due = agent.timers.due() if not options or self.draw.randrange(4) == 0 else None
        if due is not None:
            due()
            return True
        if people and (not options or self.draw.randrange(12) == 0):
            self.people.act(agent.desk)
            return True
        if options:
            self.draw.choice(options)()
            return True
        return self._wait()

    def _mail(self) -> None:
        self.agent.mailbox.items.popleft()()

    def _wait(self) -> bool:
        left = self.agent.timers.next_ms()
        if left is None:
            return False
        self.true.pass_time(min(left, 3_600_000) / 1000)
        return True

    # ---- the storm

    def _stormy(self) -> None:
        self.weather.one_in = self.draw.choice((0, 40, 80, 160))
        self.hangs_in = self.draw.choice((0, 0, 500))
        death_in = self.draw.choice((150, 300, 900))
        for _ in range(_STORM):
            if self.draw.randrange(death_in) == 0:
                self._dies()
            if self.draw.randrange(60) == 0:
                self.happenings.one()
            self._turn(people=True)
            if self.agent.fatal:
                self._dies()

    def doomed(self) -> None:
        """The journal failed: the process ends, soon."""
        self.agent.fatal = True

    def _dies(self) -> None:
        """All that is durable is copied; the rest is abandoned, and a new agent starts from the copy."""
        self.deaths += 1
        self.say(f"{self.steps:6} --- the agent dies, {self.true.now}")
        durable.copy(self.folder, self._left)
        self.agent.end()
        self.people.agent_died()
        shutil.rmtree(self.folder)
        self._left.rename(self.folder)
        self._reopened()
        self.true.pass_time(self.draw.randrange(1, 120))
        self._born()

    # ---- the calm

    def _calm(self) -> bool:
        """Nothing goes wrong any more; every job ends."""
        self.say(f"{self.steps:6} === it grows calm")
        self.weather.one_in = self.hangs_in = 0
        self.clock.error = dt.timedelta()
        for described in self.scenarios:
            self.source.devices[described.device_no].kept.set_clock(self.true.now)
            self.secrets.give(described.device_no, PASSWORD)
        self.happenings.replugged_everywhere()
        asked_again = False
        for count in range(_CALM):
            if count % 100 == 0:
                self.happenings.returns_filed()
            if count % 300 >= 200 and not self.happenings.at_work() and not self.draw.randrange(100):
                self.true.jump(86_400)  # who waits for what never comes waits to the window's end
            self._turn(people=False)
            if self.agent.fatal:
                self._dies()
            if self._quiet():
                if asked_again:
                    return True
                asked_again = True
                self._ask_again()
        return False

    def _quiet(self) -> bool:
        agent = self.agent
        busy = agent.mailbox.items or agent.journal.later or any(a.ready for a in agent.everyone())
        if busy or agent.desk.verifying:
            return False
        stuck = [job for job in agent.book.live() if job.state == "needs_human"]
        for job in stuck[:1]:
            resumed = job.job_id in self._resumed
            self._resumed.add(job.job_id)
            self.people.decide(agent.desk, job, "job.close" if resumed else "job.resume")
        return not agent.book.live()

    def _ask_again(self) -> None:
        """Everyone asks once more for what was accepted: by its key it is known."""
        for wish in self.people.wishes:
            if wish.job_id:
                self.people.ask(self.agent.desk, wish)

    def _judged(self) -> list[str]:
        folder = self.folder
        seen = read(
            folder / "journal.db",
            device=folder / "device",
            bureau=folder / "bureau",
            told=folder.parent / durable.TOLD,
        )
        seen.passwords_given = self.secrets.count
        seen.deadlines = deadlines()
        seen.one_clock = not self.clock.was_wrong
        seen.slack_ms = 0
        seen.strangers = frozenset(line.decode() for line in whole_lines(folder / STRANGERS))
        self.jobs = len(seen.accepts)
        for job_id, accept in seen.accepts.items():
            end = seen.ends.get(job_id)
            self.say(f"job {job_id} {accept.kind}: {end.state if end else '?'} {end.outcome if end else ''}")
        return [str(violation) for violation in violations(seen)]


class _Still:
    """Where calls of the bureau stand still."""

    def __init__(self, step: Callable[[str], None]) -> None:
        self._step = step

    def call(self, name: str, work: Callable[[], Any]) -> Any:
        self._step(f"before {name}")
        result = work()
        self._step(f"after {name}")
        return result
