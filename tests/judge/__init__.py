"""An independent judge of the agent: it reads what is left of a world, and knows nothing of the agent's code.

`read` gathers the evidence, `violations` says which rules do not hold. Imports nothing of taxagent.
"""

from tests.judge import rules_jobs, rules_told, rules_writes
from tests.judge.evidence import Evidence, journal_evidence, lines, read
from tests.judge.verdicts import RULES, Violation, violations

__all__ = [
    "RULES",
    "Evidence",
    "Violation",
    "journal_evidence",
    "lines",
    "read",
    "rules_jobs",
    "rules_told",
    "rules_writes",
    "violations",
]
