"""The wrappers of Bulk-Only Transport as a device sees them. Knows no command block's meaning."""

from __future__ import annotations

import struct

from taxagent.model.value import Value

PASSED, FAILED, PHASE_ERROR = 0, 1, 2

_CBW = struct.Struct("<4s4sIBBB16s")
_CSW = struct.Struct("<4s4sIB")
_IN = 0x80


class Wrapper(Value, frozen=True, kw_only=True):
    """A command block wrapper: `length` bytes are promised to move, to the host where `data_in`."""

    tag: bytes
    length: int
    data_in: bool
    lun: int
    cdb: bytes

    def status(self, status: int, *, moved: int) -> bytes:
        """Return the command status wrapper that ends it; `moved` of the promised bytes did move."""
        return _CSW.pack(b"USBS", self.tag, self.length - moved, status)


def read_wrapper(data: bytes) -> Wrapper | None:
    """Return the wrapper in `data`, or None where it is not valid (BOT 1.0, 6.2.1)."""
    if len(data) != _CBW.size or data[:4] != b"USBC":
        return None
    _, tag, length, flags, lun, size, block = _CBW.unpack(data)
    if not 1 <= size & 0x1F <= len(block):
        return None
    return Wrapper(
        tag=tag, length=length, data_in=bool(flags & _IN), lun=lun & 0x0F, cdb=block[: size & 0x1F]
    )
