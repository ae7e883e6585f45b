"""Is this table of a TOML file exactly one record of that type?

msgspec checks types and required fields; unknown keys are refused here, at every depth, so that a
misspelt field is an error and never silently ignored.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import lru_cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct

from camscan.errors import KnowledgeError
from camscan.model.claim import Level
from camscan.model.knowledge import Signature
from camscan.model.product import ProductLine

T = TypeVar("T")

_CAP_CONSTRUCTED = Level.E2
"""What samples nobody documented can carry (DESIGN rule 7)."""


def convert(kind: type[T], value: object, where: str) -> T:
    """`value` as `kind`; KnowledgeError that starts with `where` and names the field."""
    value = _plain(value)
    if isinstance(kind, type) and issubclass(kind, Struct):
        _refuse_unknown(kind, value, where, "")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error).replace("`$.", "field `").replace("Object missing", "missing")
        raise KnowledgeError(f"{where}: {text}") from error


def versioned(signature: Signature, *, local: bool) -> Signature:
    """With the short hash of its content, marked local, its level capped by its samples' origin."""
    bare = msgspec.structs.replace(signature, version="", local=local)
    short = hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()[:12]
    level = signature.level
    if not any(s.origin == "documented" for s in signature.sample):
        level = min(level, _CAP_CONSTRUCTED)
    return msgspec.structs.replace(bare, version=short, level=level)


def versioned_line(line: ProductLine, *, local: bool) -> ProductLine:
    """With the short hash of its content, marked local."""
    bare = msgspec.structs.replace(line, version="", local=local)
    short = hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()[:12]
    return msgspec.structs.replace(bare, version=short)


def _plain(value: object) -> object:
    """TOML dates may be written bare; the records hold ISO text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return value


@lru_cache(maxsize=64)
def _shape(kind: type[Struct]) -> dict[str, type[Struct] | None]:
    """Key in the file -> the record type below it, if any."""
    hints = get_type_hints(kind)
    return {f.encode_name: _below(hints[f.name]) for f in msgspec.structs.fields(kind)}


def _below(hint: Any) -> type[Struct] | None:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    return next((found for part in get_args(hint) if (found := _below(part)) is not None), None)


def _refuse_unknown(kind: type[Struct], value: object, where: str, path: str) -> None:
    if isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_unknown(kind, item, where, f"{path}[{number}]")
        return
    if not isinstance(value, dict):
        return  # a wrong type is msgspec's to name
    shape = _shape(kind)
    for key, item in value.items():
        at = f"{path}.{key}" if path else str(key)
        if key not in shape:
            raise KnowledgeError(
                f"{where}: field `{at}`: unknown; known: {', '.join(sorted(shape))}"
            )
        below = shape[key]
        if below is not None:
            _refuse_unknown(below, item, where, at)
