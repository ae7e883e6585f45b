"""Which containers are recognised although nothing here reads them?

They are reported as not examined with their size, instead of as noise.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from camscan.observe.firmware.form import FILESYSTEM, Form, Found, Member
from camscan.observe.firmware.watch import EncryptedError, NoLibraryError, Watch


def _refuse(why: str, encrypted: bool, watch: Watch) -> Iterator[Member]:
    del watch
    if encrypted:
        raise EncryptedError(why)
    raise NoLibraryError(why)


def _rar(view: memoryview, at: int, watch: Watch) -> Found | None:
    """The archive header behind the signature, by its checksum (technote of RAR 4, rarlab.com technote 5)."""
    del watch
    if view[at + 6] == 0:
        stated, kind, _, size = struct.unpack_from("<HBHH", view, at + 7)
        body = view[at + 9 : at + 7 + size]
        right = kind == 0x73 and size >= 13 and zlib.crc32(body) & 0xFFFF == stated
    else:
        (wide,) = struct.unpack_from("<I", view, at + 8)
        size = view[at + 12]
        right = 3 <= size < 128 and zlib.crc32(view[at + 12 : at + 13 + size]) == wide
    if not right:
        return None
    return Found(
        at, len(view) - at, partial(_refuse, "RAR archives are not read", False), form="rar"
    )


def _luks(view: memoryview, at: int, watch: Watch) -> Found | None:
    """LUKS on-disk format 1 (cipher and hash by name) and 2 (name of the checksum algorithm)."""
    del watch
    version = struct.unpack_from(">H", view, at + 6)[0]
    named = view[at + 72 : at + 104]
    if bytes(named).rstrip(b"\0") not in {
        b"sha1",
        b"sha256",
        b"sha512",
        b"ripemd160",
        b"whirlpool",
    }:
        return None
    why = f"LUKS {version}: encrypted volume"
    return Found(at, len(view) - at, partial(_refuse, why, True), form="luks")


def _openssl(view: memoryview, at: int, watch: Watch) -> Found | None:
    """`openssl enc` writes this before its salt, always at the beginning of a file."""
    del watch
    if at:
        return None
    why = "encrypted with `openssl enc`"
    return Found(at, len(view), partial(_refuse, why, True), form="openssl-enc")


CLOSED = (
    Form("rar", FILESYSTEM, ((r"Rar!\x1a\x07[\x00\x01]", 0),), _rar),
    Form("luks", FILESYSTEM, ((r"LUKS\xba\xbe\x00[\x01\x02]", 0),), _luks),
    Form("openssl-enc", FILESYSTEM, ((r"Salted__", 0),), _openssl),
)
