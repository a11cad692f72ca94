"""A probe: looks at one thing of this computer and yields lines. Whatever happens to it is a line, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from taxagent.model.checks import made, of_error
from taxagent.model.errors import AgentError
from taxagent.model.lines import CheckLine

Probe = Callable[[], Iterable[CheckLine]]


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
