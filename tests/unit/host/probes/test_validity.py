"""A certificate's two times: as a library reads them, and nothing but ValueError for what is none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from taxagent.host.probes.validity import validity
from tests.builders.probes import certificate

UTC = dt.UTC


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), dt.datetime(2027, 6, 7, 8, 9, 10, tzinfo=UTC)),
        (dt.datetime(1951, 1, 1, tzinfo=UTC), dt.datetime(2049, 12, 31, tzinfo=UTC)),
        (dt.datetime(2026, 1, 1, tzinfo=UTC), dt.datetime(2050, 1, 1, tzinfo=UTC)),
        (dt.datetime(2060, 1, 1, tzinfo=UTC), dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_both_times_are_those_of_the_certificate(
    tmp_path: Path, begins: dt.datetime, ends: dt.datetime
) -> None:
    path, _ = certificate(tmp_path, begins, ends)
    assert validity(path.read_bytes()) == (begins, ends)
    assert validity(b"# a comment before it\n" + path.read_bytes() * 2) == (begins, ends)


@pytest.mark.parametrize(
    "text", [b"", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", b"\xff"]
)
def test_what_is_no_certificate_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="certificate"):
        validity(text)


def test_a_certificate_that_is_cut_off_anywhere_is_a_value_error(tmp_path: Path) -> None:
    path, _ = certificate(tmp_path, dt.datetime(2026, 1, 1, tzinfo=UTC), dt.datetime(2027, 1, 1, tzinfo=UTC))
    lines = path.read_text().splitlines()
    for kept in range(2, len(lines) - 1):
        with pytest.raises(ValueError, match=r"cut off|no certificate"):
            validity("\n".join([*lines[:kept], lines[-1]]).encode())
