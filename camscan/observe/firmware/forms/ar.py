"""What lies in an ar archive: a Debian or opkg package, a static library?

Layout: ar(5) of FreeBSD and the GNU binutils manual: headers of 60 bytes in text, long names in a member of their own
(`//`) or before the data (`#1/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from camscan.errors import DecodeError
from camscan.observe.firmware.form import FILESYSTEM, Form, Found, Member, inner_path, text_of
from camscan.observe.firmware.watch import Watch


class _Item(NamedTuple):
    name: str
    mode: int
    at: int
    size: int


def _items(view: memoryview, at: int, watch: Watch) -> Iterator[_Item]:
    long_names = b""
    place = at + 8
    while place + 60 <= len(view):
        watch.tick()
        raw = bytes(view[place : place + 60])
        if raw[58:] != b"`\n":
            return
        size, begin = int(raw[48:58]), place + 60
        name = raw[:16].rstrip()
        mode = int(raw[40:48].strip() or b"0", 8)
        place = begin + size + size % 2
        if size < 0 or begin + size > len(view):
            raise DecodeError("ar: a member is longer than the archive")
        if name == b"//":
            long_names = bytes(view[begin : begin + size])
        elif name.startswith(b"#1/"):
            length = min(int(name[3:]), size, 1024)
            named = bytes(view[begin : begin + length]).rstrip(b"\0")
            yield _Item(text_of(named), mode, begin + length, size - length)
        elif name not in {b"/", b"/SYM64/"}:
            if name[:1] == b"/" and name[1:].isdigit():
                name = long_names[int(name[1:]) :].split(b"\n", 1)[0]
            yield _Item(text_of(name.rstrip(b"/")), mode, begin, size)


def _members(view: memoryview, at: int, watch: Watch) -> Iterator[Member]:
    for i, item in enumerate(_items(view, at, watch)):
        data = view[item.at : item.at + item.size]
        name = inner_path(item.name) or f"member{i}"
        yield Member(name, "file", partial(_whole, data), item.size, item.mode)


def _whole(data: memoryview) -> memoryview:
    return data


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    end = 0
    damage = ""
    try:
        for item in _items(view, at, watch):
            end = item.at + item.size
    except (DecodeError, ValueError) as error:
        damage = f"ar: {error}"
    if not end:
        return None
    end = min(end + (end - at) % 2, len(view))
    return Found(at, end - at, partial(_members, view, at), "", 0, "ar", damage)


AR = Form("ar", FILESYSTEM, ((r"!<arch>\n[\x20-\x7e]{48}", 0),), _probe)
