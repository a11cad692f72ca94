"""A probe: looks at one thing of this computer and yields lines. Whatever happens to it is a line, too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from taxagent.model.checks import made, of_error
from taxagent.model.errors import AgentError
from taxagent.model.lines import CheckLine

Probe = Callable[[], Iterable[CheckLine]]

LIMIT_S = 20.0
"""So long all of them together are waited for: longer than the time-outs of each step within one."""


def looked(name: str, probe: Probe) -> tuple[CheckLine, ...]:
    """Run a probe; what it raises is a line, after those that it made before."""
    lines: list[CheckLine] = []
    try:
        for line in probe():
            lines.append(line)  # noqa: PERF402 - what came before an exception is kept
    except AgentError as error:
        lines.append(of_error(name, error))
    except PermissionError as error:
        lines.append(made(name, "MAY_NOT_LOOK", path=str(error.filename or "")))
    except Exception as error:  # noqa: BLE001 - a probe that fails is itself a finding
        lines.append(made(name, "PROBE_FAILED", what=f"{type(error).__name__}: {error}"))
    return tuple(lines)


def all_looked(probes: Mapping[str, Probe], limit_s: float = LIMIT_S) -> tuple[CheckLine, ...]:
    """Run the probes beside each other and return their lines in the order of `probes`.

    Of one that has not ended within `limit_s` that is its line; its thread is left behind.
    """
    found: dict[str, tuple[CheckLine, ...]] = {}

    ended = threading.Event()

    def work(name: str, probe: Probe) -> None:
        found[name] = looked(name, probe)
        if len(found) == len(probes):
            ended.set()

    for name, probe in probes.items():
        threading.Thread(target=work, args=(name, probe), name=f"probe {name}", daemon=True).start()
    ended.wait(limit_s)
    hung = {name: (made(name, "PROBE_HUNG", seconds=str(round(limit_s))),) for name in probes}
    done = hung | found
    return tuple(line for name in probes for line in done[name])
