"""What a check asks of this computer: the way to the bureau, certificates, disk, the last back-up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from taxagent.host.probes import backups, certificates, latency, network, places
from taxagent.host.probes.findings import Probe, looked
from taxagent.host.probes.users import own_user
from taxagent.model.lines import CheckLine
from taxagent.ports import Clock, JournalReader


class Surroundings:
    """ports.Surroundings over this computer. Each probe is bounded in time; what it raises is a line."""

    def __init__(
        self, gateway: network.Gateway, state_dir: Path, reader: JournalReader, clock: Clock
    ) -> None:
        self._gateway = gateway
        self._state_dir = state_dir
        self._reader = reader
        self._clock = clock

    def way(self) -> tuple[CheckLine, ...]:
        """Return the steps to the gateway, up to the first that fails, and loss and latency."""
        return self._all({"http": self._path, "latency": self._trips})

    def place(self, device_no: str) -> tuple[CheckLine, ...]:
        """Return the gateway's certificate files, the disk, and the device's last back-up."""
        gateway = self._gateway
        ca, certificate, key = map(Path, (gateway.ca, gateway.certificate, gateway.key))
        now = dt.datetime.fromtimestamp(self._clock.utc_ms() / 1000, dt.UTC)
        return self._all(
            {
                "certificate": partial(certificates.files, ca, certificate, key, now, own_user()),
                "disk": partial(places.disk, self._state_dir),
                "backup": partial(backups.newest, device_no, self._reader),
            }
        )

    def _path(self) -> Iterator[CheckLine]:
        return network.path(self._gateway, self._clock)

    def _trips(self) -> Iterator[CheckLine]:
        return latency.trips(self._gateway.url, self._clock)

    def _all(self, probes: dict[str, Probe]) -> tuple[CheckLine, ...]:
        return tuple(line for name, probe in probes.items() for line in looked(name, probe))
