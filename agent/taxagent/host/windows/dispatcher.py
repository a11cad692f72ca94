"""The service process: pywin32's dispatcher with a class of our own. Runs under the SCM of Windows alone.

The dispatcher has the main thread; the agent runs in the service's thread, so no signal reaches it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from taxagent.host.windows.standing import Standing, State

NAME = "taxagent"
STOP, SHUTDOWN, PRESHUTDOWN = 1, 5, 15  # SERVICE_CONTROL_..., winsvc.h
_ACCEPT_PRESHUTDOWN = 0x100


class Work(Protocol):
    """What the service does: the agent, made by the composition root."""

    def run(self, standing: Standing) -> int:
        """Work until `stop`; return an exit code, 0 for an orderly end. Never raises."""

    def stop(self) -> None:
        """Have `run` come to its end. Any thread; also before `run` has come far."""


def asks_to_stop(control: int) -> bool:
    """Whether a control code means that the service is to drain and end."""
    return control in (STOP, SHUTDOWN, PRESHUTDOWN)


def serve(work: Work) -> None:
    """Hand this process over to the SCM until the service has ended. Raises pywintypes.error outside it."""
    import servicemanager

    servicemanager.Initialize(NAME, servicemanager.__file__)
    servicemanager.PrepareToHostSingle(_service_class(work))
    servicemanager.StartServiceCtrlDispatcher()


def event_log(text: str, *, error: bool = False) -> None:
    """Write a line to the Event Log; a log that cannot be written to stops nothing."""
    import pywintypes
    import servicemanager

    try:
        (servicemanager.LogErrorMsg if error else servicemanager.LogInfoMsg)(f"{NAME}: {text}")
    except pywintypes.error:
        return  # the day's log file has the same


def _service_class(work: Work) -> type:
    import win32serviceutil

    class Service(win32serviceutil.ServiceFramework):  # type: ignore[misc]
        """What pywin32 makes one of, in a thread of its own, and calls."""

        _svc_name_ = NAME
        _svc_display_name_ = "taxagent"

        def __init__(self, args: Any) -> None:  # noqa: ANN401 - pywin32's
            super().__init__(args)
            self._standing = Standing(_reporter(self.ReportServiceStatus), event_log)

        def GetAcceptedControls(self) -> int:  # noqa: N802 - pywin32's
            return 0x1 | 0x4 | _ACCEPT_PRESHUTDOWN  # SERVICE_ACCEPT_STOP, SERVICE_ACCEPT_SHUTDOWN

        def ServiceCtrlHandlerEx(self, control: int, *_: object) -> int:  # noqa: N802 - pywin32's
            if asks_to_stop(control):
                self._standing.stop_asked()
                work.stop()
            return 0

        def SvcRun(self) -> None:  # noqa: N802 - pywin32's
            self._standing.begin()
            code = work.run(self._standing)
            self._standing.ended(code)
            if code:
                os._exit(code)  # pywin32 reports an end of its own, with code 0, after this method

    return Service


def _reporter(report: Callable[..., None]) -> Callable[..., None]:
    def told(state: State, *, hint_ms: int = 0, exit_code: int = 0, own_code: int = 0) -> None:
        report(int(state), waitHint=hint_ms, win32ExitCode=exit_code, svcExitCode=own_code)

    return told
