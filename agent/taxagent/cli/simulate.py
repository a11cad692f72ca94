"""`taxagent simulate`: simulated devices on a USB/IP server, the simulated bureau, and orders to them."""

from __future__ import annotations

import argparse
import ipaddress
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taxagent.cli.main import COMMANDS, Subparsers
from taxagent.cli.screen import default_lang, print_json
from taxagent.cli.simulate_words import speak
from taxagent.model.errors import AgentError
from taxagent.model.simtime import SimulatedTime, simulated_time

if TYPE_CHECKING:
    from taxagent.simulator.running import Address, Running

_USAGE = 2
_ABSENT = 69


def add(subparsers: Subparsers) -> None:
    """Declare the command and what it can simulate."""
    parser = subparsers.add_parser("simulate", help=COMMANDS["simulate"].help(default_lang()))
    what = parser.add_subparsers(dest="simulate", required=True, metavar="WHAT")
    _add_device(what.add_parser("device", help="run simulated devices on a USB/IP server"))
    _add_control(what.add_parser("control", help="send an order to running simulated devices or bureau"))
    try:
        from taxagent.simulator.bureau_cli import add_bureau
    except ImportError:  # its libraries are an extra of the package
        pass
    else:
        add_bureau(what)
    speak(parser, default_lang())


def run(args: argparse.Namespace) -> int:
    """Run what was chosen."""
    return cast("int", args.run(args))


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", nargs="+", type=Path, metavar="SCENARIO", help="TOML file, one a device")
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    parser.add_argument("--control", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="where the devices' memory lives; without it nothing is kept",
    )
    parser.add_argument("--sim-clock", type=_clock, metavar="START@ORIGIN_MS[xRATE]")
    parser.add_argument("--reset", action="store_true", help="begin anew, as the scenarios say")
    parser.add_argument(
        "--remote",
        action="store_true",
        help="allow addresses other than this machine's: USB/IP has no password",
    )
    parser.set_defaults(run=run_device)


def _add_control(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--control", type=_address, required=True, metavar="HOST:PORT")
    parser.add_argument(
        "order",
        nargs="+",
        metavar="ORDER",
        help="its name and KEY=VALUE words, or one JSON object in quotes",
    )
    parser.epilog = (
        "for example: show; unplug device=1-1; clock device=661700000011 advance_s=3600; and to a bureau: "
        "set refuses_login=true. All orders are in docs/simulator.md; an unknown one is answered with them."
    )
    parser.set_defaults(run=run_control)


def run_device(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; one JSON line says when and where it is ready."""
    from taxagent.host.clock import HostClock
    from taxagent.simulator.running import serve
    from taxagent.simulator.scenario import load

    if not args.remote:
        _only_loopback(args.listen, "listen")
        _only_loopback(args.control, "control")
    scenarios = [load(path) for path in args.scenario]
    with tempfile.TemporaryDirectory(prefix="taxagent-devices-") as passing:
        try:
            running = serve(
                scenarios,
                args.state or Path(passing),
                clock=HostClock(args.sim_clock),
                usbip=args.listen,
                control=args.control,
                reset=args.reset,
            )
        except OSError as error:
            raise AgentError("CONFIG_INVALID", key="--listen, --control, --state", what=str(error)) from error
        with running:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: running.ask_to_end())
            print_json(_ready(running, args.listen, args.control))
            running.wait()
    return 0


def run_control(args: argparse.Namespace) -> int:
    """Send one order to simulated devices or a simulated bureau, print the reply; 0 where it was obeyed."""
    from taxagent.simulator.control_client import ControlClient
    from taxagent.simulator.control_lines import BadLine, typed_order

    host, port = args.control
    try:
        line = typed_order(args.order)
        with ControlClient(host, port) as client:
            reply = client.raw(line)
    except BadLine as error:
        print(f"taxagent: {error}", file=sys.stderr)
        return _USAGE
    except OSError as error:
        print(f"taxagent: no simulator at {host}:{port}: {error}", file=sys.stderr)
        return _ABSENT
    print_json(reply)
    return 0 if reply["ok"] else _USAGE


def _ready(running: Running, usbip: Address, control: Address) -> dict[str, object]:
    return {
        "usbip": f"{usbip[0]}:{running.usbip_port}",
        "control": f"{control[0]}:{running.control_port}",
        "devices": [
            {"busid": port.busid, "device_no": port.device.scenario.device_no} for port in running.bus.ports()
        ],
    }


def _only_loopback(address: Address, option: str) -> None:
    host = address[0]
    try:
        fine = ipaddress.ip_address(host).is_loopback
    except ValueError:
        fine = host == "localhost"
    if not fine:
        raise AgentError(
            "CONFIG_INVALID", key=f"--{option}", what=f"{host} is not this machine; --remote allows it"
        )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no address: write HOST:PORT, for example 127.0.0.1:0")
    return host, int(port)


def _clock(text: str) -> SimulatedTime:
    try:
        return simulated_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
