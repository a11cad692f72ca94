"""`taxagent why`: can this shop issue invoices? Reads the devices itself, where no agent runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang, print_fault, print_json, print_table
from taxagent.host.here import config_file
from taxagent.model.errors import InstanceRunning, Refusal
from taxagent.model.faults import Lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxclient.protocol.messages import DiagnoseResult

CONFIG = config_file()
_SAY = {
    "zh": {
        "device": "设备编号，默认全部",
        "case": "说明案例码的含义，例如 11 或 007-11-31",
        "running": "代理正在运行，设备由它使用。请用：taxctl why",
        "number": "没有这个案例码",
        "none": "没有原因：可以开票",
    },
    "en": {
        "device": "device number; default: all",
        "case": "say what a case code means, for example 11 or 007-11-31",
        "running": "The agent runs and uses the devices. Ask it: taxctl why",
        "number": "there is no such case",
        "none": "no cause: invoices can be issued",
    },
}


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    say = _SAY[default_lang()]
    parser = subparsers.add_parser("why", help=COMMANDS["why"].help(default_lang()))
    parser.add_argument("device", nargs="?", default="", metavar="DEVICE_NO", help=say["device"])
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE")
    parser.add_argument("--case", default="", metavar="CODE", help=say["case"])
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Print the answers; 75 where an agent runs."""
    if args.case:
        return _explain(args.case, args.lang, json=args.json)
    try:
        result = _answers(args.config, args.device, args.lang)
    except InstanceRunning as error:
        print_fault(error, args.lang, json=args.json)
        if not args.json:
            print(_SAY[args.lang]["running"])
        return 75
    if args.json:
        print_json(result)
        return 0
    from taxclient.cli.why import lines
    from taxclient.cli.words import Speech

    for line in lines(result, Speech(args.lang)):
        print(line)
    return 0


def _answers(config: Path, device_no: str, lang: Lang) -> DiagnoseResult:
    from taxagent.cli.reading import alone, read_all
    from taxagent.config import load
    from taxagent.configured import rules_of
    from taxagent.host.clock import HostClock
    from taxagent.ipc.diagnose import Diagnoser
    from taxclient.protocol.messages import DiagnoseArgs

    settings = load(config)
    diagnose = Diagnoser(
        rules_of(settings.file.windows),
        HostClock(settings.simulation),
        simulation=settings.simulation,
        contact=settings.file.support.contact,
    )
    with alone(settings) as (latch, journal):
        status = read_all(settings, latch, journal)
    return diagnose(DiagnoseArgs(device_no=device_no), status, lang)


def _explain(code: str, lang: Lang, *, json: bool) -> int:
    """Say what each number of a case code means; the invoice type before it is left out."""
    from taxagent.model import cases
    from taxagent.model.words import word

    parts = code.split("-")
    numbers = parts[1:] if len(parts[0]) == 3 else parts
    if numbers == ["00"]:
        print_json([]) if json else print(_SAY[lang]["none"])
        return 0
    names = [cases.case_by_number(number) for number in numbers]
    rows = []
    for number, name in zip(numbers, names, strict=True):
        if name is None:
            raise Refusal("BAD_REQUEST", field="case", found=number, what=_SAY[lang]["number"])
        cause = cases.Cause(case=name)
        words, who = cases.text(cause, lang), word("who", cases.who_mends(cause), lang)
        rows.append((number, name, who, words.title, words.remedy))
    if json:
        fields = ("number", "case", "who", "title", "remedy")
        print_json([dict(zip(fields, row, strict=True)) for row in rows])
    else:
        print_table(rows)
    return 0
