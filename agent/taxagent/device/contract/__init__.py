"""The contract test kit: holds any device driver to ports.Device and ports.DeviceSource (docs/drivers.md).

`python -m taxagent.device.contract --driver NAME` is the command; `examine(Bench(factory, Plan(...)))` is the
same for a program. Needs no test framework, and knows no driver.
"""

from __future__ import annotations

from taxagent.device.contract.bench import Bench, Plan
from taxagent.device.contract.checks import CHECKS, Check, Probe
from taxagent.device.contract.examining import examine, judged
from taxagent.device.contract.verdict import Finding, Verdict

__all__ = ["CHECKS", "Bench", "Check", "Finding", "Plan", "Probe", "Verdict", "examine", "judged"]
