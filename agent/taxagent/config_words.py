"""What is wrong with a configuration, as facts for the catalogue's words: key, what stands there, what may.

What is allowed comes from the schema's own types. Knows msgspec's complaints, and no setting by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec import inspect

_PLAIN: dict[type[inspect.Type], str] = {
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.StrType: "text in quotes",
    inspect.BoolType: "true, false",
    inspect.DateType: "yyyy-mm-dd",
    inspect.DictType: "a table",
    inspect.StructType: "a table",
    inspect.ListType: "a list",
    inspect.VarTupleType: "a list",
}


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One value that cannot stand. `what` and `expected` are in words.toml, or say it in any language."""

    key: str
    what: str = ""
    found: str = ""
    expected: str = ""


def complaint(
    text: str, raw: Mapping[str, object], schema: type[msgspec.Struct], allowed: Mapping[str, str]
) -> Complaint:
    """Return what msgspec complains of. `allowed` says of keys what their type does not."""
    what, _, where = text.partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    named = re.fullmatch(r"Object (contains unknown|missing required) field `(.*)`", what, re.DOTALL)
    if named and named[1] == "contains unknown":
        return Complaint(key=_joined(_plain(key), named[2]), what="no_such_key", expected=_keys(key, schema))
    if named:
        missing = _joined(_plain(key), named[2])
        return Complaint(key=missing, what="key_missing", expected=_allowed(missing, schema, allowed))
    found = _at(raw, key)
    if "[...]" in key:
        key, found = _culprit(key, raw, schema)
    told = Complaint(key=_plain(key), found=_shown(found), expected=_allowed(_plain(key), schema, allowed))
    return told if told.expected else msgspec.structs.replace(told, what=what)


def _allowed(key: str, schema: type[msgspec.Struct], allowed: Mapping[str, str]) -> str:
    """Return what may stand at a key: what is said of it, or of the table it is in; else its type."""
    for known in (key, key.rpartition(".")[0]):
        if known in allowed:
            return allowed[known]
    kind = _type_at(key, schema)
    return _of_type(kind) if kind is not None else ""


def _of_type(kind: inspect.Type) -> str:
    match kind:
        case inspect.LiteralType(values=values):
            return ", ".join(map(str, values))
        case inspect.EnumType(cls=cls):
            return ", ".join(str(member.value) for member in cls)
        case inspect.IntType(ge=least, le=most) | inspect.FloatType(ge=least, le=most) if least is not None:
            return f"{least} ... {most}"
        case inspect.StrType(min_length=least) if least:
            return "text in quotes, not empty"
    return _PLAIN.get(type(kind), "")


def _type_at(key: str, schema: type[msgspec.Struct]) -> inspect.Type | None:
    kind: inspect.Type | None = inspect.type_info(schema)
    for part in key.split("."):
        kind = _below(kind, part)
    return _bare(kind)


def _below(kind: inspect.Type | None, part: str) -> inspect.Type | None:
    match _bare(kind):
        case inspect.StructType(fields=fields):
            return next((field.type for field in fields if field.encode_name == part), None)
        case inspect.DictType(value_type=value):
            return value
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return _below(item, part)
    return None


def _bare(kind: inspect.Type | None) -> inspect.Type | None:
    """Return the type without what may stand instead of it (none), and without its notes."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return next((_bare(each) for each in kind.types if not isinstance(each, inspect.NoneType)), None)
    return kind


def _keys(key: str, schema: type[msgspec.Struct]) -> str:
    kind = _type_at(_plain(key), schema) if key else inspect.type_info(schema)
    while isinstance(kind, inspect.VarTupleType | inspect.ListType):
        kind = _bare(kind.item_type)
    fields = kind.fields if isinstance(kind, inspect.StructType) else ()
    return ", ".join(field.encode_name for field in fields)


def _culprit(key: str, raw: Mapping[str, object], schema: type[msgspec.Struct]) -> tuple[str, object]:
    """Return the entry that cannot be read; msgspec names only the tables it stands in."""
    table, _, rest = key.partition("[...]")
    entries = _at(raw, table)
    for name, value in entries.items() if isinstance(entries, dict) else ():
        path = f"{table}.{name}"
        if rest.startswith("[...]") and isinstance(value, dict):
            inner, found = _culprit(f"{path}{rest}", raw, schema)
            if found is not None:
                return inner, found
            continue
        kind = _type_at(path, schema)
        if kind is not None and not _fits(value, kind):
            return path, value
    return table, None


def _fits(value: object, kind: inspect.Type) -> bool:
    match kind:
        case inspect.DateType():
            return not isinstance(value, str | int | float | bool) and hasattr(value, "isoformat")
        case inspect.LiteralType(values=values):
            return value in values
        case inspect.DictType():
            return isinstance(value, dict)
    return True


def _at(raw: object, key: str) -> object:
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", key):
        if part.startswith("["):
            raw = raw[int(part[1:-1])] if isinstance(raw, list) else None
        else:
            raw = raw.get(part) if isinstance(raw, dict) else None
    return raw


def _plain(key: str) -> str:
    """Return the key without the places in lists."""
    return re.sub(r"\[\d+\]", "", key)


def _joined(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    return "" if value is None else str(value)[:200]
