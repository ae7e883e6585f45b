"""What does a DNS message on the wire ask and answer (RFC 1035), read fast and within bounds?

`decode.dns` reads whole messages for signatures; a capture holds many thousands, of which only the
question, the addresses and the chain of aliases are wanted. A pointer may only lead backwards, so no
message can make the reader loop.
"""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

from msgspec import Struct

from camscan.decode.host_name import MAX_NAME, host_name
from camscan.errors import DecodeError

A, CNAME, AAAA, HTTPS = 1, 5, 28, 65
MAX_RECORDS = 64
"""Records of the answer section that are read."""
MAX_ALIASES = 16
MAX_QUESTIONS = 32
"""Of one message; mDNS asks several at once (RFC 6762 section 5.3)."""
_MAX_LABELS = 128
_TO_QUESTION = b"\xc0\x0c"
"""A pointer to the name behind the header."""
_HEADER_SIZE, _RECORD_SIZE = 12, 10
_HEADER = struct.Struct(">HHHH").unpack_from
_RECORD = struct.Struct(">H6xH").unpack_from
_ADDRESS = struct.Struct(">4B").unpack_from


class DnsSeen(Struct, frozen=True):
    """The first question, and what was answered to it."""

    txid: int
    is_response: bool
    rcode: int
    question: str
    qtype: int
    answers: tuple[str, ...]
    """Addresses at the end of the alias chain, in order."""
    aliases: tuple[str, ...]
    """The CNAME chain in order."""
    also: tuple[str, ...] = ()
    """Further questions of the same message."""


def parse(data: bytes) -> DnsSeen:
    """Read a message; raises DecodeError where header or question cannot be read.

    An answer section that is cut off or damaged ends the reading, what came before is kept.
    """
    if len(data) < _HEADER_SIZE:
        raise DecodeError(f"DNS message of {len(data)} bytes; a header has 12")
    txid, flags, questions, answers = _HEADER(data)
    if flags & 0x0040:  # the Z bit must be zero (RFC 1035, 2535)
        raise DecodeError("reserved bit of a DNS header is set")
    if not 0 < questions <= MAX_QUESTIONS or answers > 4096:
        raise DecodeError(f"{questions} questions and {answers} answers: no ordinary DNS message")
    name, at = read_name(data, _HEADER_SIZE)
    if at + 4 > len(data):
        raise DecodeError("DNS question is cut off")
    qtype = data[at] << 8 | data[at + 1]
    at += 4
    also: tuple[str, ...] = ()
    if questions > 1:
        also, at = _also(data, at, questions - 1)
    question = host_name(name)
    found: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    if answers:
        records = _records(data, at, min(answers, MAX_RECORDS), question)
        found, aliases = _follow(question, records)
    is_response, rcode = flags & 0x8000 != 0, flags & 0x000F
    return DnsSeen(txid, is_response, rcode, question, qtype, found, aliases, also)


def _also(data: bytes, at: int, count: int) -> tuple[tuple[str, ...], int]:
    """Further questions, and the position behind them."""
    found: list[bytes] = []
    for _ in range(count):
        further, at = read_name(data, at)
        found.append(further)
        at += 4
    if at > len(data):
        raise DecodeError("DNS question is cut off")
    return tuple(host_name(further) for further in found), at


def read_name(data: bytes, at: int) -> tuple[bytes, int]:
    """(labels joined by dots, position behind the name); DecodeError for loops and cut names."""
    labels: list[bytes] = []
    behind = -1
    limit = at
    length = 0
    end = len(data)
    for _ in range(_MAX_LABELS):
        if at >= end:
            raise DecodeError("DNS name is cut off")
        size = data[at]
        if size == 0:
            return b".".join(labels), at + 1 if behind < 0 else behind
        if size < 0x40:
            begin, at = at + 1, at + 1 + size
            length += size + 1
            if length > MAX_NAME + 2 or at > end:
                raise DecodeError("DNS name is too long or cut off")
            labels.append(data[begin:at])
            continue
        if size & 0xC0 == 0xC0:
            if at + 1 >= end:
                raise DecodeError("DNS pointer is cut off")
            target = (size & 0x3F) << 8 | data[at + 1]
            if behind < 0:
                behind = at + 2
            if target >= limit:  # only backwards, else a message can loop for ever
                raise DecodeError("DNS pointer does not lead backwards")
            at = limit = target
            continue
        raise DecodeError("DNS label of a reserved type")
    raise DecodeError("DNS name of too many labels")


def messages(stream: bytes) -> tuple[tuple[bytes, ...], int]:
    """Whole messages of a TCP stream (two length bytes before each) and the bytes they took."""
    found: list[bytes] = []
    at = 0
    while at + 2 <= len(stream) and len(found) < MAX_RECORDS:
        (size,) = struct.unpack_from(">H", stream, at)
        if at + 2 + size > len(stream):
            break
        found.append(stream[at + 2 : at + 2 + size])
        at += 2 + size
    return tuple(found), at


def _records(data: bytes, at: int, count: int, question: str) -> list[tuple[str, int, str]]:
    """(owner, type, address or alias) of the records that matter."""
    found: list[tuple[str, int, str]] = []
    end = len(data)
    for _ in range(count):
        try:
            if data.startswith(_TO_QUESTION, at):  # nearly all are
                owner, at = question, at + 2
            else:
                name, at = read_name(data, at)
                owner = host_name(name)
            kind, size = _RECORD(data, at)
        except (DecodeError, struct.error):
            break
        at += _RECORD_SIZE
        if at + size > end:
            break
        if kind == A and size == 4:
            one, two, three, four = _ADDRESS(data, at)
            found.append((owner, kind, f"{one}.{two}.{three}.{four}"))
        elif kind == AAAA and size == 16:
            found.append((owner, kind, str(IPv6Address(data[at : at + size]))))
        elif kind == CNAME:
            try:
                found.append((owner, kind, host_name(read_name(data, at)[0])))
            except DecodeError:
                break
        at += size
    return found


def _follow(
    question: str, records: list[tuple[str, int, str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if CNAME not in [kind for _, kind, _ in records]:
        found = [value for owner, _, value in records if owner == question]
        return tuple(dict.fromkeys(found)), ()
    aliases: list[str] = []
    current = question
    for _ in range(MAX_ALIASES):
        following = next((v for o, k, v in records if k == CNAME and o == current), None)
        if following is None or following in aliases or following == question:
            break
        aliases.append(following)
        current = following
    chain = {question, *aliases}
    found = [v for o, k, v in records if k in {A, AAAA} and o in chain]
    return tuple(dict.fromkeys(found)), tuple(aliases)
