"""Which bytes does a text of Intel HEX or Motorola S-records stand for?

Layouts: Intel "Hexadecimal Object File Format Specification" (1988), srec(5). Every line has a checksum; the text counts
when its first lines are right, and ends with the first line that is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from camscan.observe.firmware.form import FILESYSTEM, Form, Found, Member
from camscan.observe.firmware.watch import Watch

_LINE = 520
_PROVEN = 3
"""Lines with a right checksum."""
_HOLE = 1 << 12
"""Bytes nothing is said of, behind which another part begins."""
_ADDRESS = {b"1": 2, b"2": 3, b"3": 4}


def _lines(view: memoryview, watch: Watch) -> Iterator[tuple[bytes, int]]:
    """(line without its end, place behind it)."""
    at = 0
    while at < len(view):
        watch.tick()
        piece = bytes(view[at : at + (1 << 16)])
        last = at + len(piece) == len(view)
        used = 0
        for raw in piece.splitlines(keepends=True):
            if not raw.endswith((b"\r", b"\n")) and not last:
                break
            used += len(raw)
            yield raw.strip(), at + used
        if not used:
            return
        at += used


def _intel(view: memoryview, watch: Watch) -> Iterator[tuple[int, bytes, int]]:
    """(address, bytes, place behind the line)."""
    base = 0
    for line, behind in _lines(view, watch):
        if not line:
            continue
        if line[:1] != b":" or len(line) > _LINE:
            return
        try:
            raw = bytes.fromhex(line[1:].decode("ascii"))
        except ValueError:
            return
        if len(raw) < 5 or raw[0] != len(raw) - 5 or sum(raw) & 0xFF:
            return
        kind, data = raw[3], raw[4:-1]
        if kind == 2 and len(data) == 2:
            base = int.from_bytes(data, "big") << 4
        elif kind == 4 and len(data) == 2:
            base = int.from_bytes(data, "big") << 16
        yield base + int.from_bytes(raw[1:3], "big"), data if kind == 0 else b"", behind
        if kind == 1:
            return


def _motorola(view: memoryview, watch: Watch) -> Iterator[tuple[int, bytes, int]]:
    for line, behind in _lines(view, watch):
        if not line:
            continue
        if line[:1] != b"S" or len(line) > _LINE:
            return
        try:
            raw = bytes.fromhex(line[2:].decode("ascii"))
        except ValueError:
            return
        if len(raw) < 3 or raw[0] != len(raw) - 1 or sum(raw) & 0xFF != 0xFF:
            return
        width = _ADDRESS.get(line[1:2], 0)
        address = int.from_bytes(raw[1 : 1 + width], "big")
        yield address, raw[1 + width : -1] if width else b"", behind
        if line[1:2] in {b"7", b"8", b"9"}:
            return


def _parts(view: memoryview, kind: str, watch: Watch) -> Iterator[tuple[int, bytearray]]:
    """Runs of bytes by address, in the order of the text."""
    start = 0
    run = bytearray()
    read = _intel if kind == "intel-hex" else _motorola
    for address, data, _ in read(view, watch):
        if not data:
            continue
        gap = address - start - len(run)
        watch.fits(len(run) + len(data))
        if run and 0 <= gap <= _HOLE:
            run += b"\xff" * gap
        elif run:
            yield start, run
            run = bytearray()
        if not run:
            start = address
        run += data
    if run:
        yield start, run


def _members(view: memoryview, kind: str, watch: Watch) -> Iterator[Member]:
    for start, run in _parts(view, kind, watch):
        yield Member(f"0x{start:08x}", "file", partial(bytes, run), len(run))


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    first = bytes(view[:1])
    if at or first not in {b":", b"S"} or len(view) < 32:
        return None
    kind, read = ("intel-hex", _intel) if first == b":" else ("s-record", _motorola)
    count = end = 0
    for _, _, behind in read(view, watch):
        count, end = count + 1, behind
    if count < _PROVEN:
        return None
    damage = (
        f"{kind}: {len(view) - end} bytes behind the last right line" if end < len(view) else ""
    )
    return Found(0, end, partial(_members, view[:end], kind), "", 0, kind, damage)


HEXFILE = Form("hex-text", FILESYSTEM, (), _probe)
