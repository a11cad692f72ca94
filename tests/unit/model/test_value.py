"""Values: frozen, compared by content, canonical as JSON."""

from __future__ import annotations

import msgspec
import pytest

from taxagent.model.device import MonitorData
from taxagent.model.value import from_json, to_json
from tests.builders.model import monitor


def test_a_value_reads_back_from_its_json() -> None:
    assert from_json(to_json(monitor()), MonitorData) == monitor()


def test_equal_values_have_the_same_bytes() -> None:
    assert to_json(monitor()) == to_json(monitor())


def test_a_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        monitor().pending_uploads = 3  # type: ignore[misc]


def test_a_wrong_field_is_named_with_its_path() -> None:
    wrong = to_json(monitor()).replace(b'"pending_uploads":0', b'"pending_uploads":"none"')
    with pytest.raises(msgspec.ValidationError, match=r"\$\.pending_uploads"):
        from_json(wrong, MonitorData)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    newer = to_json(monitor()).replace(b"{", b'{"colour":"blue",', 1)
    assert from_json(newer, MonitorData) == monitor()
