"""`taxagent simulate bureau` and `taxagent simulate file-return`: the simulated bureau as a program."""

from __future__ import annotations

import argparse
import json
import queue
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from taxagent.model.bureau import DeclarationState
from taxagent.model.period import Period, period
from taxagent.model.simtime import SimulatedTime, simulated_time
from taxagent.model.taxpayer import taxpayer_id

if TYPE_CHECKING:
    from taxagent.simulator.bureau_server import Running

T = TypeVar("T")

EXIT_USAGE = 2
EXIT_ABSENT = 69  # nobody answers there


def add_bureau(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register both subcommands; `run(args)` of the parsed arguments returns the exit code."""
    serve = subparsers.add_parser("bureau", help="run a simulated tax bureau (HTTPS gateway)")
    serve.add_argument("--dir", required=True, type=Path, help="where its state, log and certificates live")
    serve.add_argument("--listen", default=("127.0.0.1", 0), type=_address, metavar="HOST:PORT")
    serve.add_argument("--control", default=("127.0.0.1", 0), type=_address, metavar="HOST:PORT")
    serve.add_argument("--sim-clock", default=None, type=_sim_clock, metavar="START@ORIGIN_MSxRATE")
    serve.add_argument(
        "--taxpayer",
        action="extend",
        nargs="+",
        default=[],
        type=_taxpayer,
        metavar="ID",
        help="default: any",
    )
    serve.add_argument(
        "--quarterly",
        action="extend",
        nargs="+",
        default=[],
        type=_taxpayer,
        metavar="ID",
        help="files each quarter",
    )
    serve.add_argument(
        "--scenario",
        type=Path,
        metavar="FILE",
        help="TOML: devices, conditions, calendar (docs/simulator.md)",
    )
    serve.set_defaults(run=run_bureau)
    file = subparsers.add_parser("file-return", help="file a VAT return at the simulated bureau")
    file.add_argument("--control", required=True, type=_address, metavar="HOST:PORT")
    file.add_argument("--taxpayer", required=True, type=_taxpayer, metavar="ID")
    file.add_argument("--period", required=True, type=_period, metavar="YYYY-MM")
    file.add_argument(
        "--state",
        default=DeclarationState.ACCEPTED,
        type=DeclarationState,
        choices=list(DeclarationState),
        help="what the bureau makes of it (default: accepted)",
    )
    file.set_defaults(run=run_file_return)


def run_bureau(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; one JSON line says when and where it is ready."""
    from taxagent.host.clock import HostClock  # noqa: PLC0415
    from taxagent.simulator.bureau_register import BureauScenario, load_bureau  # noqa: PLC0415
    from taxagent.simulator.bureau_server import serve_bureau  # noqa: PLC0415

    ended: queue.SimpleQueue[int] = queue.SimpleQueue()  # the one queue whose put is safe in a signal handler
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda number, _frame: ended.put(number))
    scenario = load_bureau(args.scenario) if args.scenario else BureauScenario()
    scenario = msgspec.structs.replace(
        scenario,
        taxpayers=(*scenario.taxpayers, *args.taxpayer),
        quarterly=(*scenario.quarterly, *args.quarterly),
    )
    try:
        running = serve_bureau(
            args.dir.absolute(),
            HostClock(args.sim_clock),
            scenario=scenario,
            listen=args.listen,
            control=args.control,
        )
    except OSError as error:
        sys.stderr.write(f"taxagent: the bureau cannot start: {error}\n")
        return EXIT_USAGE
    with running:
        sys.stdout.write(_ready_line(running, args.control[0]))
        sys.stdout.flush()
        ended.get()
    return 0


def run_file_return(args: argparse.Namespace) -> int:
    """File the return and print the bureau's answer as one JSON line."""
    from taxagent.simulator.bureau_control import Control, FileReturn  # noqa: PLC0415

    host, port = args.control
    order = FileReturn(taxpayer_id=args.taxpayer, period=args.period, state=args.state)
    try:
        with Control(port, host=host) as control:
            answer = control.order(order)
    except OSError as error:
        sys.stderr.write(f"taxagent: no bureau at {host}:{port}: {error}\n")
        return EXIT_ABSENT
    except ValueError as error:
        sys.stderr.write(f"taxagent: the bureau takes no return: {error}\n")
        return EXIT_USAGE
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    return 0


def _ready_line(running: Running, control_host: str) -> str:
    ready = {
        "url": running.url,
        "control": f"{control_host}:{running.control_port}",
        "ca": running.paths.ca,
        "client_certificate": running.paths.client_certificate,
        "client_key": running.paths.client_key,
    }
    return json.dumps(ready, ensure_ascii=False) + "\n"


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        msg = f"{text!r} is no address: write it as HOST:PORT, for example 127.0.0.1:0"
        raise argparse.ArgumentTypeError(msg)
    return host, int(port)


def _sim_clock(text: str) -> SimulatedTime:
    return _argument(simulated_time, text)


def _taxpayer(text: str) -> str:
    return _argument(taxpayer_id, text)


def _period(text: str) -> Period:
    return _argument(period, text)


def _argument(read: Callable[[str], T], text: str) -> T:
    """Return what `read` makes of `text`; argparse shows the words of its ValueError."""
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
