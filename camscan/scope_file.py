"""What does a scope file say: whose network, on which document, which ranges?"""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from camscan.errors import ScopeError

TEMPLATE = """\
# Scope of a camscan audit: which addresses may be touched, and on whose word.
# Needed for every range that is not private (RFC 1918, ULA, link-local, loopback).

# The body whose network this is, as its papers name it.
owner = ""

# The paper that permits the audit: title, number, date. It is printed on page 1.
document = ""

# Who gave the order (person or office).
authority = ""

# Networks in CIDR form. Targets on the command line must lie inside them;
# without targets all of them are scanned.
ranges = [
  # "192.168.20.0/24",
]

# Addresses inside the ranges that must not be touched (hospital, alarm centre ...).
excluded = [
  # "192.168.20.250/32",
]

# Hard limit of one scan. Raise it only on purpose.
max_addresses = 65536
"""


class ScopeFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    owner: str
    document: str
    ranges: tuple[str, ...]
    authority: str = ""
    excluded: tuple[str, ...] = ()
    max_addresses: int | None = None


def load_scope_file(path: Path) -> ScopeFile:
    """ScopeError names the file, the field and what to write."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ScopeError(
            f"scope file {path}: cannot be read ({error.strerror}); "
            f"write one with `camscan scope init {path}`"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScopeError(f"scope file {path}: not TOML ({error}); correct that line") from error
    try:
        file = msgspec.convert(raw, ScopeFile)
    except msgspec.ValidationError as error:
        raise ScopeError(
            f"scope file {path}: {error}; compare it with `camscan scope init`"
        ) from error
    for field in ("owner", "document"):
        if not getattr(file, field).strip():
            raise ScopeError(f"scope file {path}: `{field}` is empty; say whose network this is "
                             "and which paper permits the audit")  # fmt: skip
    if not file.ranges:
        raise ScopeError(f'scope file {path}: `ranges` is empty; name networks like "10.0.0.0/24"')
    return file
