"""Where the agent's files are on Windows: below ProgramData, absolute. Opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FOLDER = "TaxAgent"


def program_data(environment: Mapping[str, str]) -> Path:
    """Return the agent's folder below %ProgramData%."""
    return Path(environment.get("ProgramData") or "C:\\ProgramData") / FOLDER


def config_file(environment: Mapping[str, str]) -> Path:
    """Return the configuration that is read where no other is named."""
    return program_data(environment) / "taxagent.toml"


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return where journal, keys, secrets and back-ups belong."""
    return program_data(environment) / "data"


def log_folder(config: Path) -> Path:
    """Return where the service writes its log: beside its configuration."""
    return config.parent / "logs"
