"""`taxagent service` on Windows: install, configure, start, stop, status, uninstall, and the service itself.

`run` is what the service control manager starts; typed at a console it says so.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from taxagent.cli.screen import default_lang, print_json
from taxagent.cli.service_words import say

if TYPE_CHECKING:
    from taxagent.daemon import Agent
    from taxagent.host.installing import Step
    from taxagent.host.windows.standing import Standing

ACTIONS = ("install", "uninstall", "configure", "start", "stop", "status", "run")
_FATAL = 1


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    from taxagent.host.here import config_file

    lang = default_lang()
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(ACTIONS[:-1]))
    for action in ACTIONS:
        command = actions.add_parser(action, help=say(action, lang))
        command.add_argument("--json", action="store_true", help="JSON")
        command.add_argument(
            "--config", type=Path, default=config_file(), metavar="FILE", help=say("config", lang)
        )


def run(args: argparse.Namespace) -> int:
    """Do it; 0 done, 1 a step failed or the service does not run."""
    from taxagent.host.windows import installation
    from taxagent.host.windows.books import ScmBooks

    if args.action == "run":
        return _serve(args.config)
    books = ScmBooks()
    if args.action == "status":
        return _status(books, args)
    if args.action == "install":
        return _told(installation.install(books, command_line(args.config.absolute())), args)
    act = {
        "uninstall": installation.uninstall,
        "configure": installation.configure,
        "start": installation.start,
        "stop": installation.stop,
    }[args.action]
    return _told(act(books), args)


def command_line(config: Path) -> str:
    """Return what the service control manager starts: this interpreter, no script, absolute paths."""
    return f'"{sys.executable}" -X utf8 -m taxagent service run --config "{config}"'


def _told(steps: Iterator[Step], args: argparse.Namespace) -> int:
    done = []
    for step in steps:
        done.append(step)
        if not args.json:
            print(say(step.did, args.lang, what=step.what, why=step.why), flush=True)
            if step.did == "not_there" and step.why:
                print(f"          {step.why}", flush=True)
    if args.json:
        print_json({"steps": done})
    return 1 if any(step.failed for step in done) else 0


def _status(books: object, args: argparse.Namespace) -> int:
    from taxagent.host.windows.books import ScmBooks
    from taxagent.host.windows.dispatcher import NAME
    from taxagent.host.windows.standing import State

    found = ScmBooks.standing(books) if isinstance(books, ScmBooks) else None
    if args.json:
        print_json({"service": found})
    elif found is None:
        print(say("absent", args.lang, what=NAME))
    else:
        print(
            say(
                "stands",
                args.lang,
                state=found.state.name,
                pid=found.pid,
                code=found.own_code or found.exit_code,
            )
        )
    return 0 if found is not None and found.state is State.RUNNING else 1


# ---- the service


def _serve(config: Path) -> int:
    from taxagent.host.windows.dispatcher import serve

    serve(AgentWork(config))
    return 0


class AgentWork:
    """host.windows.dispatcher.Work over the agent of a configuration."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._agent: Agent | None = None
        self._stopped = False

    def run(self, standing: Standing) -> int:
        """Run the agent until `stop`; whatever ends it otherwise stands in the Event Log and is not 0."""
        from taxagent.host.windows.dispatcher import event_log

        try:
            code = self._run(standing)
        except BaseException as error:  # noqa: BLE001 - the SCM must hear of every end, with a code
            event_log(_words(error), error=True)
            return _code(error)
        if code != 0:
            event_log(f"ended with code {code}; the log file says why", error=True)
        return code

    def stop(self) -> None:
        """Drain; before the agent is built: do not begin."""
        with self._lock:
            self._stopped = True
            if self._agent is not None:
                self._agent.stop()

    def _run(self, standing: Standing) -> int:
        from taxagent import config, logs
        from taxagent.daemon import Agent
        from taxagent.host.clock import HostClock
        from taxagent.host.windows import places
        from taxagent.host.windows.day_logs import DayLog

        clock = HostClock()
        log = DayLog(places.log_folder(self._config), lambda: _day(clock))
        with contextlib.closing(log):
            settings = config.load(self._config)
            logs.set_up(settings.file.agent.log_level, log)  # type: ignore[arg-type]
            with self._lock:
                if self._stopped:
                    return 0
                self._agent = Agent(settings, standing)
            return self._agent.run()


def _day(clock: object) -> dt.date:
    from taxagent.host.clock import HostClock

    return clock.local().date() if isinstance(clock, HostClock) else dt.date.min


def _words(error: BaseException) -> str:
    from taxagent.model.errors import AgentError
    from taxagent.model.faults import text

    if isinstance(error, AgentError):
        words = text(error.problem(), default_lang())
        facts = ", ".join(f"{name}={value}" for name, value in error.detail.items())
        return f"{error.fault}: {words.title} ({facts}). {words.remedy}"
    return f"{type(error).__name__}: {error}"


def _code(error: BaseException) -> int:
    from taxagent.cli.screen import exit_code
    from taxagent.model.errors import AgentError

    return exit_code(error) or _FATAL if isinstance(error, AgentError) else _FATAL
