"""A simulated device's birth certificate: the TOML file that says what it is and what it has on it.

Knows nothing of the device's behaviour or of USB.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from taxagent.model.device import DeviceKind
from taxagent.model.errors import AgentError
from taxagent.model.invoice import InvoiceMark
from taxagent.model.period import Period, first_day, last_day
from taxagent.model.value import Value, to_json
from taxagent.simulator.contradictions import contradictions
from taxagent.simulator.kinds import groups_of

Count = Annotated[int, Meta(ge=0, le=10_000_000)]
Fen = Annotated[int, Meta(ge=0, le=10**15)]
SignedFen = Annotated[int, Meta(ge=-(10**15), le=10**15)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Milliseconds = Annotated[int, Meta(ge=0, le=600_000)]
Code = Annotated[str, Meta(pattern=r"^([0-9]{10}|[0-9]{12})$")]
Number = Annotated[str, Meta(pattern=r"^[0-9]{8}$")]
LocalTime = Annotated[dt.datetime, Meta(tz=False)]
Month = Annotated[str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


class Section(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a scenario; unknown keys are refused."""


class AtStart(StrEnum):
    """What a device does when the simulator starts; a power cycle ends the two in the middle."""

    WORKING = "working"
    SILENT = "silent"  # says nothing on its bulk pipes; control transfers are answered
    HUNG = "hung"  # answers nothing at all
    UNPLUGGED = "unplugged"


class UsbScenario(Section, frozen=True, kw_only=True):
    """How the device behaves as USB hardware."""

    readable_strings: bool = True  # False: string descriptors fail to read
    empty_reads: Annotated[int, Meta(ge=0, le=8)] = 0  # empty packets before each status wrapper
    largest_read: Literal[256, 512, 1024, 2048, 4096] = (
        4096  # asked for more it is silent until it is unplugged
    )
    at_start: AtStart = AtStart.WORKING


class Battery(StrEnum):
    """What the device's clock lives on."""

    GOOD = "good"
    DEAD = "dead"  # it begins at `default` whenever it gets power
    BROKEN = "broken"  # the clock cannot be read, and nothing that needs it is done


class ClockScenario(Section, frozen=True, kw_only=True):
    """Where the device's own clock stands."""

    start: LocalTime | None = (
        None  # at first power-on; without it the clock follows the host's (simulated) time
    )
    error_s: Annotated[int, Meta(ge=-31_536_000, le=31_536_000)] = 0  # how far it is ahead of that
    battery: Battery = Battery.GOOD
    default: LocalTime = dt.datetime(2010, 1, 1)  # where a clock with a dead battery begins


class Blanks(Section, frozen=True, kw_only=True):
    """A run of blank invoices that the taxpayer bought; without a day it was there from the beginning."""

    code: Code
    number_from: Number
    count: Annotated[int, Meta(ge=1, le=10_000_000)]
    bought_on: dt.date | None = None


class Returned(Section, frozen=True, kw_only=True):
    """Blank invoices given back to the bureau."""

    on: dt.date
    count: Annotated[int, Meta(ge=1, le=10_000_000)]


class ListedInvoice(Section, frozen=True, kw_only=True):
    """An invoice that the scenario spells out."""

    code: Code
    number: Number
    issued_at: LocalTime
    mark: InvoiceMark = InvoiceMark.POSITIVE
    amount: SignedFen = 0
    tax: SignedFen = 0
    buyer: Annotated[str, Meta(max_length=100)] = ""
    uploaded: bool = True


class Generated(Section, frozen=True, kw_only=True):
    """Invoices made up from a seed: the same seed gives the same invoices for ever."""

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    months: Annotated[tuple[Month, ...], Meta(min_length=1, max_length=60)]
    per_month: Annotated[int, Meta(ge=1, le=1_000_000)]
    amount_min: Fen = 1_000
    amount_max: Fen = 100_000_00
    tax_percent: Percent = 13
    voided_percent: Percent = 4  # 正废
    red_percent: Percent = 3  # 负数
    blank_voided_percent: Percent = 1  # 空废
    pending: Count = 0  # this many of the newest are not uploaded


class TypeScenario(Section, frozen=True, kw_only=True):
    """One invoice type: its limits, where it stands, and its invoices."""

    invoice_type: str
    invoicing_deadline: dt.date
    last_report: dt.date
    single_limit: Fen = 10_000_000
    month_limit: Fen = 1_000_000_000
    offline_hours: Annotated[int, Meta(ge=0, le=10_000)] = 72
    offline_amount: Fen = 100_000_000
    offline_count: Count = 0  # invoices that may wait for their upload; 0 = no limit
    upload_deadline: dt.date | None = None
    closing_error: Annotated[int, Meta(ge=-1000, le=1000)] = 0  # a fault: what `closing` is wrong by
    stock: tuple[Blanks, ...] = ()
    returned: tuple[Returned, ...] = ()
    invoices: tuple[ListedInvoice, ...] = ()
    generate: Generated | None = None


class Scenario(Section, frozen=True, kw_only=True):
    """A simulated device. Every key is in scenarios/control_disk.toml with what it means."""

    device_no: Annotated[str, Meta(pattern=r"^[0-9]{12}$")]
    kind: DeviceKind
    taxpayer_id: Annotated[str, Meta(pattern=r"^[0-9A-Z]{15,20}$")]
    taxpayer_name: Annotated[str, Meta(min_length=1, max_length=100)]
    terminal_no: Annotated[int, Meta(ge=0, le=999)] = 0
    password: Annotated[str, Meta(min_length=1, max_length=32)]
    tries: Annotated[int, Meta(ge=1, le=15)] = 5
    firmware: Annotated[str, Meta(pattern=r"^[0-9A-Za-z._-]{1,16}$")] = "1.0.0"
    unknown_commands: tuple[str, ...] = ()  # that its firmware, too old or too new, does not have
    registered: bool = True
    training: bool = False  # a device for lessons: the bureau knows none of its invoices
    registration_code: bool = True  # False: the vendor's component has none for it
    broken: bool = False  # SELF_TEST finds the hardware broken
    certificate_from: dt.date
    certificate_to: dt.date
    capacity: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    settles_ms: Milliseconds = 0  # by its clock; where the reading of a summary is the seal
    clock: ClockScenario = ClockScenario()
    usb: UsbScenario = UsbScenario()
    latency_ms: dict[str, Milliseconds] = {}
    types: Annotated[tuple[TypeScenario, ...], Meta(min_length=1, max_length=8)]

    def groups(self) -> tuple[str, ...]:
        """Return the groups of types that report together, as the device names them."""
        return groups_of(self.kind, (one.invoice_type for one in self.types))

    def sha256(self) -> str:
        """Return the hash that names this scenario in the state file.

        Keys of later versions count only where they are not as they were before: old states stay good.
        """
        plain = msgspec.json.decode(to_json(self))
        without_later(plain, Scenario, _LATER)
        without_later(plain["clock"], ClockScenario, _LATER_CLOCK)
        for kind in plain["types"]:
            without_later(kind, TypeScenario, _LATER_TYPE)
        return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()

    def latency(self, command: str) -> int:
        """Return the milliseconds that the device takes for `command`."""
        return self.latency_ms.get(command, self.latency_ms.get("default", 0))


def without_later(plain: dict[str, object], kind: type[Section], later: frozenset[str]) -> None:
    """Take the keys of `later` out of a section in its JSON form where they have their default."""
    for field in msgspec.structs.fields(kind):
        if field.name in later and plain[field.name] == msgspec.json.decode(to_json(field.default)):
            del plain[field.name]


_LATER = frozenset({"training", "registration_code", "usb", "unknown_commands"})
_LATER_CLOCK = frozenset({"battery", "default"})
_LATER_TYPE = frozenset({"offline_count"})


def invalid(source: str, key: str, problem: str) -> AgentError:
    """Return the error for a value that a scenario must not hold."""
    return AgentError("SCENARIO_INVALID", path=source, key=key, what=problem)


def load(path: Path) -> Scenario:
    """Return the scenario in the file. Raises AgentError SCENARIO_INVALID with path, key and what."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(str(path), "", f"cannot be read: {error}") from error
    return scenario_of(text, source=str(path))


def scenario_of(text: str, *, source: str = "scenario") -> Scenario:
    """Return the scenario written in TOML. Raises AgentError SCENARIO_INVALID with the key's path."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), type=Scenario)
    except tomllib.TOMLDecodeError as error:
        raise invalid(source, "", f"is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        raise invalid(source, where.strip("`."), problem) from error
    for key, problem in contradictions(scenario):
        raise invalid(source, key, problem)
    return scenario


def days_of(month: str) -> tuple[dt.date, dt.date]:
    """Return the first and the last day of a month of the scenario."""
    return first_day(Period(month)), last_day(Period(month))
