"""`taxagent run --config FILE`: the agent in the foreground, as systemd and people start it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("run", help=COMMANDS["run"].help(default_lang()))
    parser.add_argument("--config", type=Path, default=Path("/etc/taxagent/taxagent.toml"), metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; 0 after a drain, 75 where another agent owns the state directory."""
    from taxagent import config, logs
    from taxagent.daemon import Agent

    settings = config.load(args.config)
    logs.set_up(settings.file.agent.log_level)
    return Agent(settings).run()
