"""A shop in the guest: the installed agent, simulated devices behind the kernel's vhci-hcd, a bureau, people.

What a person does is done as a person would: systemctl, usbip, taxctl. What a check only needs to get to its
point is asked through the client library as root: each start of a program costs a second there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from taxagent.simulator.site import Orders, example
from taxclient import Client
from taxclient.protocol import messages as m
from taxclient.protocol.errors import ClientError
from tests.vm.guest.forks import BIN, Fork, ran, ready
from tests.vm.guest.machine import PATIENCE_S, done, driver, main_pid, out, place, until

SOCKET = "ipc:///run/taxagent/agent.sock"
MEMBER, STRANGER = "shop", "stranger"
_MODULES = ("xhci_pci", "vhci_hcd", "usb_storage", "sd_mod", "sg")
PERIODS = {"control_disk": ("2026-10",), "golden_disk": ("2026-09", "2026-10"), "ukey": ("2026-10",)}
FOLDER = Path("/var/lib/shop")  # a disk of its own, which outlives a reboot
_USBIP_PORT, _CONTROL_PORT = 3240, 3241


def packaged() -> bool:
    """Return whether the service came by the package."""
    return Path("/var/lib/dpkg/info/taxagent.list").exists()


class Shop:
    """The devices are scenarios by number; each stands in port 1-1, 1-2, ... of the simulated bus."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """`devices`: what a device is for = its kind. `numbers`: what it is for = its number."""
        self.numbers = {purpose: f"6617000001{at:02}" for at, purpose in enumerate(devices)}
        self.kinds = {self.numbers[purpose]: kind for purpose, kind in devices.items()}
        self._busids = {number: f"1-{at + 1}" for at, number in enumerate(self.kinds)}
        self._processes: list[Fork] = []
        self._attaching = threading.Lock()  # two that look for a free port at once get in each other's way
        self._pulled: set[str] = set()  # ports of the simulator that are empty
        self.bureau: dict[str, str] = {}

    # ---- before the first start

    def install(self) -> str:
        """Install the service by hand, where no package has done it; a person joins the group."""
        ready()
        if not packaged():
            installed = ran("taxagent", "service", "install")
            assert installed.returncode == 0, installed.stdout + installed.stderr
        out("usermod", "-a", "-G", "taxagent", MEMBER)
        return out("id", MEMBER).strip()

    def start_simulators(self) -> None:
        """Start bureau and devices; nothing is plugged into this computer yet."""
        self.bureau = self._spoken("bureau", "--dir", str(FOLDER / "bureau"))
        folder = Path("/etc/taxagent/bureau")
        for key, name in {
            "ca": "ca.pem",
            "client_certificate": "agent.pem",
            "client_key": "agent.key",
        }.items():
            shutil.copy(self.bureau[key], folder / name)
            shutil.chown(folder / name, "root", "taxagent")
            (folder / name).chmod(0o640)
        paths = [self._scenario(number, kind) for number, kind in self.kinds.items()]
        listen = ("--listen", f"127.0.0.1:{_USBIP_PORT}", "--control", f"127.0.0.1:{_CONTROL_PORT}")
        self._spoken("device", *paths, "--state", str(FOLDER / "devices"), *listen)

    def configure(self, extra: str = "", **changes: str) -> None:
        """Write the configuration and each device's password; `changes` replace values."""
        values = {"url": self.bureau["url"], "role": "operator"} | changes
        Path("/etc/taxagent/taxagent.toml").write_text(
            f"""agent.state_dir = "/var/lib/taxagent"
access.groups.taxagent = "{values["role"]}"
patience.declaration_s = 3
patience.bureau_s = 0.5
patience.in_use_s = 0.5
bureau.url = "{values["url"]}"
bureau.ca = "bureau/ca.pem"
bureau.certificate = "bureau/agent.pem"
bureau.key = "bureau/agent.key"
{extra}""",
            encoding="utf-8",
        )
        credentials = Path("/etc/taxagent/credentials")
        for number in self.kinds:
            (credentials / f"device-{number}").write_text("88888888\n", encoding="ascii")

    def _scenario(self, number: str, kind: str) -> str:
        text = example(kind).read_text("utf-8")
        text = re.sub(r"^per_month = .*", "per_month = 3", text, flags=re.MULTILINE)
        lines = [
            f'device_no = "{number}"' if one.startswith("device_no") else one for one in text.splitlines()
        ]
        path = FOLDER / f"{number}.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    def _spoken(self, *words: str) -> dict[str, str]:
        """Start a simulator; return the line in which it says that it is ready."""
        with (FOLDER / f"{words[0]}.log").open("ab") as log:
            process = Fork(("taxagent", "simulate", *words), stderr=log.fileno())
        self._processes.append(process)
        line = process.line()
        assert line, (FOLDER / f"{words[0]}.log").read_text("utf-8", "replace")[-800:]
        ready: dict[str, str] = json.loads(line)
        return ready

    # ---- cables

    def plug(self, number: str) -> None:
        """Have the kernel take the device, and its usb-storage driver first."""
        if number in self._pulled:
            self.order({"do": "plug", "device": number})
            self._pulled.discard(number)
        with self._attaching:
            out("usbip", "attach", "-r", "127.0.0.1", "-b", self._busids[number])
            until(lambda: place(number), f"{number} is on the bus")

    def pull(self, number: str) -> None:
        """Pull the device's cable."""
        self.order({"do": "unplug", "device": number})
        self.gone(number)

    def gone(self, number: str) -> None:
        """Wait until kernel and agent have seen that the device's cable is out."""
        self._pulled.add(number)
        until(lambda: place(number) is None, f"{number} is off the bus")

    def away(self, number: str) -> None:
        """Put a device away that is needed no more, once the kernel's driver has it."""
        self.given_back(number)
        self.pull(number)

    def order(self, order: dict[str, object]) -> dict[str, object]:
        """Give the simulated devices an order. Raises AssertionError where it is refused."""
        with self.orders() as orders:
            return orders.order(order)

    def orders(self) -> Orders:
        """Return a control connection to the devices."""
        return Orders(f"127.0.0.1:{_CONTROL_PORT}", PATIENCE_S)

    def writes(self, number: str) -> list[str]:
        """Return what the device carried out, by its own log."""
        rows = self.order({"do": "log", "device": number})["writes"]
        assert isinstance(rows, list)
        return [row["write"]["kind"] for row in rows if row["write"]["accepted"]]

    def file_returns(self, number: str) -> None:
        """File every return that the device's months need."""
        taxpayer = self.view(number).taxpayer_id
        with Orders(self.bureau["control"], PATIENCE_S) as orders:
            for period in PERIODS[self.kinds[number]]:
                orders.order({"do": "file", "taxpayer_id": taxpayer, "period": period})

    # ---- the agent

    def ask(self, *words: str, user: str = MEMBER) -> subprocess.CompletedProcess[str]:
        """Run taxctl as an ordinary user."""
        environment = (f"TAXAGENT_ENDPOINT={SOCKET}", "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")
        return done("env", *environment, f"{BIN}/taxctl", *words, user=user)

    def ask_here(self, *words: str, user: str = MEMBER) -> subprocess.CompletedProcess[str]:
        """Run taxctl as an ordinary user, in a fork of this process."""
        os.environ["TAXAGENT_ENDPOINT"] = SOCKET
        return ran("taxctl", *words, user=user)

    def client(self) -> Client:
        """Return a client of root's, who is admin."""
        return Client(SOCKET, timeout_ms=30_000, lang="en")

    def answers(self) -> bool:
        """Return whether the agent answers and has read its journal."""
        with suppress(ClientError), self.client() as one:
            return not one.status().verifying
        return False

    def view(self, number: str) -> m.DeviceView:
        """Return the agent's view of a device, once it has read it."""

        def look() -> m.DeviceView | None:
            with suppress(ClientError), self.client() as one:
                for view in one.status().devices:
                    if view.device_no == number and view.types and view.location:
                        return view
            return None

        found = until(look, f"the agent has read {number}")
        assert found is not None
        return found

    def absent(self, number: str) -> bool:
        """Return whether the agent says that the device is not plugged."""
        with self.client() as one:
            return not any(view.device_no == number and view.location for view in one.status().devices)

    def asked(self, number: str, ask: Callable[..., subprocess.CompletedProcess[str]]) -> str:
        """Prepare a settle and have it accepted by `ask`, as an ordinary user does; return the job's id."""
        ended = ask("--json", "settle", number, "--prepare")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        token = str(json.loads(ended.stdout)["token"])
        ended = ask("--json", "settle", number, "--token", token, "--no-wait")
        assert ended.returncode == 30, f"{ended.returncode} {ended.stdout}{ended.stderr}"
        return str(json.loads(ended.stdout)["job"]["job_id"])

    def confirmed(self, number: str) -> m.SubmitArgs:
        """Return the settle of a device, prepared and confirmed, as it is to be submitted."""
        with self.client() as one:
            token = one.prepare(m.PrepareArgs(device_no=number, kind="settle"), timeout_ms=120_000).token
        return m.SubmitArgs(device_no=number, kind="settle", token=token)

    def submitted(self, number: str) -> str:
        """Have a settle accepted and return the job's id."""
        request = self.confirmed(number)
        with self.client() as one:
            return one.submit(request).job.job_id

    def job(self, job_id: str) -> m.JobView:
        """Return a job."""
        with self.client() as one:
            return one.job(job_id)

    def finished(self, job_id: str) -> m.JobView:
        """Return the job once it has ended. Raises AssertionError where it wants a person."""

        def look() -> m.JobView | None:
            with suppress(ClientError):
                with self.client() as one:
                    job = one.wait(job_id, until="end").job
                assert job.state != "needs_human", job.problem
                return job if job.ended else None
            return None

        found = until(look, f"job {job_id} ends")
        assert found is not None
        return found

    def settled(self, job_id: str, number: str) -> None:
        """Wait for the job's end and hold it against what the device wrote: each write once, in order."""
        job = self.finished(job_id)
        assert (job.state, job.outcome) == ("done", "executed"), f"{job.state} {job.outcome} {job.problem}"
        wanted = {
            "control_disk": ["seal", "seal", "clock_ticket", "apply_ticket", "clock_ticket", "apply_ticket"],
            "golden_disk": ["seal"] * 4 + ["apply_ticket"] * 2,
            "ukey": ["seal", "apply_ticket"],
        }[self.kinds[number]]
        assert sorted(self.writes(number)) == sorted(wanted), self.writes(number)

    def given_back(self, number: str) -> None:
        """Wait until the kernel's own driver has the device again."""
        until(
            lambda: driver(number) == "usb-storage", f"usb-storage has {number} again, not {driver(number)!r}"
        )

    def modules(self) -> None:
        """Load what a computer with a USB device has loaded."""
        for module in _MODULES:
            out("modprobe", module)

    def running(self) -> None:
        """Start the unit where it does not run, with USB."""
        self.modules()
        if not main_pid():
            self.start()

    def reload(self) -> None:
        """Have the agent read its configuration anew. Raises AssertionError where it is refused."""
        out("systemctl", "reload", "taxagent")

    def start(self) -> int:
        """Start the unit; return its pid once it answers."""
        out("systemctl", "start", "taxagent")
        until(self.answers, "the agent answers")
        return main_pid()

    def end(self) -> None:
        """End the simulators."""
        for process in self._processes:
            process.terminate()
