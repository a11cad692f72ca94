"""Prints debian/copyright: the project's own part, then the licence texts that each vendored wheel brings.

`wheel_licences.py COPYRIGHT.IN WHEEL...`; ends with 1 where a wheel says no licence at all.
"""

from __future__ import annotations

import re
import sys
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

OWN = {"taxagent", "taxclient"}
_TEXT = re.compile(r"\.dist-info/(?:licenses/.*|(?:LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*)$", re.IGNORECASE)
_BEGUN = "License ::"
_APACHE = re.compile(
    r"[^\n]*Apache License\s+Version 2\.0, January 2004.*?END OF TERMS AND CONDITIONS", re.DOTALL
)
_COMMON = "On Debian systems the Apache License, Version 2.0, is in /usr/share/common-licenses/Apache-2.0."


def stanza(wheel: Path) -> str:
    """Return the wheel's paragraph. Raises ValueError where it says no licence."""
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        told = HeaderParser().parsestr(archive.read(metadata).decode("utf-8"))
        texts = {
            name.partition(".dist-info/")[2]: archive.read(name).decode("utf-8", "replace")
            for name in names
            if _TEXT.search(name) and not name.endswith("/")
        }
    name = told["Name"]
    if name.lower() in OWN:
        return ""
    classified = [
        one.rpartition(":: ")[2] for one in told.get_all("Classifier", []) if one.startswith(_BEGUN)
    ]
    said = told["License-Expression"] or " and ".join(classified) or (told["License"] or "").splitlines()[0:1]
    if not said:
        msg = f"{wheel.name} says no licence"
        raise ValueError(msg)
    short = said if isinstance(said, str) else said[0]
    who = told["Author"] or told["Author-email"] or told["Maintainer-email"] or f"the authors of {name}"
    files = sorted({top(one) for one in names})
    body = "\n".join(
        f"File {file} of the wheel:\n\n{_APACHE.sub(_COMMON, text).strip()}\n"
        for file, text in sorted(texts.items())
    )
    return "\n".join(
        [
            "",
            "Files: " + "\n ".join(f"usr/lib/taxagent/lib/*/site-packages/{one}" for one in files),
            f"Copyright: {' '.join(who.split())}",
            f"License: {name}-{told['Version']}",
            *paragraph(f"{name} {told['Version']}: {short}\n\n{body}"),
            "",
        ]
    )


def top(name: str) -> str:
    """Return what stands for a file of the wheel in site-packages."""
    first, slash, _ = name.partition("/")
    return f"{first}/*" if slash else first


def paragraph(text: str) -> list[str]:
    """Return a text as the field's lines: indented, a full stop for an empty one."""
    return [f" {line.rstrip()}" if line.strip() else " ." for line in text.strip().splitlines()]


def main() -> int:
    """Print the whole file."""
    form, *wheels = map(Path, sys.argv[1:])
    sys.stdout.write(form.read_text(encoding="utf-8"))
    try:
        sys.stdout.write("".join(map(stanza, sorted(wheels))))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
