"""What lies in a 7z archive?

Layout: 7zFormat.txt of the 7-Zip source. Several files are packed as one stream (a folder), so one folder is expanded
at a time and lies in memory while its files are given out. Chains of simple coders are read; encryption and coders with
several streams (BCJ2) or of another family (PPMd) are named, with the files they hide.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    FILESYSTEM,
    Bytes,
    Form,
    Found,
    Member,
    inner_path,
    nothing,
    text_of,
)
from camscan.observe.firmware.forms.sevenzip_header import Cursor, Folder, Item, Layout, layout
from camscan.observe.firmware.watch import EncryptedError, NoLibraryError, PartialError, Watch

_ENCRYPTED = b"\x06\xf1\x07\x01"
_COPY, _LZMA, _LZMA2, _DELTA = b"\0", b"\x03\x01\x01", b"\x21", b"\x03"
_DEFLATE, _BZIP2 = b"\x04\x01\x08", b"\x04\x02\x02"
_BRANCHES = {
    b"\x03\x03\x01\x03": lzma.FILTER_X86,
    b"\x04": lzma.FILTER_X86,
    b"\x03\x03\x02\x05": lzma.FILTER_POWERPC,
    b"\x03\x03\x04\x01": lzma.FILTER_IA64,
    b"\x03\x03\x05\x01": lzma.FILTER_ARM,
    b"\x03\x03\x07\x01": lzma.FILTER_ARMTHUMB,
    b"\x03\x03\x08\x05": lzma.FILTER_SPARC,
}
_DICTIONARY = 192 << 20
_HEADER = 64 << 20
_WRAPPED = 4
"""Headers packed inside headers."""


def _coded(method: bytes, properties: bytes, data: Bytes, size: int) -> bytes:
    """One coder; `size` bytes come out."""
    if method == _COPY:
        return bytes(data[:size])
    if method == _LZMA and len(properties) == 5:
        rest, lc = divmod(properties[0], 9)
        pb, lp = divmod(rest, 5)
        (dictionary,) = struct.unpack_from("<I", properties, 1)
        chain: list[dict[str, int]] = [
            {
                "id": lzma.FILTER_LZMA1,
                "dict_size": _bounded(dictionary),
                "lc": lc,
                "lp": lp,
                "pb": pb,
            }
        ]
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain).decompress(data, size)
    if method == _LZMA2 and len(properties) == 1:
        bits = properties[0]
        dictionary = (2 | bits & 1) << (bits // 2 + 11) if bits < 40 else 0xFFFFFFFF
        chain = [{"id": lzma.FILTER_LZMA2, "dict_size": _bounded(dictionary)}]
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain).decompress(data, size)
    if method == _DEFLATE:
        return zlib.decompressobj(-15).decompress(data, size)
    if method == _BZIP2:
        return bz2.BZ2Decompressor().decompress(data, size)
    if method == _DELTA and len(properties) == 1:
        return _filtered({"id": lzma.FILTER_DELTA, "dist": properties[0] + 1}, data)
    if method in _BRANCHES:
        return _filtered({"id": _BRANCHES[method]}, data)
    if method == _ENCRYPTED:
        raise EncryptedError("7z: encrypted with a password")
    raise NoLibraryError(f"7z: method {method.hex()} is not read")


def _bounded(dictionary: int) -> int:
    if dictionary > _DICTIONARY:
        raise NoLibraryError("7z: needs a larger dictionary than is allowed")
    return max(dictionary, 4096)


def _filtered(kind: dict[str, int], data: Bytes) -> bytes:
    """Liblzma applies a filter only in front of LZMA2, so the bytes are wrapped as LZMA2 that is not packed."""
    out = bytearray()
    for at in range(0, len(data), 1 << 16):
        piece = data[at : at + (1 << 16)]
        out += struct.pack(">BH", 2 if at else 1, len(piece) - 1)
        out += piece
    out.append(0)
    chain = [kind, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain).decompress(bytes(out))


def _expanded(view: memoryview, folder: Folder, watch: Watch) -> bytes:
    """All bytes of a folder, through its coders one after the other."""
    if folder.size > watch.room():
        watch.fits(folder.size)
    data: Bytes = view[folder.at : folder.at + folder.packed]
    for method, properties, size in folder.chain:
        watch.tick()
        watch.fits(size)
        data = _coded(method, properties, data, size)
        if len(data) < size:
            raise DecodeError("7z: a stream ends early")
    return bytes(data)


def _header(view: memoryview, at: int, watch: Watch) -> Layout:
    place, size, stated = struct.unpack_from("<QQI", view, at + 12)
    raw: Bytes = view[at + 32 + place : at + 32 + place + size]
    if len(raw) < size or zlib.crc32(raw) != stated:
        raise DecodeError("7z: the header is missing or damaged")
    for _ in range(_WRAPPED):
        found = layout(Cursor(bytes(raw[:_HEADER])), at + 32)
        if not found.wrapped:
            return found
        if found.folders[0].size > _HEADER:
            raise DecodeError("7z: header too large")
        raw = _expanded(view, found.folders[0], watch)
    raise DecodeError("7z: header inside header")


class _Open:
    """The folder that is expanded just now; a failure is kept and said of each of its files."""

    def __init__(self, view: memoryview, watch: Watch) -> None:
        self._view, self._watch = view, watch
        self._folder: Folder | None = None
        self._data: Bytes = b""
        self._error: Exception | None = None

    def read(self, item: Item) -> Bytes:
        if item.folder is not self._folder:
            self._folder, self._data, self._error = item.folder, b"", None
            try:
                self._data = memoryview(
                    _expanded(self._view, item.folder, self._watch)
                ).toreadonly()
            except (
                DecodeError,
                lzma.LZMAError,
                zlib.error,
                OSError,
                ValueError,
                EOFError,
            ) as error:
                self._error = error
        if isinstance(self._error, DecodeError):
            raise self._error
        if self._error is not None:
            raise DecodeError(f"7z: {self._error}")
        data = self._data[item.at : item.at + item.size]
        if item.checksum is not None and zlib.crc32(data) != item.checksum:
            raise PartialError("7z: a checksum is wrong", data)
        return data


def _members(view: memoryview, at: int, watch: Watch) -> Iterator[Member]:
    found = _header(view, at, watch)
    reading = _Open(view, watch)
    for i, item in enumerate(found.items):
        name = (
            inner_path(text_of(item.name.encode("utf-8", "replace")).replace("\\", "/"))
            or f"file{i}"
        )
        if item.is_folder:
            yield Member(name, "directory", nothing, 0, item.mode)
        elif item.mode >> 12 == 0o12 and (target := _target(reading, item)) is not None:
            yield Member(name, "link", nothing, 0, item.mode, target)
        else:
            yield Member(name, "file", partial(reading.read, item), item.size, item.mode)


def _target(reading: _Open, item: Item) -> str | None:
    try:
        return text_of(reading.read(item)) if item.size <= 4096 else None
    except DecodeError:
        return None  # then it is given out as a file, and what is wrong is said of it


def _probe(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Signature, version, checksum of the start header, then place, size and checksum of the header at the end."""
    del watch
    head = view[at : at + 32]
    (stated,) = struct.unpack_from("<I", head, 8)
    if len(head) < 32 or zlib.crc32(head[12:32]) != stated:
        return None
    place, size = struct.unpack_from("<QQ", head, 12)
    end = min(32 + place + size, len(view) - at)
    damage = "7z: the end is missing" if end < 32 + place + size else ""
    return Found(at, end, partial(_members, view[: at + end], at), "", 0, "7z", damage)


SEVENZIP = Form("7z", FILESYSTEM, ((r"7z\xbc\xaf\x27\x1c", 0),), _probe)
