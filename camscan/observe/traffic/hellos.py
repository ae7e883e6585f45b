"""What do the TLS handshakes of a batch say in clear, told without reading them one by one?

All ClientHellos are walked at once, extension by extension (RFC 8446 sections 4.1.2 and 5.1). Only those that
lie whole in one segment and hold nothing odd are told; all others are for `decode.client_hello`, which reads
the first of every kind anyhow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camscan.observe.traffic.batch import Bytes, Ints, Keys, byte, gather

LONGEST_NAME, LONGEST_PROTOCOLS = 128, 32
"""Bytes of an extension that are compared."""
WORDS = (LONGEST_NAME + LONGEST_PROTOCOLS) // 8 + 1
_MOST_EXTENSIONS = 48
_RECORD, _MESSAGE, _VERSION_AND_RANDOM = 5, 4, 34
_SERVER_NAME, _ALPN, _ECH = 0x0000, 0x0010, 0xFE0D
_HANDSHAKE = 22
_MOST_RECORD = 16_640


class Said(NamedTuple):
    """Rows that were told, and all that matters of each as WORDS numbers."""

    rows: Ints
    words: Keys


class _Extensions:
    """Place and size of the extensions that matter; a size of -1 where there is none."""

    def __init__(self, count: int) -> None:
        self.name_at: Ints = np.zeros(count, np.int64)
        self.name: Ints = np.full(count, -1, np.int64)
        self.protocols_at: Ints = np.zeros(count, np.int64)
        self.protocols: Ints = np.full(count, -1, np.int64)
        self.ech: Ints = np.zeros(count, np.int64)


def client_hellos(data: Bytes, payload: Ints, held: Ints) -> Said:
    """Whole ClientHellos among TLS handshake records that begin at `payload`, `held` bytes of them captured."""
    record = _number(data, payload + 3, 2)
    size = _number(data, payload + _RECORD, 4) & 0xFFFFFF
    body = payload + _RECORD + _MESSAGE
    end = body + size
    whole = (record > 0) & (record <= _MOST_RECORD) & (size + _MESSAGE <= record)
    whole &= (end <= payload + held) & (size > _VERSION_AND_RANDOM)
    rows = np.flatnonzero(whole)
    body, end = body[rows], end[rows]
    # Session id, cipher suites and compression methods lie between the random and the extensions.
    at = body + _VERSION_AND_RANDOM
    good = data[body] == 3
    at += 1 + byte(data, at)
    good &= at + 2 <= end
    at = np.minimum(at, end)
    at += 2 + _number(data, at, 2)
    good &= at < end
    at = np.minimum(at, end)
    at += 1 + byte(data, at)
    good &= at + 2 <= end
    rows, at, end = rows[good], at[good], end[good]
    found = _Extensions(len(rows))
    fine = _walk(data, at + 2, np.minimum(end, at + 2 + _number(data, at, 2)), found)
    fine &= (found.name <= LONGEST_NAME) & (found.protocols <= LONGEST_PROTOCOLS)
    which = np.flatnonzero(fine)
    return Said(rows[which], _words(data, found, which))


def _walk(data: Bytes, at: Ints, end: Ints, found: _Extensions) -> NDArray[np.bool_]:
    """Fill `found`; which rows hold nothing odd: no extension twice that matters, none beyond the end."""
    fine = np.zeros(len(at), np.bool_)
    rows = np.arange(len(at))
    for _ in range(_MOST_EXTENSIONS):
        more = at + 4 <= end
        if not more.all():
            fine[rows[~more]] = True
            rows, at, end = rows[more], at[more], end[more]
        if not len(rows):
            break
        both = _number(data, at, 4)
        kind, size = both >> 16, both & 0xFFFF
        at += 4
        inside = at + size <= end
        for number, place, sizes in (
            (_SERVER_NAME, found.name_at, found.name),
            (_ALPN, found.protocols_at, found.protocols),
        ):
            which = np.flatnonzero(kind == number)
            if len(which):
                to = rows[which]
                inside[which] &= sizes[to] < 0
                place[to], sizes[to] = at[which], size[which]
        found.ech[rows[kind == _ECH]] = 1
        at += size
        if not inside.all():
            rows, at, end = rows[inside], at[inside], end[inside]
    return fine


def _words(data: Bytes, found: _Extensions, which: Ints) -> Keys:
    result = np.zeros((len(which), WORDS * 8), np.uint8)
    begin = 0
    for place, sizes, longest in (
        (found.name_at, found.name, LONGEST_NAME),
        (found.protocols_at, found.protocols, LONGEST_PROTOCOLS),
    ):
        part = gather(data, place[which], longest).view(np.uint8).reshape(-1, longest)
        result[:, begin : begin + longest] = part * (np.arange(longest) < sizes[which, None])
        begin += longest
    words: Keys = result.view(np.uint64)
    words[:, -1] = found.name[which] & 0xFFFF | (found.protocols[which] & 0xFFFF) << 16
    words[:, -1] |= (found.ech[which] << 32).astype(np.uint64)
    return words


def sealed(data: Bytes, payload: Ints, held: Ints) -> NDArray[np.bool_]:
    """Behind which handshake records something other than a handshake follows in the same segment.

    From there on nothing is in clear: no certificate will come (TLS 1.3, a resumed session).
    """
    following = _RECORD + _number(data, payload + 3, 2)
    there = following + _RECORD <= held
    result = np.zeros(len(payload), np.bool_)
    rows = np.flatnonzero(there)
    result[rows] = data[payload[rows] + following[rows]] != _HANDSHAKE
    return result


def _number(data: Bytes, places: Ints, size: int) -> Ints:
    """Big-endian numbers of two or four bytes."""
    return gather(data, places, size).view(f">u{size}").astype(np.int64)
