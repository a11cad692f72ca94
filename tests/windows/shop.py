"""A shop whose computer is the Wine session: the agent as a service, taxctl, and simulators beside it.

Devices and bureau run on this host and are reached by loopback TCP. What is done to the agent is done as a
person would: `taxagent service`, `taxagent pair`, `taxctl`.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from taxagent.simulator.site import Site, example
from tests.windows.wine import Session, windows_path

DEVICE, TAXPAYER, PERIOD = "661700000011", "91370102MA3CXK7T44", "2026-10"
_LIMIT_S = 60.0
CONFIG = "C:\\ProgramData\\TaxAgent\\taxagent.toml"


class Shop:
    """One device, one bureau, one Windows agent."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.session = session
        now = time.time_ns() // 1_000_000
        self.clock = f"2026-11-05T09:30:00+08:00@{now}x1"  # inside a filing window, whatever the day is
        self.site = Site(folder, self.clock)
        self.place = session.prefix / "drive_c/ProgramData/TaxAgent"
        self.port = _free_pair()

    def prepare(self) -> str:
        """Start bureau and device; write configuration and password where a Windows agent has them."""
        shutil.rmtree(self.place, ignore_errors=True)
        (self.place / "secrets").mkdir(parents=True)
        scenario = self.site.folder / "device.toml"
        text = example("control_disk").read_text(encoding="utf-8")
        scenario.write_text(re.sub(r"(?m)^per_month = .*", "per_month = 3", text), encoding="utf-8")
        bureau = self.site.start_bureau([]).ready
        devices = self.site.start_devices([scenario]).ready
        for secret in (self.site.folder / "secrets").glob("device-*"):
            shutil.copy(secret, self.place / "secrets")
        control = devices["control"].rpartition(":")[2]
        paths = {key: windows_path(Path(bureau[key])) for key in ("ca", "client_certificate", "client_key")}
        (self.place / "taxagent.toml").write_text(
            f"""agent.state_dir = "data"
door.tcp.listen = "tcp://127.0.0.1:{self.port}"
usb.backend = "usbip://{devices["usbip"]}?control={control}"
bureau.url = "{bureau["url"]}"
bureau.ca = '{paths["ca"]}'
bureau.certificate = '{paths["client_certificate"]}'
bureau.key = '{paths["client_key"]}'
patience.declaration_s = 1
patience.bureau_s = 0.5
patience.in_use_s = 0.5
simulation.clock = "{self.clock}"
""",
            encoding="utf-8",
        )
        return f"{devices['usbip']}, {bureau['url']}"

    # ---- commands

    def agent(self, *words: str, limit: float = _LIMIT_S) -> tuple[int, str]:
        """Run `taxagent` under Windows Python."""
        return self.session.run(self.session.python, "-X", "utf8", "-m", "taxagent", *words, limit=limit)

    def ctl(self, *words: str, limit: float = _LIMIT_S, typed: str = "") -> tuple[int, str]:
        """Run `taxctl` under Windows Python."""
        main = ("-X", "utf8", "-c", "import sys; from taxclient.cli.main import main; sys.exit(main())")
        return self.session.run(self.session.python, *main, *words, limit=limit, typed=typed)

    def service(self, action: str) -> str:
        """Do it; the text is what the command said. AssertionError where it did not work."""
        code, said = self.agent("service", action, "--lang", "en", limit=220)
        assert code == 0, f"{action}: {code} {said} {self.log_end()}"
        return " ".join(said.split())

    def stands(self) -> dict[str, object]:
        """Return what the service control manager says of the service, {} where it is not installed."""
        _, said = self.agent("service", "status", "--json")
        found: dict[str, object] = json.loads(said)["service"] or {}
        return found

    def clear(self) -> None:
        """Take away a service that an earlier run left; the manager forgets it a moment later."""
        self.agent("service", "uninstall")
        until(lambda: not self.stands(), "the service is forgotten")

    # ---- what is seen

    def view(self) -> dict[str, object]:
        """Return `taxctl --json status`."""
        code, said = self.ctl("--json", "status")
        assert code == 0, f"{code} {said}"
        told: dict[str, object] = json.loads(said)
        return told

    def device_read(self) -> bool:
        """Whether the agent has read the device."""
        with suppress(AssertionError, ValueError):
            return f'"{DEVICE}"' in json.dumps(self.view())
        return False

    def log_end(self) -> str:
        """Return the last lines of the service's log."""
        files = sorted((self.place / "logs").glob("taxagent-*.jsonl"))
        return "\n".join(files[-1].read_text("utf-8").splitlines()[-8:]) if files else "no log file"

    def writes(self) -> list[str]:
        """Return what the device carried out, by its own log."""
        with self.site.device_orders() as orders:
            rows = orders.order({"do": "log", "device": DEVICE})["writes"]
        assert isinstance(rows, list)
        return [row["write"]["kind"] for row in rows if row["write"]["accepted"]]


def until(holds: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait until it holds; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not after {seconds:.0f} s: {what}"
        time.sleep(0.1)


def _free_pair() -> int:
    """Return a port that is free together with the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port
