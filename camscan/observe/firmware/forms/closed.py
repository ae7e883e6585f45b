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


def _seven_zip(view: memoryview, at: int, watch: Watch) -> Found | None:
    """Signature, version, checksum of the start header, then place and size of the end header (7zFormat.txt)."""
    del watch
    head = view[at : at + 32]
    (stated,) = struct.unpack_from("<I", head, 8)
    if zlib.crc32(head[12:32]) != stated:
        return None
    place, size = struct.unpack_from("<QQ", head, 12)
    end = min(32 + place + size, len(view) - at)
    return Found(at, end, partial(_refuse, "7z archives are not read", False), "", 0, "7z")


def _rar(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    return Found(
        at, len(view) - at, partial(_refuse, "RAR archives are not read", False), form="rar"
    )


def _luks(view: memoryview, at: int, watch: Watch) -> Found | None:
    """LUKS on-disk format 1 and 2: the magic, then a version in big-endian."""
    del watch
    if struct.unpack_from(">H", view, at + 6)[0] not in {1, 2}:
        return None
    return Found(at, len(view) - at, partial(_refuse, "LUKS: encrypted volume", True), form="luks")


def _openssl(view: memoryview, at: int, watch: Watch) -> Found | None:
    """`openssl enc` writes this before its salt, always at the beginning of a file."""
    del watch
    if at:
        return None
    why = "encrypted with `openssl enc`"
    return Found(at, len(view), partial(_refuse, why, True), form="openssl-enc")


CLOSED = (
    Form("7z", FILESYSTEM, ((r"7z\xbc\xaf\x27\x1c", 0),), _seven_zip),
    Form("rar", FILESYSTEM, ((r"Rar!\x1a\x07[\x00\x01]", 0),), _rar),
    Form("luks", FILESYSTEM, ((r"LUKS\xba\xbe\x00[\x01\x02]", 0),), _luks),
    Form("openssl-enc", FILESYSTEM, ((r"Salted__", 0),), _openssl),
)
