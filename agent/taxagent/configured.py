"""The settings as the values that the parts need: windows, roles, limits, patience. Decides nothing."""

from __future__ import annotations

import msgspec

from taxagent.bureau.client import GatewaySettings
from taxagent.config import File, WindowsSection
from taxagent.ipc.access import AccessTable
from taxagent.jobs.asks import Role
from taxagent.jobs.office import Consent
from taxagent.jobs.runner import Patience
from taxagent.jobs.watched import Limits
from taxagent.model.known import Cycle, KnownDevice
from taxagent.model.period import Period
from taxagent.model.windows import Rules


def rules_of(windows: WindowsSection) -> Rules:
    """Return the filing window's rules: the region's announced deadlines, and a person's before them."""
    days = {**windows.regional.get(windows.region, {}), **windows.overrides}
    overrides = {Period(month): day for month, day in days.items()}
    return Rules(overrides=overrides, report_until_hour=windows.report_until_hour)


def known_of(file: File) -> dict[str, KnownDevice]:
    """Return what is configured of each device, by its number."""
    return {
        row.device_no: KnownDevice(
            device_no=row.device_no, taxpayer_id=row.taxpayer_id, cycle=Cycle(row.cycle)
        )
        for row in file.devices
    }


def gateway_settings(file: File) -> GatewaySettings:
    """Return where the bureau is, for its client."""
    bureau = file.bureau
    return GatewaySettings(url=bureau.url, ca=bureau.ca, certificate=bureau.certificate, key=bureau.key)


def access_of(file: File) -> AccessTable:
    """Return who has which role."""
    return AccessTable(
        users={name: Role(role) for name, role in file.access.users.items()},
        groups={name: Role(role) for name, role in file.access.groups.items()},
    )


def limits_of(file: File) -> Limits:
    """Return how long a call to a device may take."""
    device = file.device
    return Limits(read_s=device.read_s, write_s=device.write_s, grace_s=device.grace_s)


def patience_of(file: File) -> Patience:
    """Return how often a waiting job looks again."""
    return Patience(**msgspec.structs.asdict(file.patience))


def consent_of(file: File) -> Consent:
    """Return the standing consent."""
    consent = file.consent
    return Consent(kinds=frozenset(consent.kinds), principals=frozenset(consent.principals))
