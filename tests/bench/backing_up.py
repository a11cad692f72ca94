"""The row about back-ups: what a big month costs the agent's memory above a small one."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from taxagent.simulator.site import example
from taxclient.protocol.messages import SubmitArgs
from tests.bench.figures import Measured
from tests.bench.ground import ground
from tests.builders.site import DEVICE, ended

_SMALL, _BIG = 2_000, 100_000


def backup_memory(rounds: int) -> Measured:
    """The agent backs up a month of 100,000 invoices, by USB/IP from the simulated device."""
    big, seconds = _peak_mb(_BIG)
    small, _ = _peak_mb(_SMALL)
    note = f"the agent's peak; {seconds:.0f} s for {_BIG} invoices, floor: the peak for {_SMALL}"
    return Measured(value=big, floor=small, note=note)


def _peak_mb(invoices: int) -> tuple[float, float]:
    """Return the agent's greatest resident memory in MB, and how long the back-up took in s."""
    with tempfile.TemporaryDirectory(prefix="tca-big-") as folder:
        scenario = Path(folder, "big.toml")
        scenario.write_text(_busy_month(invoices), encoding="utf-8")
        with ground(scenario=scenario) as at:
            begun = time.monotonic()
            job = at.one.submit(SubmitArgs(kind="backup", device_no=DEVICE)).job
            job = ended(at.one, job.job_id)
            if job.state != "done":
                msg = f"the back-up is {job.state}: {job.problem}"
                raise RuntimeError(msg)
            return _peak_of(at.pid), time.monotonic() - begun


def _busy_month(invoices: int) -> str:
    """The example's scenario, reduced to one type with so many invoices in October."""
    text = example("control_disk").read_text(encoding="utf-8")
    head = text[: text.index("[[types]]")].replace("capacity = 100000", f"capacity = {2 * invoices}")
    return f"""{head}
[[types]]
invoice_type = "007"
last_report = 2026-09-30
invoicing_deadline = 2026-11-16

[[types.stock]]
code = "3700221320"
number_from = "00000001"
count = {invoices + 10}

[types.generate]
seed = 7
months = ["2026-10"]
per_month = {invoices}
"""


def _peak_of(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
