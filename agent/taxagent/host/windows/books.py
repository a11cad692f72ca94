"""The service control manager by pywin32. Windows alone; what is asked of it is installation.py's."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from taxagent.host.windows.dispatcher import NAME
from taxagent.host.windows.installation import PRESHUTDOWN_MS, RESTARTS_MS, Standing
from taxagent.host.windows.standing import State

_ABSENT, _NOT_RUNNING = 1060, 1062  # ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_NOT_ACTIVE
_WAIT_S = 200  # a start verifies the journal, a stop drains
_LOOK_S = 0.2
_RESET_S = 86_400
_DESCRIPTION = "Reports, waits for the return and clears tax-control devices. 税控设备代理"


class ScmBooks:
    """installation.Books over this computer's SCM."""

    def create(self, command: str, account: str) -> bool:
        """Create the service, or give it this command."""
        import win32service as s

        with _told(), self._manager() as manager:
            if self.standing() is not None:
                with self._opened(manager) as service:
                    self._change(service, command)
                return False
            handle = s.CreateService(
                *(manager, NAME, NAME, s.SERVICE_ALL_ACCESS, s.SERVICE_WIN32_OWN_PROCESS),
                *(s.SERVICE_AUTO_START, s.SERVICE_ERROR_NORMAL, command, None, 0, None, account, None),
            )
            s.CloseServiceHandle(handle)
            return True

    def delete(self) -> bool:
        """Delete it."""
        import win32service as s

        if self.standing() is None:
            return False
        with _told(), self._manager() as manager, self._opened(manager) as service:
            s.DeleteService(service)
        return True

    def start(self) -> None:
        """Start it, and wait until it runs."""
        import win32service as s

        with _told(), self._manager() as manager, self._opened(manager) as service:
            s.StartService(service, None)
        pause, left = threading.Event(), int(_WAIT_S / _LOOK_S)
        while (found := self.standing()) is not None and found.state is State.START_PENDING and left:
            pause.wait(_LOOK_S)
            left -= 1
        if found is None or found.state is not State.RUNNING:
            code = found.own_code or found.exit_code if found else 0
            raise OSError(f"it ended with code {code}; the Event Log and its log file say why")

    def stop(self) -> bool:
        """Stop it, and wait until it has."""
        import win32service as s
        import win32serviceutil

        found = self.standing()
        if found is None or found.state is State.STOPPED:
            return False
        with _told(), self._manager() as manager, self._opened(manager) as service:
            if found.state is not State.STOP_PENDING:
                s.ControlService(service, s.SERVICE_CONTROL_STOP)
            win32serviceutil.WaitForServiceStatus(NAME, s.SERVICE_STOPPED, _WAIT_S)
        return True

    def standing(self) -> Standing | None:
        """Return how it stands."""
        import pywintypes
        import win32service as s

        try:
            with (
                self._manager(s.SC_MANAGER_CONNECT) as manager,
                self._opened(manager, s.SERVICE_QUERY_STATUS) as it,
            ):
                found = s.QueryServiceStatusEx(it)
        except pywintypes.error as error:
            if error.winerror == _ABSENT:
                return None
            raise OSError(error.strerror) from error
        return Standing(
            state=State(found["CurrentState"]),
            pid=found["ProcessId"],
            exit_code=found["Win32ExitCode"],
            own_code=found["ServiceSpecificExitCode"],
        )

    def settings(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        """Return each optional setting by its name, and what sets it."""
        import win32service as s

        restarts = [(s.SC_ACTION_RESTART, ms) for ms in RESTARTS_MS]
        actions = {"ResetPeriod": _RESET_S, "RebootMsg": "", "Command": "", "Actions": restarts}
        rows: tuple[tuple[str, int, object], ...] = (
            ("description", s.SERVICE_CONFIG_DESCRIPTION, _DESCRIPTION),
            ("delayed start", s.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, True),
            ("recovery actions", s.SERVICE_CONFIG_FAILURE_ACTIONS, actions),
            ("failure flag", s.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, True),
            ("SID type", s.SERVICE_CONFIG_SERVICE_SID_INFO, s.SERVICE_SID_TYPE_UNRESTRICTED),
            ("preshutdown time", s.SERVICE_CONFIG_PRESHUTDOWN_INFO, PRESHUTDOWN_MS),
        )
        return tuple((name, self._setter(level, value)) for name, level, value in rows)

    def _setter(self, level: int, value: object) -> Callable[[], None]:
        def set_it() -> None:
            import win32service as s

            with _told(), self._manager() as manager, self._opened(manager) as service:
                s.ChangeServiceConfig2(service, level, value)

        return set_it

    def _change(self, service: Any, command: str) -> None:  # noqa: ANN401 - a handle of pywin32's
        import win32service as s

        same = s.SERVICE_NO_CHANGE
        s.ChangeServiceConfig(service, same, same, same, command, None, 0, None, None, None, None)

    @contextlib.contextmanager
    def _manager(self, access: int | None = None) -> Iterator[Any]:
        import win32service as s

        handle = s.OpenSCManager(None, None, s.SC_MANAGER_ALL_ACCESS if access is None else access)
        try:
            yield handle
        finally:
            s.CloseServiceHandle(handle)

    @contextlib.contextmanager
    def _opened(self, manager: Any, access: int | None = None) -> Iterator[Any]:  # noqa: ANN401 - as above
        import win32service as s

        handle = s.OpenService(manager, NAME, s.SERVICE_ALL_ACCESS if access is None else access)
        try:
            yield handle
        finally:
            s.CloseServiceHandle(handle)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn pywin32's error into the system's words."""
    import pywintypes

    try:
        yield
    except pywintypes.error as error:
        raise OSError(f"{error.strerror} (error {error.winerror})") from error
