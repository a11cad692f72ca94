"""A whole site as processes: bureau, devices and agent, for the demo and for tests. Loopback only."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from taxagent.host.secret_files import SecretFiles
from taxagent.simulator.control import ask

_READY_S = 15.0


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


class Site:
    """One shop: its folder, its bureau, its devices, its agent. `clock` is a simulated clock's text, or ""."""

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

    def start_bureau(self, taxpayers: Sequence[str]) -> Process:
        """Start the bureau; it knows these taxpayers."""
        arguments = ["simulate", "bureau", "--dir", str(self.folder / "bureau"), *self._sim_clock()]
        for taxpayer in taxpayers:
            arguments += ["--taxpayer", taxpayer]
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
        if self.bureau is None or self.devices is None:
            raise SiteError("start the bureau and the devices first")
        (self.folder / "run").mkdir(mode=0o750, exist_ok=True)
        control = self.devices.ready["control"].rpartition(":")[2]
        bureau = self.bureau.ready
        simulation = f'[simulation]\nclock = "{self.clock}"\n' if self.clock else ""
        self.config.write_text(
            f"""[agent]
state_dir = "state"
language = "zh"

[ipc]
endpoint = "{self.endpoint}"

[usb]
backend = "usbip://{self.devices.ready["usbip"]}?control={control}"

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
        self.ask_bureau({"do": "file", "taxpayer_id": taxpayer_id, "period": period})

    def ask_bureau(self, command: dict[str, object]) -> dict[str, object]:
        """Give the bureau's control connection one command and return its answer."""
        if self.bureau is None:
            raise SiteError("the bureau is not running")
        return ask(self.bureau.ready["control"], command)

    def ask_devices(self, command: dict[str, object]) -> dict[str, object]:
        """Give the devices' control connection one command and return its answer."""
        if self.devices is None:
            raise SiteError("the devices are not running")
        return ask(self.devices.ready["control"], command)

    def stop(self) -> None:
        """End what runs: the agent first, then what it depends on."""
        for process in (self.agent, self.devices, self.bureau):
            if process is not None and process.child.poll() is None:
                process.stop()
        self.agent = self.devices = self.bureau = None

    def _sim_clock(self) -> list[str]:
        return ["--sim-clock", self.clock] if self.clock else []
