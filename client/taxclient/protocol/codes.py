"""The one-time code of a pairing (docs/security.md, Pairing): its form, and what both ends make of it. Pure.

CODE = 12 symbols that are the secret, and 4 that check it against the agent's public key. The secret never
goes over the wire: both ends make the same CURVE key of it, and the door knows that key alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_SECRET, _CHECK, _GROUP = 12, 4, 4  # symbols of 5 bits: 60 bits, 20 bits
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


class BadCode(ValueError):
    """The text is no code of this agent: `reason` is "form" (not 16 symbols) or "check" (mistyped, or for
    another agent).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def new_secret() -> str:
    """Return a random secret of 60 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(_SECRET))


def written(secret: str, server_key: str) -> str:
    """Return the code as it is shown: K7QM-4X9T-P2RD-3F8W. `server_key` is the agent's, in Z85."""
    whole = secret + _check(secret, server_key)
    return "-".join(whole[at : at + _GROUP] for at in range(0, len(whole), _GROUP))


def read(code: str, server_key: str) -> str:
    """Return the secret of a typed code; small letters, spaces, and I, L, O for 1, 1, 0 are taken.

    Raises BadCode; nothing has been sent then, and no try is lost.
    """
    symbols = code.strip().upper().translate(_READ_AS)
    if len(symbols) != _SECRET + _CHECK or not set(symbols) <= set(ALPHABET):
        raise BadCode("form")
    secret, check = symbols[:_SECRET], symbols[_SECRET:]
    if not hmac.compare_digest(check, _check(secret, server_key)):
        raise BadCode("check")
    return secret


def curve_secret(secret: str, server_key: str) -> bytes:
    """Return the 32 bytes of the secret CURVE key by which the code's holder comes."""
    return _mac(secret, "client", server_key)


def _check(secret: str, server_key: str) -> str:
    bits = int.from_bytes(_mac(secret, "check", server_key)[:4]) >> (32 - 5 * _CHECK)
    return "".join(ALPHABET[bits >> 5 * place & 31] for place in reversed(range(_CHECK)))


def _mac(secret: str, what: str, server_key: str) -> bytes:
    return hmac.digest(secret.encode(), f"taxagent pair 1 {what} {server_key}".encode(), hashlib.sha256)
