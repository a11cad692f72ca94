"""The settings as the values that the work needs: windows, what is known of each device. Decides nothing."""

from __future__ import annotations

from taxagent.bureau.client import GatewaySettings
from taxagent.config import File, WindowsSection
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
