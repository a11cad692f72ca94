"""The password latch over the journal: what a device refused once is refused here from then on."""

from __future__ import annotations

import threading

import msgspec

from taxagent.model.device import PasswordVerdict, TriedPassword
from taxagent.model.events import PasswordTried
from taxagent.ports import Clock, Journal, JournalReader


class JournalLatch:
    """procedures.session.Latch; it outlives replugs, restarts and the process. Any thread."""

    def __init__(
        self,
        journal: Journal,
        reader: JournalReader,
        clock: Clock,
        *,
        after_crash: bool = False,
        announce_all: bool = False,
    ) -> None:
        """`after_crash`: the process before ended in mid-work, maybe between a refusal and its row.

        `announce_all`: this process leaves no mark of its end, so each of its tries is made durable.
        """
        self._after_crash = after_crash
        self._announce_all = announce_all
        self._opened: set[str] = set()  # devices that this process has let in
        self._journal = journal
        self._reader = reader
        self._clock = clock
        self._lock = threading.Lock()  # over _opened, _here and _announce_all; never held over a commit
        self._here: dict[str, dict[str, TriedPassword]] = {}  # newer than the journal: see recall and note

    def tried(self, device_no: str) -> tuple[TriedPassword, ...]:
        """Return every password that was tried on the device, and what became of each."""
        known = {one.salted_sha256: one for one in self._reader.passwords(device_no)}
        with self._lock:
            found = tuple((known | self._here.get(device_no, {})).values())
            doubtful = self._after_crash and device_no not in self._opened
        return tuple(_doubted(one) for one in found) if doubtful else found

    def note(self, device_no: str, tried: TriedPassword) -> None:
        """Make a try, or its end, durable; raises what the journal raises.

        A refusal that the journal does not take is remembered until the process ends.
        """
        if tried.verdict is PasswordVerdict.REFUSED:
            self._keep(device_no, tried)
        self._journal.append(self._row(device_no, tried))
        with self._lock:
            self._here.get(device_no, {}).pop(tried.salted_sha256, None)
            if tried.verdict is PasswordVerdict.ACCEPTED:
                self._opened.add(device_no)

    def recall(self, device_no: str, tried: TriedPassword) -> None:
        """Keep a try, or its end, until the process ends: a look with a good password writes nothing."""
        with self._lock:
            durable = self._announce_all
        if durable:
            self.note(device_no, tried)
        else:
            self._keep(device_no, tried)

    def doubts(self) -> tuple[PasswordTried, ...]:
        """Return what the next process must doubt, for the rows of a clean end.

        These are tries whose end this process never learned (a thread that hangs, a cable), and, after a
        crash, the passwords of devices that it did not let in. From now on each try is made durable.
        """
        with self._lock:
            self._announce_all = True
            here = [
                (device_no, one)
                for device_no, tries in self._here.items()
                for one in tries.values()
                if one.verdict is not PasswordVerdict.ACCEPTED
            ]
            opened = frozenset(self._opened)
        unmet = self._after_the_crash(opened) if self._after_crash else []
        return tuple(self._row(device_no, one) for device_no, one in (*unmet, *here))

    def _after_the_crash(self, opened: frozenset[str]) -> list[tuple[str, TriedPassword]]:
        """Return the good passwords of the devices of which nobody knows what the crash hid."""
        rows = self._reader.of_no_job()
        numbers = {row.device_no: None for row in rows if isinstance(row, PasswordTried)}
        return [
            (device_no, _doubted(one))
            for device_no in numbers
            if device_no not in opened
            for one in self._reader.passwords(device_no)
            if one.verdict is PasswordVerdict.ACCEPTED
        ]

    def _keep(self, device_no: str, tried: TriedPassword) -> None:
        with self._lock:
            self._here.setdefault(device_no, {})[tried.salted_sha256] = tried

    def _row(self, device_no: str, tried: TriedPassword) -> PasswordTried:
        return PasswordTried(
            device_no=device_no, tried=tried, at_ms=self._clock.utc_ms(), sim_ms=self._clock.sim_ms()
        )


def _doubted(one: TriedPassword) -> TriedPassword:
    """A password that was always good is tried unannounced: the crash may have hidden its refusal."""
    if one.verdict is not PasswordVerdict.ACCEPTED:
        return one
    return msgspec.structs.replace(one, verdict=PasswordVerdict.DOUBTED)
