"""The newest view of every device that was seen since the start. Values in, values out; reads no device."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from taxagent.jobs.asks import DeviceView
from taxagent.jobs.device_views import away
from taxagent.model.job import Problem
from taxagent.ports import Clock

STALE_MS = 15 * 60_000
_NEVER_MS = 1 << 62


class ViewBook:
    """Views by device number, by location where there is none.

    `held_since` tells of a kept device, `silent` of one that leaves a command unanswered; both by location.
    """

    def __init__(
        self,
        clock: Clock,
        held_since: Callable[[str], int],
        silent: Callable[[str], Problem | None],
    ) -> None:
        self._clock = clock
        self._held_since = held_since
        self._silent = silent
        self._views: dict[str, DeviceView] = {}
        self.changes = 0  # grows with every change

    def __iter__(self) -> Iterator[DeviceView]:
        return iter(self._views.values())

    def kept(self, device_no: str) -> DeviceView | None:
        """Return the view as it was put, or None."""
        return self._views.get(device_no)

    def of(self, device_no: str) -> DeviceView | None:
        """Return the view as it is shown now, or None."""
        view = self._views.get(device_no)
        return self._shown(view) if view is not None else None

    def all(self) -> tuple[DeviceView, ...]:
        """Return every view as it is shown now, by number."""
        return tuple(self._shown(self._views[number]) for number in sorted(self._views))

    def at(self, location: str) -> DeviceView | None:
        """Return the view of what is plugged at a place, or None."""
        return next((view for view in self._views.values() if view.location == location), None)

    def put(self, view: DeviceView) -> None:
        """What `view` shows is at its location now; whatever was there is not any more."""
        self.leave(view.location)
        self._views[view.device_no or view.location] = view

    def put_away(self, view: DeviceView) -> None:
        """Keep the newest view of a device that is not plugged."""
        self.changes += 1
        self._views[view.device_no] = msgspec.structs.replace(view, stale=True)

    def leave(self, location: str) -> None:
        """Whatever was at `location` is not there any more; what never had a number is forgotten."""
        self.changes += 1
        for key, view in list(self._views.items()):
            if view.location == location:
                if view.device_no:
                    self._views[key] = away(view)
                else:
                    del self._views[key]

    def stale_ms(self) -> int:
        """Return the UTC in ms at which the next view turns stale by age; very late where none does."""
        ages = [view.as_of_ms + STALE_MS + 1 for view in self._views.values() if not view.stale]
        now = self._clock.utc_ms()
        return min((at_ms for at_ms in ages if at_ms > now), default=_NEVER_MS)

    def _shown(self, view: DeviceView) -> DeviceView:
        held_ms = self._held_since(view.location)
        if held_ms and not view.held_by:
            view = msgspec.structs.replace(view, held_by="agent", held_since_ms=held_ms)
        if view.location and view.problem is None:
            view = msgspec.structs.replace(view, problem=self._silent(view.location))
        old = self._clock.utc_ms() - view.as_of_ms > STALE_MS
        return msgspec.structs.replace(view, stale=True) if old and not view.stale else view
