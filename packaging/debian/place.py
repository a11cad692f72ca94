"""Puts the service's files where a package has them, from the table that `taxagent service install` goes by.

`place.py TREE`, by the venv's interpreter. Debian 12 wants units and udev's rules in /lib, the others in
/usr/lib.
"""

import sys
from pathlib import Path

from taxagent.host.unit_files import FILES

IN_LIB = ("usr/lib/systemd/system/", "usr/lib/udev/")


def place(tree: Path) -> None:
    """Write each file below the tree."""
    for file in FILES:
        where = str(file.packaged)
        path = tree / (where.removeprefix("usr/") if where.startswith(IN_LIB) else where)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text(), encoding="utf-8")
        path.chmod(0o644)


if __name__ == "__main__":
    place(Path(sys.argv[1]))
