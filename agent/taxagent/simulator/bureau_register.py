"""Whom the simulated bureau knows, and when it wants returns: its scenario. Knows no call and no file."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from taxagent.model.bureau import DeclarationState, FilingRow
from taxagent.model.device import DeviceKind
from taxagent.model.filing import filing_deadline
from taxagent.model.period import Period
from taxagent.model.taxpayer import taxpayer_id
from taxagent.model.value import Value
from taxagent.simulator.bureau_conditions import Conditions, changed
from taxagent.simulator.scenario import invalid


class Registration(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that the bureau issued."""

    device_no: str
    taxpayer_id: str
    kind: DeviceKind | None = None  # None: what its first summary says
    first_period: Period | None = None  # the first month that it has to report
    terminal_no: Annotated[int, Meta(ge=0, le=999)] = 0  # 开票机号: 0 = main machine, 1.. = sub machines


class BureauScenario(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bureau knows at its start.

    With neither taxpayers nor devices it serves every device. A device that is not listed is accepted for a
    listed taxpayer, and belongs to the taxpayer of its first report.
    """

    taxpayers: tuple[str, ...] = ()
    quarterly: tuple[str, ...] = ()  # those of them that file each quarter
    devices: tuple[Registration, ...] = ()
    calendar: tuple[FilingRow, ...] = ()  # filing deadlines that differ from the country's
    least_interval_ms: Annotated[int, Meta(ge=0)] = 0  # between two reads about one device; 0 = none
    conditions: Conditions = Conditions()

    def registration(self, device_no: str) -> Registration | None:
        """Return the device's registration, or None."""
        return next((one for one in self.devices if one.device_no == device_no), None)

    def serves(self, taxpayer_id: str) -> bool:
        """Return whether a device that is not listed may belong to that taxpayer."""
        known = (*self.taxpayers, *self.quarterly, *(one.taxpayer_id for one in self.devices))
        return not known or taxpayer_id in known

    def filing_deadline(self, month: Period) -> dt.date:
        """Return the last day on which returns are filed in `month`."""
        row = next((row for row in self.calendar if row.month == month), None)
        return row.deadline if row else filing_deadline(month).deadline

    def state_without_return(self, taxpayer_id: str, month: Period) -> DeclarationState:
        """Return what a period without a return is: missing, or not due for who files each quarter."""
        ends_quarter = int(month[5:]) % 3 == 0
        if taxpayer_id in self.quarterly and not ends_quarter:
            return DeclarationState.NOT_DUE
        return DeclarationState.MISSING


def load_bureau(path: Path) -> BureauScenario:
    """Return the scenario in a TOML file. Raises AgentError SCENARIO_INVALID with path, key and what."""
    try:
        scenario = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), type=BureauScenario)
        changed(scenario.conditions, {})
        for one in scenario.devices:
            taxpayer_id(one.taxpayer_id)
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(str(path), "", f"cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise invalid(str(path), "", f"is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        raise invalid(str(path), where.strip("`."), problem) from error
    except ValueError as error:
        raise invalid(str(path), "", str(error)) from error
    return scenario
