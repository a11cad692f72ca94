"""Which check files run in which guest. Both guests run at the same time, each with one processor.

A check file is a module of guest/ with two names:
    DEVICES: dict[str, str]                 what it needs a simulated device for = the device's kind
    checks(report: Report, shop: Shop)      calls report.check(sentence, function) for each check, in order
`shop.numbers[purpose]` is the device's number; it is not plugged yet, and no other file touches it. The
service runs when `checks` is called, unless the file says OPENS = True. What a file plugs it pulls
(`shop.away`): the agent reads at every start what is plugged. A check raises where its sentence is
not true; what it returns is shown. `make test-vm ARGS="--only NAME"` runs one file in a guest of its own.
"""

from __future__ import annotations

GUESTS: dict[str, tuple[str, ...]] = {
    "packaged": ("package", "month", "unit", "foreign", "finding", "watching", "upgrade"),
    "by hand": ("trouble", "cables", "service", "reboot"),
}
"""The first boots with the Debian package installed; the second has its program, for `service install`."""


def image(files: tuple[str, ...]) -> str:
    """Return which tree a guest with these files boots: "packaged" or "bare"."""
    return "packaged" if set(files) <= set(GUESTS["packaged"]) else "bare"


def chosen(only: str) -> dict[str, tuple[str, ...]]:
    """Return the guests for `only`: a check file's name has a guest of its own, anything else runs in all."""
    return {only: (only,)} if any(only in files for files in GUESTS.values()) else GUESTS
