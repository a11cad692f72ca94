"""The password latch over the journal: what a device refused once is refused here from then on."""

from __future__ import annotations

from taxagent.model.events import PasswordLatched
from taxagent.ports import Clock, Journal, JournalReader


class JournalLatch:
    """procedures.session.Latch; it outlives replugs, restarts and the process. Any thread."""

    def __init__(self, journal: Journal, reader: JournalReader, clock: Clock) -> None:
        self._journal = journal
        self._reader = reader
        self._clock = clock
        self._newest: dict[str, tuple[str, str, int]] = {}  # of this process: holds where the disk is full

    def refused(self, device_no: str) -> tuple[str, str, int] | None:
        """Return (salt hex, salted SHA-256 hex, tries left) of the last refused password, or None."""
        return self._newest.get(device_no) or self._reader.latched(device_no)

    def remember(self, device_no: str, salt: str, salted_sha256: str, tries_left: int) -> None:
        """Make a refusal durable. Where the journal takes no row, it is remembered until the process ends."""
        self._newest[device_no] = (salt, salted_sha256, tries_left)
        self._journal.append(
            PasswordLatched(
                device_no=device_no,
                salt=salt,
                salted_sha256=salted_sha256,
                tries_left=tries_left,
                at_ms=self._clock.utc_ms(),
                sim_ms=self._clock.sim_ms(),
            )
        )
