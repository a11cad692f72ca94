"""Any value of a msgspec type, for property tests: what its own constraints allow, and nothing else."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as shape

_FEW = 3  # items of an array or map: shape matters here, not size
_INT64 = 2**63


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of `kind`."""
    return _of(shape.type_info(kind))


@functools.singledispatch
def _of(kind: shape.Type) -> st.SearchStrategy[Any]:
    raise NotImplementedError(f"no values are known of {kind}")


@_of.register
def _(kind: shape.Metadata) -> st.SearchStrategy[Any]:
    return _of(kind.type)


@_of.register
def _(kind: shape.AnyType) -> st.SearchStrategy[Any]:
    return st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)


@_of.register
def _(kind: shape.NoneType) -> st.SearchStrategy[Any]:
    return st.none()


@_of.register
def _(kind: shape.BoolType) -> st.SearchStrategy[Any]:
    return st.booleans()


@_of.register
def _(kind: shape.IntType) -> st.SearchStrategy[Any]:
    least = kind.ge if kind.ge is not None else -_INT64
    most = kind.le if kind.le is not None else _INT64 - 1
    return st.integers(least, most)


@_of.register
def _(kind: shape.FloatType) -> st.SearchStrategy[Any]:
    least = kind.ge if kind.ge is not None else kind.gt
    most = kind.le if kind.le is not None else kind.lt
    return st.floats(least, most, allow_nan=False, allow_infinity=False, exclude_min=kind.gt is not None)


@_of.register
def _(kind: shape.StrType) -> st.SearchStrategy[Any]:
    if kind.pattern is not None:
        pattern = kind.pattern.replace(r"\Z", "").rstrip("$")
        found: st.SearchStrategy[Any] = st.from_regex(pattern, fullmatch=True)
        most = kind.max_length
        return found if most is None else found.filter(lambda text: len(text) <= most)
    return st.text(
        st.characters(codec="utf-8"), min_size=kind.min_length or 0, max_size=min(kind.max_length or 12, 12)
    )


@_of.register
def _(kind: shape.BytesType) -> st.SearchStrategy[Any]:
    return st.binary(min_size=kind.min_length or 0, max_size=12)


@_of.register
def _(kind: shape.DateType) -> st.SearchStrategy[Any]:
    return st.dates()


@_of.register
def _(kind: shape.DateTimeType) -> st.SearchStrategy[Any]:
    return st.datetimes(timezones=st.just(dt.UTC)) if kind.tz else st.datetimes()


@_of.register
def _(kind: shape.EnumType) -> st.SearchStrategy[Any]:
    return st.sampled_from(list(kind.cls))


@_of.register
def _(kind: shape.LiteralType) -> st.SearchStrategy[Any]:
    return st.sampled_from(kind.values)


@_of.register
def _(kind: shape.UnionType) -> st.SearchStrategy[Any]:
    return functools.reduce(operator.or_, map(_of, kind.types))


@_of.register
def _(kind: shape.VarTupleType) -> st.SearchStrategy[Any]:
    return _several(kind).map(tuple)


@_of.register
def _(kind: shape.ListType) -> st.SearchStrategy[Any]:
    return _several(kind)


@_of.register
def _(kind: shape.TupleType) -> st.SearchStrategy[Any]:
    return st.tuples(*map(_of, kind.item_types))


@_of.register
def _(kind: shape.FrozenSetType) -> st.SearchStrategy[Any]:
    return _several(kind).map(frozenset)


@_of.register
def _(kind: shape.DictType) -> st.SearchStrategy[Any]:
    return st.dictionaries(_of(kind.key_type), _of(kind.value_type), max_size=_FEW)


@_of.register
def _(kind: shape.RawType) -> st.SearchStrategy[Any]:
    return st.just(msgspec.Raw(b"null"))


@_of.register
def _(kind: shape.StructType) -> st.SearchStrategy[Any]:
    return _built(kind.cls)


@functools.cache
def _built(cls: Any) -> st.SearchStrategy[Any]:
    def parts() -> st.SearchStrategy[Any]:
        fields = shape.type_info(cls).fields  # type: ignore[attr-defined]
        return st.builds(cls, **{field.name: _of(field.type) for field in fields})

    return st.deferred(parts)


def _several(kind: Any) -> st.SearchStrategy[Any]:
    most = _FEW if kind.max_length is None else min(kind.max_length, _FEW)
    least = kind.min_length or 0
    return st.lists(_of(kind.item_type), min_size=least, max_size=max(least, most))
