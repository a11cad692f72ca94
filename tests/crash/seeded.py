"""One seed in place of the operating system's randomness: nonces, salts, tokens and job ids repeat."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from taxagent.jobs import desk

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let `secrets` and the desk's job ids come from `seed` while this lasts."""
    draw, count = random.Random(seed), 0

    def job_id() -> str:
        nonlocal count
        count += 1
        return f"01{count:08d}" + "".join(draw.choice(_ALPHABET) for _ in range(16))

    def token_bytes(size: int | None = None) -> bytes:
        return draw.randbytes(32 if size is None else size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_bytes", token_bytes)
        patch.setattr(secrets, "randbits", draw.getrandbits)
        patch.setattr(desk, "ULID", job_id)
        yield
