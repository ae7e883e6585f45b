"""Which hashes does an icon have, by which it is known elsewhere?

md5 and mmh3 are the forms of public fingerprint lists (facts: fingerprints), sha256 is ours.
"""

from __future__ import annotations

import base64
import hashlib
import re

from msgspec import Struct

from camscan.decode.collect import collect
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_FORMS = {
    "md5": re.compile(r"[0-9a-f]{32}"),
    "mmh3": re.compile(r"-?\d{1,10}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "size": re.compile(r"\d{1,9}"),
}
_MASK = 0xFFFFFFFF


class IconHashes(Struct, frozen=True):
    """Hashes as texts; empty where not known."""

    md5: str = ""
    mmh3: str = ""
    sha256: str = ""
    size: str = ""

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.FAVICON]`."""
        return collect(
            (("md5", self.md5), ("mmh3", self.mmh3), ("sha256", self.sha256), ("size", self.size))
        )


def describe(body: bytes) -> str:
    """The text that is stored instead of the icon: `md5:..,mmh3:..,sha256:..,size:..`."""
    return ",".join(
        (
            f"md5:{hashlib.md5(body, usedforsecurity=False).hexdigest()}",
            f"mmh3:{shodan_hash(body)}",
            f"sha256:{hashlib.sha256(body).hexdigest()}",
            f"size:{len(body)}",
        )
    )


def parse(data: bytes) -> IconHashes:
    """Read `md5:..` and the rest in any order; raises DecodeError when no hash is there."""
    found: dict[str, str] = {}
    for part in decode_text(data[:4096]).replace("\n", ",").split(","):
        name, _, value = part.strip().partition(":")
        name, value = name.strip().lower(), value.strip().lower()
        if name in _FORMS and _FORMS[name].fullmatch(value):
            found.setdefault(name, value)
    if not found.keys() - {"size"}:
        raise DecodeError("no icon hash of the form md5:.., mmh3:.. or sha256:..")
    return IconHashes(**found)


def shodan_hash(body: bytes) -> int:
    """Signed MurmurHash3 of the base64 text with a line break after each 76 characters."""
    unsigned = murmur3_32(base64.encodebytes(body))
    return unsigned - (1 << 32) if unsigned & 0x80000000 else unsigned


def murmur3_32(data: bytes, seed: int = 0) -> int:
    """MurmurHash3 x86 32 bit, unsigned (Austin Appleby, public domain reference)."""
    value = seed & _MASK
    whole = len(data) & ~3
    for position in range(0, whole, 4):
        value ^= _mix(int.from_bytes(data[position : position + 4], "little"))
        value = (value << 13 | value >> 19) & _MASK
        value = (value * 5 + 0xE6546B64) & _MASK
    if whole < len(data):
        value ^= _mix(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value ^= value >> 16
    value = value * 0x85EBCA6B & _MASK
    value ^= value >> 13
    value = value * 0xC2B2AE35 & _MASK
    return value ^ value >> 16


def _mix(block: int) -> int:
    block = block * 0xCC9E2D51 & _MASK
    block = (block << 15 | block >> 17) & _MASK
    return block * 0x1B873593 & _MASK
