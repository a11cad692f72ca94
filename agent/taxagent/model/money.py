"""Money is a whole number of fen in a signed 64-bit integer; yuan is only how people read it."""

from __future__ import annotations

MAX_FEN = 2**63 - 1
MIN_FEN = -(2**63)


def fen(amount: int) -> int:
    """Return `amount` if it is fen that fit into 64 bits; ValueError else."""
    if isinstance(amount, bool) or not isinstance(amount, int):
        msg = f"{amount!r} is no sum: money is a whole number of fen, never a fraction"
        raise ValueError(msg)  # noqa: TRY004 - callers validate outside values, one error kind is enough
    if not MIN_FEN <= amount <= MAX_FEN:
        msg = f"{amount} fen does not fit into 64 bits: check the unit (fen, not smaller)"
        raise ValueError(msg)
    return amount


def yuan(amount: int) -> str:
    """Return fen as yuan with two decimals: 123456 -> "1234.56"."""
    whole, rest = divmod(abs(fen(amount)), 100)
    return f"{'-' if amount < 0 else ''}{whole}.{rest:02d}"
