"""What a plain `pip install` of one of our wheels brings, as a search path: none of this workspace's tools.

Start-up depends on what is installed beside us: msgspec imports typing_extensions where it is there, and
structlog imports rich; both come with the tools here and cost 7 and 20 ms.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

OURS = ("taxagent", "taxclient")


class Installed:
    """A folder with links to one wheel of ours and what it requires; programs are run with it alone."""

    def __init__(self, folder: Path, wheel: str) -> None:
        self._folder = folder
        folder.mkdir()
        for name, found in _required(wheel).items():
            for path in _parts(name, found):
                link = folder / path.name
                if not link.exists():
                    link.symlink_to(path.absolute())

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of Python with these arguments: the interpreter, not the environment's."""
        return [os.path.realpath(sys.executable), "-s", *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment to run it in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
        return {**kept, "PYTHONPATH": str(self._folder)}


def _required(wheel: str) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    waiting = [wheel]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        with suppress(PackageNotFoundError):  # of another platform
            found[name] = distribution(name)
            waiting += _names(found[name].requires or ())
    return found


def _names(requirements: Sequence[str]) -> Iterator[str]:
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def _parts(name: str, found: Distribution) -> Iterator[Path]:
    """Yield the files and folders that stand in site-packages; an editable install's package is elsewhere."""
    for top in {file.parts[0] for file in found.files or ()}:
        if top not in ("..", "__pycache__") and not top.endswith(".pth"):
            yield Path(str(found.locate_file(top)))
    if name in OURS:
        spec = importlib.util.find_spec(name)
        yield from map(Path, (spec.submodule_search_locations or ()) if spec else ())
