"""Which server names are written in an initialisation string of the PPCS / CS2 peer-to-peer platform?

Letters A to P, two per byte, high nibble first; each byte is the encoded one XOR a table of 54 XOR 0x39
XOR all bytes decoded before it (facts: firmware 2). The text is a comma list of host names or IPv4
addresses, at times with a last comma or a `:key`. A string counts only if every item of it parses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from camscan.observe.firmware.printable import Text
from camscan.observe.firmware.suffixes import Suffixes

_TABLE = bytes.fromhex(
    "4959433db5bf6da347534f6165e371e9677f02030badb3892b2f35c16b8b959711e5a70deff10507"
    "83fb9d3bc5c713171d1f2529d3df"
)  # fmt: skip
_KEY = 0x39
_ALPHABET = b"ABCDEFGHIJKLMNOP"
_LETTERS = re.compile(rb"[A-P]{16,4096}")
_SHORTEST = 16
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-,:_")
_ITEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{2,252}")
_PREFIXES = 9
"""Letters of a neighbouring text that may run into the string before it."""
_RUNS = 100_000


class Decoded(Struct, frozen=True):
    start: int
    length: int
    hosts: tuple[str, ...]
    text: str


def decode(letters: bytes) -> bytes:
    """The bytes behind an even number of letters A to P; no check of what they mean."""
    out = bytearray()
    seen = 0
    for i in range(len(letters) // 2):
        byte = (letters[2 * i] - 65) << 4 | (letters[2 * i + 1] - 65)
        plain = byte ^ _TABLE[i % 54] ^ _KEY ^ seen
        seen ^= plain
        out.append(plain)
    return bytes(out)


def hosts_of(text: bytes, suffixes: Suffixes) -> tuple[str, ...]:
    """The items of a decoded text, empty unless every one of them is a host name or an IPv4 address."""
    if not text or not _PLAIN.issuperset(text):
        return ()
    listed = text.decode("ascii").partition(":")[0].rstrip(",")
    found = []
    for item in listed.split(","):
        if not _ITEM.fullmatch(item):
            return ()
        name = item.lower()
        if not (_address(name) or suffixes.host(name)):
            return ()
        found.append(name)
    return tuple(dict.fromkeys(found))


def find(text: Text, suffixes: Suffixes) -> Iterator[Decoded]:
    """Every initialisation string in a file."""
    for start, letters in _runs(text):
        for skipped in range(min(_PREFIXES, len(letters) - _SHORTEST + 1)):
            found = _whole(letters[skipped:], suffixes)
            if found is not None:
                length, hosts, plain = found
                yield Decoded(start + skipped, length, hosts, plain)
                break


def _runs(text: Text) -> Iterator[tuple[int, bytes]]:
    """Runs of at least 16 letters A to P, and where in the file they begin."""
    for start, letters in _joined(text.joined):
        first = text.place(start)
        if text.data.startswith(letters, first):
            yield first, letters
            continue
        # Neighbours in the text that are none in the file.
        last = text.place(start + len(letters) - 1)
        for match in _LETTERS.finditer(text.data, first, last + 1):
            yield match.start(), match[0]


def _joined(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The same of some bytes: each run covers four neighbouring samples of every fourth byte."""
    if len(data) < _SHORTEST:
        return
    held = (np.frombuffer(data, dtype=np.uint8)[::4] - np.uint8(65)) < len(_ALPHABET)
    four = held[:-3] & held[1:-2] & held[2:-1] & held[3:]
    places = np.flatnonzero(four)
    if len(places) == 0:
        return
    # A NUL between two strings may fall between two samples: a region can hold several runs.
    breaks = np.flatnonzero(np.diff(places) != 1)
    firsts = places[np.concatenate(([0], breaks + 1))][:_RUNS]
    lasts = places[np.concatenate((breaks, [len(places) - 1]))][:_RUNS]
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        low = max(0, first * 4 - 3)
        for match in _LETTERS.finditer(data[low : last * 4 + _SHORTEST + 4]):
            yield low + match.start(), match[0]


def _whole(letters: bytes, suffixes: Suffixes) -> tuple[int, tuple[str, ...], str] | None:
    """The longest beginning that decodes; a list cut at one of its commas counts as well."""
    # Five bytes that are no text show cheaply that this is no such string.
    if not _PLAIN.issuperset(decode(letters[:10])):
        return None
    even = letters[: len(letters) & ~1]
    plain = decode(even)
    if hosts := hosts_of(plain, suffixes):
        return len(even), hosts, plain.decode("ascii")
    good = next((i for i, byte in enumerate(plain) if byte not in _PLAIN), len(plain))
    end = plain.rfind(b",", 0, good) + 1
    if end >= 12 and (hosts := hosts_of(plain[:end], suffixes)):
        return 2 * end, hosts, plain[:end].decode("ascii")
    return None


def _address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
