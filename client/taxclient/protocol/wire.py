"""Frames and bytes of TCA/1 (docs/protocol.md, "Framing", "Limits"). Knows no op and no socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgpack
import msgspec

from taxclient.protocol.errors import FrameError

MAGIC = b"TCA1"
REQUEST_BYTES = 65_536  # of a request's map; the agent's socket closes on larger frames
REPLY_BYTES = 4_194_304  # of a reply's map; a record with 10,000 lines is about 2 MB
CURVE_BYTES = (
    33  # that CURVE adds to a frame: 8 of name, 8 of nonce, 16 of MAC, 1 of flags; a limit counts them
)
DEPTH = 16  # maps and arrays inside each other, the outermost counted
ITEMS = 4_096  # of one array or map of a request
FRAMES = 2  # after the envelope
ENVELOPE = 2  # of a REQ socket: a request id where it correlates, and an empty delimiter

_SCALARS = frozenset((str, int, bytes, bool, type(None)))

Plain: TypeAlias = "bool | int | str | bytes | list[Plain] | dict[str, Plain] | None"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver accepts of one message."""

    size: int  # bytes of the map
    items: int  # of one array or map
    depth: int = DEPTH


REQUEST = Limits(size=REQUEST_BYTES, items=ITEMS)
REPLY = Limits(size=REPLY_BYTES, items=1_048_576)


def envelope(frames: Sequence[bytes]) -> list[bytes]:
    """Return the frames before the message's own, which its reply begins with: none, [""] or [id, ""]."""
    if frames and not frames[0]:
        return [b""]
    if len(frames) == ENVELOPE + FRAMES and not frames[1]:
        return [frames[0], b""]
    return []


def split(frames: Sequence[bytes]) -> bytes:
    """Return the map's bytes out of a message's frames (without the routing id).

    Raises FrameError where the count or the magic is wrong.
    """
    body = frames if frames and frames[0] == MAGIC else frames[len(envelope(frames)) :]
    if len(body) != FRAMES:
        raise FrameError(f"{len(body)} frames where {FRAMES} are due")
    if body[0] != MAGIC:
        raise FrameError("the first frame is not TCA1: another protocol, or another major version")
    return body[1]


def joined(body: bytes) -> list[bytes]:
    """Return the frames that carry `body`, without a delimiter."""
    return [MAGIC, body]


def decoded(data: bytes, limits: Limits = REQUEST) -> dict[str, Plain]:
    """Return the one map that `data` holds.

    Raises FrameError for anything that docs/protocol.md forbids: size, depth, counts, duplicate keys, keys
    that are no text, floats, extension types, bytes after the map, text that is not UTF-8.
    """
    if len(data) > limits.size:
        raise FrameError(f"{len(data)} bytes where at most {limits.size} are taken", code="TOO_LARGE")
    try:
        value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_without_duplicates,
            ext_hook=_no_extension,
            max_array_len=limits.items,
            max_map_len=limits.items,
            max_ext_len=0,
        )
    except FrameError:
        raise
    except (ValueError, RecursionError, TypeError) as error:
        raise FrameError(f"not one valid msgpack map ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise FrameError("the message is not a map")
    _check(value, limits.depth)
    return value


def _without_duplicates(pairs: list[tuple[object, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if not isinstance(key, str) or key in found:
            raise FrameError("a map has a key twice, or a key that is no text")
        found[key] = value
    return found


def _no_extension(code: int, _: bytes) -> object:
    raise FrameError(f"extension type {code}: not in this protocol")


def _check(value: dict[str, object] | list[object], depth: int) -> None:
    if depth == 0:
        raise FrameError("too many maps and arrays inside each other")
    for item in value.values() if isinstance(value, dict) else value:
        if type(item) in _SCALARS:
            continue
        if not isinstance(item, dict | list):
            raise FrameError(f"a value of type {type(item).__name__}: floats and extensions are not taken")
        _check(item, depth - 1)
