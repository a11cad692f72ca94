"""`taxagent journal verify|show|snapshot`: the journal's file, read while the agent runs or not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.journal_words import said
from taxagent.cli.screen import default_lang, print_fault, print_json
from taxagent.host.here import config_file
from taxagent.model.errors import JournalRefused, Refusal
from taxagent.model.events import AnyEvent, JobEvent
from taxagent.model.faults import Lang
from taxagent.model.simtime import local_time

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.journal import Head, Reader, Verified

CONFIG = config_file()
PAGE_ROWS = 500

_SAY = {
    "zh": {
        "journal": "核对、查看、复制日志",
        "verify": "核对文件、哈希链和投影表",
        "show": "显示日志行",
        "snapshot": "复制运行中的日志并核对副本",
        "state": "状态目录",
        "config": f"配置文件（默认 {CONFIG}）",
        "anchor": "以前记下的链尾，用来发现被截断的日志",
        "job": "只显示这个作业",
        "since": "只显示此序号之后的行",
        "holds": "日志 {journal_id} 完好：{rows} 行",
        "head": "链尾 {last_seq}:{head_hash}",
        "first_bad": "第一处错误在第 {seq} 行：{what}",
        "copied": "已复制到 {target}",
        "checking": "正在核对 {done}/{rows}",
    },
    "en": {
        "journal": "verify, show or copy the journal",
        "verify": "check the file, the hash chain and the projections",
        "show": "print rows",
        "snapshot": "copy a live journal and verify the copy",
        "state": "state directory",
        "config": f"configuration (default {CONFIG})",
        "anchor": "a head that was noted earlier: finds a journal whose end was cut off",
        "job": "rows of this job alone",
        "since": "rows after this number",
        "holds": "journal {journal_id} holds: {rows} rows",
        "head": "head {last_seq}:{head_hash}",
        "first_bad": "first bad row {seq}: {what}",
        "copied": "copied to {target}",
        "checking": "checking {done}/{rows}",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    say = _SAY[default_lang()]
    parser = subparsers.add_parser("journal", help=say["journal"])
    actions = parser.add_subparsers(dest="action", required=True, metavar="verify|show|snapshot")
    verify, show, snapshot = (
        actions.add_parser(name, help=say[name]) for name in ("verify", "show", "snapshot")
    )
    for action in (verify, show, snapshot):
        where = action.add_mutually_exclusive_group()
        where.add_argument("--state", type=Path, metavar="DIR", help=say["state"])
        where.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=say["config"])
        action.add_argument("--json", action="store_true", help="JSON")
    verify.add_argument("--anchor", type=_anchor, metavar="SEQ:HASH", help=say["anchor"])
    show.add_argument("--job", default="", metavar="ID", help=say["job"])
    show.add_argument("--since", type=int, default=0, metavar="SEQ", help=say["since"])
    snapshot.add_argument("target", type=Path, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Do it; 0 where all is well, 1 where the journal (or its copy) does not verify."""
    from taxagent.journal import JOURNAL_NAME, Reader

    actions: dict[str, Callable[[Reader, argparse.Namespace], None]] = {
        "verify": _verify,
        "show": _show,
        "snapshot": _snapshot,
    }
    try:
        with closing(Reader(_state_dir(args) / JOURNAL_NAME)) as reader:
            actions[args.action](reader, args)
    except JournalRefused as error:
        if error.detail["reason"] not in ("broken", "unreadable"):
            raise
        return _say_broken(error, args)
    return 0


def _verify(reader: Reader, args: argparse.Namespace) -> None:
    progress = _progress(args.lang)
    verified = reader.verify(progress)
    if args.anchor is not None:
        reader.verify_anchor(args.anchor)
    reader.verify_projections(progress)
    _say_verified(verified, args)


def _snapshot(reader: Reader, args: argparse.Namespace) -> None:
    try:
        verified = reader.snapshot(args.target)
    except OSError as error:
        what = error.strerror or str(error)
        raise Refusal("SNAPSHOT_FAILED", path=str(args.target), what=what) from None
    if not args.json:
        print(_SAY[args.lang]["copied"].format(target=args.target))
    _say_verified(verified, args)


def _show(reader: Reader, args: argparse.Namespace) -> None:
    for seq, event in _rows(reader, args.job, args.since):
        if args.json:
            print_json({"seq": seq, "event": event})
        else:
            print(_line(seq, event, args.lang))


def _rows(reader: Reader, job_id: str, since: int) -> Iterator[tuple[int, AnyEvent]]:
    if job_id:
        rows: Iterable[tuple[int, AnyEvent]] = reader.job_events(job_id)
        if not rows:
            raise Refusal("JOB_UNKNOWN", job_id=job_id)
        yield from (row for row in rows if row[0] > since)
        return
    while page := reader.events(since, PAGE_ROWS):
        yield from page
        since = page[-1][0]


def _line(seq: int, event: AnyEvent, lang: Lang) -> str:
    at = local_time(event.at_ms).strftime("%Y-%m-%d %H:%M:%S")
    job = f"{event.job_id}  " if isinstance(event, JobEvent) else ""
    return f"{seq:>6}  {at}  {job}{said(event, lang)}"


def _say_verified(verified: Verified, args: argparse.Namespace) -> None:
    facts = {
        "journal_id": verified.journal_id,
        "rows": verified.rows,
        "last_seq": verified.last_seq,
        "head_hash": verified.head_hash,
    }
    if args.json:
        print_json({"verified": True, **facts})
    else:
        print(_SAY[args.lang]["holds"].format(**facts))
        print(_SAY[args.lang]["head"].format(**facts))


def _say_broken(error: JournalRefused, args: argparse.Namespace) -> int:
    seq, what = int(error.detail.get("seq", "0")), error.detail["what"]
    if args.json:
        print_json({"verified": False, "first_bad_seq": seq or None, "what": what})
    else:
        print_fault(error, args.lang)
        if seq:
            print(_SAY[args.lang]["first_bad"].format(seq=seq, what=what), file=sys.stderr)
    return 1


def _progress(lang: Lang) -> Callable[[int, int], None]:
    """Return who is told of a check's progress: a line on a terminal, nobody elsewhere."""
    if not sys.stderr.isatty():
        return lambda _done, _rows: None

    def say(done: int, rows: int) -> None:
        if done % 1000 == 0 or done == rows:
            end = "\n" if done == rows else ""
            line = _SAY[lang]["checking"].format(done=done, rows=rows)
            print(f"\r{line}", end=end, file=sys.stderr, flush=True)

    return say


def _state_dir(args: argparse.Namespace) -> Path:
    if args.state is not None:
        state: Path = args.state
        return state
    from taxagent.config import load

    return load(args.config).state_dir


def _anchor(text: str) -> Head:
    from taxagent.journal import Head

    seq, _, digest = text.partition(":")
    try:
        if len(digest) != 64:
            raise ValueError
        return Head(seq=int(seq), hash=bytes.fromhex(digest))
    except ValueError:
        msg = f"{text!r} is no anchor: write SEQ:HASH with 64 hex digits, as `journal verify` prints its head"
        raise argparse.ArgumentTypeError(msg) from None
