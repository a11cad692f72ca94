"""The password latch over the journal: what a device refused once is refused here from then on."""

from __future__ import annotations

import msgspec

from taxagent.model.device import PasswordVerdict, TriedPassword
from taxagent.model.events import PasswordTried
from taxagent.ports import Clock, Journal, JournalReader


class JournalLatch:
    """procedures.session.Latch; it outlives replugs, restarts and the process. Any thread."""

    def __init__(
        self, journal: Journal, reader: JournalReader, clock: Clock, *, after_crash: bool = False
    ) -> None:
        """`after_crash`: the process before ended in mid-work, maybe between a refusal and its row."""
        self._after_crash = after_crash
        self._opened: set[str] = set()  # devices that this process has let in
        self._journal = journal
        self._reader = reader
        self._clock = clock
        self._here: dict[str, dict[str, TriedPassword]] = {}  # newer than the journal: see recall and note

    def tried(self, device_no: str) -> tuple[TriedPassword, ...]:
        """Return every password that was tried on the device, and what became of each."""
        known = {one.salted_sha256: one for one in self._reader.passwords(device_no)}
        found = (known | self._here.get(device_no, {})).values()
        doubtful = self._after_crash and device_no not in self._opened
        return tuple(_doubted(one) if doubtful else one for one in found)

    def note(self, device_no: str, tried: TriedPassword) -> None:
        """Make a try, or its end, durable; raises what the journal raises.

        A refusal that the journal does not take is remembered until the process ends.
        """
        if tried.verdict is PasswordVerdict.ACCEPTED:
            self._opened.add(device_no)
        if tried.verdict is PasswordVerdict.REFUSED:
            self.recall(device_no, tried)
        self._journal.append(self._row(device_no, tried))
        self._here.get(device_no, {}).pop(tried.salted_sha256, None)

    def recall(self, device_no: str, tried: TriedPassword) -> None:
        """Keep a try, or its end, until the process ends: a look with a good password writes nothing."""
        self._here.setdefault(device_no, {})[tried.salted_sha256] = tried

    def doubts(self) -> tuple[PasswordTried, ...]:
        """Return the rows of tries whose end this process never learned (a thread that hangs, a cable)."""
        return tuple(
            self._row(device_no, one)
            for device_no, tries in self._here.items()
            for one in tries.values()
            if one.verdict is not PasswordVerdict.ACCEPTED
        )

    def _row(self, device_no: str, tried: TriedPassword) -> PasswordTried:
        return PasswordTried(
            device_no=device_no, tried=tried, at_ms=self._clock.utc_ms(), sim_ms=self._clock.sim_ms()
        )


def _doubted(one: TriedPassword) -> TriedPassword:
    """A password that was always good is tried unannounced: the crash may have hidden its refusal.

    As one that is being tried it is latched where the device has fewer tries left, and announced elsewhere.
    """
    if one.verdict is not PasswordVerdict.ACCEPTED:
        return one
    return msgspec.structs.replace(one, verdict=PasswordVerdict.TRYING)
