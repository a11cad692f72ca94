"""A command that reads devices itself leaves no mark of its end; an interrupted try shows all the same."""

from __future__ import annotations

from pathlib import Path

import msgspec

from taxagent.cli.reading import alone
from taxagent.cli.setup_choices import Choices, put
from taxagent.model.device import PasswordVerdict
from tests.builders import journal as builders
from tests.builders.jobs import DEVICE_NO

TOLD = Choices(url="https://gateway.example", ca="ca", certificate="crt", key="key")
ACCEPTED = builders.tried(PasswordVerdict.ACCEPTED, tries_left=5).tried
DOUBTED = msgspec.structs.replace(ACCEPTED, verdict=PasswordVerdict.DOUBTED)


def test_the_try_of_a_good_password_that_was_interrupted_is_doubted_by_the_next_process(
    tmp_path: Path,
) -> None:
    settings = put(msgspec.structs.replace(TOLD, state_dir=str(tmp_path / "state")), tmp_path / "agent.toml")
    with alone(settings) as (latch, _):
        latch.note(DEVICE_NO, ACCEPTED)
    with alone(settings) as (latch, _):
        latch.recall(DEVICE_NO, DOUBTED)  # and here it is ended by a signal
    with alone(settings) as (latch, _):
        assert latch.tried(DEVICE_NO) == (DOUBTED,)
