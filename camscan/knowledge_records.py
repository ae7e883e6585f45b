"""Is this table of a TOML file exactly one record of that type?

msgspec checks types and required fields; unknown keys are refused here, at every depth, so that a
misspelt field is an error and never silently ignored.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
from functools import lru_cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct

from camscan.errors import KnowledgeError
from camscan.model.claim import Level
from camscan.model.knowledge import Signature, Test
from camscan.model.product import ProductLine

T = TypeVar("T")

_CAP_CONSTRUCTED = Level.E2
"""What samples nobody documented can carry (DESIGN rule 7)."""


def convert(kind: type[T], value: object, where: str) -> T:
    """`value` as `kind`; KnowledgeError that starts with `where` and names the field."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        _refuse_unknown(kind, value, where, "")
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(value, kind)  # most records hold no bare date
    try:
        return msgspec.convert(_plain(value), kind)
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


_PLACE = re.compile(r"(?P<key>[a-z]+) (?P<ident>\S+?): (?P<rest>.*)", re.DOTALL)
_FIELD = re.compile(r"field `?(?P<path>[A-Za-z0-9_.\[\]-]+)")
_NUMBER = re.compile(r"number (?P<place>[0-9]+)")


def with_line(message: str, name: str, data: bytes) -> str:
    """The message of an error in file `name`, with the line of the record and field it speaks of."""
    rest = message.removeprefix(f"{name}: ")
    place = _PLACE.match(rest)
    if rest == message or place is None or rest.startswith("line "):
        return message
    lines = data.decode("utf-8", "replace").splitlines()
    heads = [n for n, text in enumerate(lines) if _heads(text, place["key"])]
    start: int | None
    numbered = _NUMBER.match(f"{place['ident']} {place['rest']}")
    if numbered is not None and int(numbered["place"]) <= len(heads):
        start = heads[int(numbered["place"]) - 1]
    else:
        start = _of_record(lines, heads, place["ident"])
    if start is None:
        return message
    end = next((n for n in heads if n > start), len(lines))
    field = _FIELD.search(place["rest"])
    at = start
    if field is not None:
        last = re.sub(r"\[\d+\]", "", field["path"]).rpartition(".")[2]
        word = re.compile(rf"(?<![\w-]){re.escape(last)}\s*=")
        at = next((n for n in range(start, end) if word.search(lines[n])), start)
    return f"{name}: line {at + 1}: {rest}"


def _heads(text: str, key: str) -> bool:
    plain = text.partition("#")[0].replace(" ", "").strip()
    return plain in {f"[[{key}]]", f"[{key}]"}


def _of_record(lines: list[str], heads: list[int], ident: str) -> int | None:
    """Head of the last record with this id: of two, the second is the one complained of."""
    wanted = re.compile(rf"\s*(?:id|prefix)\s*=\s*[\"']{re.escape(ident)}[\"']")
    named = [n for n, text in enumerate(lines) if wanted.match(text)]
    if not named:
        return None
    return max((n for n in heads if n <= named[-1]), default=named[-1])


def check_patterns(record: Signature | ProductLine, where: str) -> None:
    """Refuse a pattern that RE2 does not take: it runs in linear time and in bounded memory, or not."""
    if isinstance(record, ProductLine):
        patterns = [("pattern", record.pattern)]
    else:
        patterns = [
            (f"{name}[{n}].value", c.value)
            for name, conditions in (("when", record.when), ("unless", record.unless))
            for n, c in enumerate(conditions)
            if c.test is Test.REGEX
        ]
        patterns += [(f"extract[{n}].pattern", e.pattern) for n, e in enumerate(record.extract)]
    import re2  # only for the records of a user's own folder

    options = re2.Options()
    options.log_errors = False
    for field, pattern in patterns:
        try:
            re2.compile(pattern, options)
        except re2.error as error:
            raise KnowledgeError(
                f"{where}: field `{field}`: {pattern!r} is not RE2: {error}"
            ) from error
