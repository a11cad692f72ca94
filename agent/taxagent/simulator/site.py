"""A whole site as processes: bureau, devices and agent, for the demo and for tests. Loopback only."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from taxagent.host.secret_files import SecretFiles

_READY_S = 15.0


def example(kind: str) -> Path:
    """Return the scenario file of that kind that comes with the product."""
    return Path(str(files("taxagent.simulator"))) / "scenarios" / f"{kind}.toml"


class SiteError(RuntimeError):
    """A process of the site did not come up, or ended; the text has the end of its log."""


class Process:
    """A child process whose output goes to a file; `ready` is the JSON object that it printed first."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, *, speaks: bool) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "taxagent", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if speaks else log,
                stderr=log,
                text=True,
                cwd=folder,
            )
        self.ready: dict[str, str] = self._first_line() if speaks else {}

    def _first_line(self) -> dict[str, str]:
        out = self.child.stdout
        line = out.readline() if out is not None else ""
        if not line:
            self.child.wait(_READY_S)
            raise SiteError(f"{self.name} did not start: {self.log_end()}")
        ready: dict[str, str] = json.loads(line)
        return ready

    def log_end(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self.child.kill()
        self._reap()

    def stop(self, timeout_s: float = 20.0) -> int:
        """Ask the process to end (SIGTERM) and return its exit code; kill it after `timeout_s`."""
        self.child.terminate()
        try:
            return self._reap(timeout_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self._reap()

    def _reap(self, timeout_s: float | None = None) -> int:
        code = self.child.wait(timeout_s)
        if self.child.stdout is not None:
            self.child.stdout.close()
        return code


class Orders:
    """A control connection to a simulator of either sort: orders are answered in order, events are kept."""

    def __init__(self, address: str, timeout_s: float = _READY_S) -> None:
        """Connect to HOST:PORT; an answer or event is waited for `timeout_s`. Raises OSError."""
        host, _, port = address.rpartition(":")
        self._sock = socket.create_connection((host, int(port)), timeout=timeout_s)
        self._lines = self._sock.makefile("rb")
        self._events: list[dict[str, object]] = []

    def order(self, order: dict[str, object]) -> dict[str, object]:
        """Carry out an order and return the reply. Raises SiteError where it was refused."""
        self._sock.sendall(json.dumps(order).encode() + b"\n")
        while "ok" not in (said := self._said()):
            self._events.append(said)
        if not said["ok"]:
            raise SiteError(f"{order}: {said}")
        return said

    def event(self, name: str) -> dict[str, object]:
        """Return the next event of that name; those before it are dropped. Raises TimeoutError."""
        while True:
            said = self._events.pop(0) if self._events else self._said()
            if said.get("event") == name:
                return said

    def close(self) -> None:
        """Leave."""
        self._lines.close()
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _said(self) -> dict[str, object]:
        line = self._lines.readline()
        if not line:
            raise SiteError("the simulator left")
        said: dict[str, object] = json.loads(line)
        return said


class Site:
    """One shop: folder, bureau, devices, agent. `clock` is a simulated clock's text, or ""."""

    def __init__(self, folder: Path, clock: str = "") -> None:
        self.folder = folder
        self.clock = clock
        self.endpoint = f"ipc://{folder / 'run' / 'agent.sock'}"
        self.state_dir = folder / "state"
        self.config = folder / "taxagent.toml"
        self.bureau: Process | None = None
        self.devices: Process | None = None
        self.agent: Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start_bureau(
        self, taxpayers: Sequence[str], listen: str = "127.0.0.1:0", *, scenario: Path | None = None
    ) -> Process:
        """Start the bureau; it knows these taxpayers, its scenario, and what it held when it last ran."""
        folder = str(self.folder / "bureau")
        arguments = ["simulate", "bureau", "--dir", folder, "--listen", listen, *self._sim_clock()]
        for taxpayer in taxpayers:
            arguments += ["--taxpayer", taxpayer]
        if scenario is not None:
            arguments += ["--scenario", str(scenario)]
        self.bureau = Process("bureau", arguments, self.folder, speaks=True)
        return self.bureau

    def start_devices(self, scenarios: Sequence[Path]) -> Process:
        """Start the devices and give the agent their passwords."""
        state = self.folder / "devices"
        arguments = ["simulate", "device", *map(str, scenarios), "--state", str(state), *self._sim_clock()]
        self.devices = Process("devices", arguments, self.folder, speaks=True)
        secrets = SecretFiles(self.folder / "secrets")
        for scenario in scenarios:
            written = tomllib.loads(scenario.read_text(encoding="utf-8"))
            secrets.set(f"device-{written['device_no']}", written["password"])
        return self.devices

    def write_config(self, extra: str = "") -> Path:
        """Write the agent's configuration for what was started; `extra` is more TOML."""
        bureau, devices = _running(self.bureau).ready, _running(self.devices).ready
        (self.folder / "run").mkdir(mode=0o750, exist_ok=True)
        control = devices["control"].rpartition(":")[2]
        simulation = f'[simulation]\nclock = "{self.clock}"\n' if self.clock else ""
        self.config.write_text(
            f"""[agent]
state_dir = "state"
language = "zh"

[ipc]
endpoint = "{self.endpoint}"

[usb]
backend = "usbip://{devices["usbip"]}?control={control}"

[bureau]
url = "{bureau["url"]}"
ca = "{bureau["ca"]}"
certificate = "{bureau["client_certificate"]}"
key = "{bureau["client_key"]}"

[patience]
declaration_s = 0.2
bureau_s = 0.2
in_use_s = 0.2

{simulation}{extra}""",
            encoding="utf-8",
        )
        return self.config

    def start_agent(self) -> Process:
        """Start the agent; it may still be verifying its journal when this returns."""
        self.agent = Process("agent", ["run", "--config", str(self.config)], self.folder, speaks=False)
        return self.agent

    def file_return(self, taxpayer_id: str, period: str) -> None:
        """File the return of a period at the simulated bureau."""
        with self.bureau_orders() as orders:
            orders.order({"do": "file", "taxpayer_id": taxpayer_id, "period": period})

    def bureau_orders(self) -> Orders:
        """Open a control connection to the bureau."""
        return Orders(_running(self.bureau).ready["control"])

    def device_orders(self) -> Orders:
        """Open a control connection to the devices."""
        return Orders(_running(self.devices).ready["control"])

    def stop(self) -> None:
        """End what runs: the agent first, then what it depends on."""
        for process in (self.agent, self.devices, self.bureau):
            if process is not None and process.child.poll() is None:
                process.stop()
        self.agent = self.devices = self.bureau = None

    def _sim_clock(self) -> list[str]:
        return ["--sim-clock", self.clock] if self.clock else []


def _running(process: Process | None) -> Process:
    if process is None:
        raise SiteError("that process of the site is not running")
    return process
