"""`taxagent support-bundle`: one archive to send for support.

No part's failure ends it; no secret is in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers

_SAY = {
    "zh": {
        "out": "压缩包的路径（默认在当前目录）",
        "journal": "附上完整日志（含纳税人信息，未遮盖）",
        "in": "已放入：",
        "failed": "（取不到，文件中有原因）",
        "left": "未放入：密码、密钥内容、纳税人识别号和名称、联系人{journal}",
        "no_journal": "、完整日志（要附上用 --with-journal）",
        "whole": "注意：journal.db 是完整日志，含纳税人信息，未遮盖。",
    },
    "en": {
        "out": "the archive's path (default: in the current folder)",
        "journal": "add a copy of the whole journal: it has the taxpayer's data, unmasked",
        "in": "put in:",
        "failed": " (not to be had; the file says why)",
        "left": "left out: passwords, contents of keys, taxpayers' numbers and names, the contact{journal}",
        "no_journal": ", the whole journal (--with-journal adds it)",
        "whole": "Mind: journal.db is the whole journal, with the taxpayer's data, unmasked.",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    say = _SAY[default_lang()]
    parser = subparsers.add_parser("support-bundle", help=COMMANDS["support-bundle"].help(default_lang()))
    parser.add_argument("--config", type=Path, default=Path("/etc/taxagent/taxagent.toml"), metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="FILE", help=say["out"])
    parser.add_argument("--with-journal", action="store_true", help=say["journal"])


def run(args: argparse.Namespace) -> int:
    """Write the archive (zip, mode 0600) and print what is in it and what is not; 0."""
    from taxagent.cli import support_parts as parts

    say = _SAY[args.lang]
    out = args.out or Path(time.strftime("taxagent-support-%Y%m%d-%H%M%S.zip"))
    masked = parts.mask(args.config)
    told: list[tuple[str, bool]] = []
    files: dict[str, bytes] = {}
    for name, read in parts.all_of(args.config, args.lang).items():
        text, well = _read(read)
        files[name] = masked(text).encode()
        told.append((name, well))
    if args.with_journal:
        try:
            files["journal.db"] = parts.journal_copy(args.config)
            told.append(("journal.db", True))
        except Exception as error:  # noqa: BLE001 - as in _read
            files["journal.txt"] = masked(_why(error)).encode()
            told.append(("journal.txt", False))
    _write(out, files)
    print(out)
    print(say["in"])
    for name, well in told:
        print(f"  {name}{'' if well else say['failed']}")
    print(say["left"].format(journal="" if "journal.db" in files else say["no_journal"]))
    if "journal.db" in files:
        print(say["whole"])
    return 0


def _read(read: Callable[[], str]) -> tuple[str, bool]:
    try:
        return read(), True
    except Exception as error:  # noqa: BLE001 - the part's file says why, the others are read all the same
        return _why(error), False


def _why(error: Exception) -> str:
    return f"not to be had: {type(error).__name__}: {error}\n"


def _write(out: Path, files: dict[str, bytes]) -> None:
    """Write it whole or not at all."""
    manifest = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    files = {**files, "manifest.json": json.dumps({"sha256": manifest}, indent=2).encode()}
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    draft.replace(out)
