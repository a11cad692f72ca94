"""The files by which systemd and udev know the agent, and where each is installed. Writes nothing."""

from __future__ import annotations

from importlib import resources
from pathlib import PurePosixPath

from taxagent.model.value import Value

PROGRAM = "/usr/lib/taxagent/bin/taxagent"
"""Where the unit starts the agent from, as it is written; an installation puts its own path there."""


class UnitFile(Value, frozen=True, kw_only=True):
    """A file of this package's systemd folder, and its place below the root."""

    name: str
    place: PurePosixPath

    @property
    def packaged(self) -> PurePosixPath:
        """Where a package of the system puts it, so that a person's own file in /etc goes before it."""
        return PurePosixPath("usr/lib") / self.place.relative_to("etc")

    def text(self, program: str = PROGRAM) -> str:
        """Return what is to stand at the place, the agent started as `program`."""
        written = (resources.files("taxagent.host") / "systemd" / self.name).read_text(encoding="utf-8")
        return written.replace(PROGRAM, program)


UNIT = "taxagent.service"
SOCKET = "taxagent-metrics.socket"
"""Rests until a person enables it."""
FILES: tuple[UnitFile, ...] = tuple(
    UnitFile(name=name, place=PurePosixPath(place))
    for name, place in (
        ("taxagent.sysusers", "etc/sysusers.d/taxagent.conf"),
        ("taxagent.tmpfiles", "etc/tmpfiles.d/taxagent.conf"),
        ("taxagent.modules-load", "etc/modules-load.d/taxagent.conf"),
        ("70-taxagent.rules", "etc/udev/rules.d/70-taxagent.rules"),
        ("taxagent.logind", "etc/systemd/logind.conf.d/taxagent.conf"),
        (SOCKET, "etc/systemd/system/taxagent-metrics.socket"),
        (UNIT, "etc/systemd/system/taxagent.service"),
    )
)
"""In the order of installing: the users first, the unit last."""
