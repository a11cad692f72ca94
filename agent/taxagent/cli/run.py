"""`taxagent run --config FILE`: the agent in the foreground, as systemd and people start it.

With `--check` the configuration is looked at and nothing is started.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.main import COMMANDS
from taxagent.cli.screen import default_lang
from taxagent.host.here import config_file

if TYPE_CHECKING:
    from taxagent.cli.main import Subparsers
    from taxagent.config import Settings
    from taxagent.model.errors import AgentError


def add(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("run", help=COMMANDS["run"].help(default_lang()))
    parser.add_argument("--config", type=Path, default=config_file(), metavar="FILE")
    check = {"zh": "只检查配置，不启动", "en": "check the configuration and start nothing"}
    parser.add_argument("--check", action="store_true", help=check[default_lang()])


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; 0 after a drain, 75 where another agent owns the state directory.

    0 after a check too.
    """
    from taxagent.model.errors import AgentError

    try:
        return _run(args)
    except AgentError as error:
        if not args.check:  # that one is another process than the service's
            _tell_manager(error)
        raise


def _run(args: argparse.Namespace) -> int:
    from taxagent import config, logs
    from taxagent.daemon import Agent

    os.umask(0o077)  # whoever starts it: what it writes is its own; the door alone is opened wider (ipc/)
    settings = config.load(args.config)
    _readable(settings)
    if args.check:
        return 0
    logs.set_up(settings.file.agent.log_level)
    return Agent(settings).run()


def _tell_manager(error: AgentError) -> None:
    """Leave a word in `systemctl status`: why there is no agent."""
    from taxagent.host.notify import Notifier
    from taxagent.model.faults import text

    words = text(error.problem(), default_lang())
    Notifier(os.environ, os.getpid()).tell(STATUS=f"{error.fault}: {words.title}")


def _readable(settings: Settings) -> None:
    """Refuse to start without the files of mutual TLS: else the first report would find that out."""
    from taxagent.model.errors import Refusal

    for key in ("ca", "certificate", "key"):
        path = Path(getattr(settings.file.bureau, key))
        try:
            path.open("rb").close()
        except OSError as error:
            facts = {"path": str(settings.path), "key": f"bureau.{key}", "found": str(path)}
            raise Refusal("CONFIG_INVALID", **facts, what=error.strerror or str(error)) from None
