"""A back-up that the power cut anywhere is noticed when it is read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taxagent.records.archive import ZipArchives, verified

BODY = b"".join(b'{"number":"%08d","amount":%d}\n' % (n, n * n) for n in range(40))


def written(folder: Path) -> Path:
    parts: Iterator[tuple[str, Iterator[bytes]]] = iter(
        [("state.json", iter([b'{"a":1}'])), ("invoices-007.jsonl", iter([BODY]))]
    )
    path, _ = ZipArchives(folder).write("d/2026-10/a.zip", {"period": "2026-10"}, parts)
    return Path(path)


def read_back(path: Path) -> bool:
    try:
        verified(path)
    except ValueError:
        return False
    return True


def test_a_cut_at_any_byte_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    assert read_back(path)
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert not read_back(path), f"cut after {end} of {len(whole)} bytes"


def test_an_end_that_the_disk_zeroed_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for end in range(len(whole.rstrip(b"\0"))):
        path.write_bytes(whole[:end] + bytes(len(whole) - end))
        assert not read_back(path), f"zeroes from byte {end} on"
