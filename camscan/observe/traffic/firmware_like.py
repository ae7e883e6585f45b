"""Does the body of an HTTP answer look like firmware, and surely not like something that shows people?

By its first bytes, by the name it was asked for under, or as a large octet-stream (RFC 2046 section 4.5.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from camscan.observe.traffic.answer import Head

SMALLEST = 4096
"""Bytes: no firmware is shorter."""
LARGE = 65_536
"""Bytes from which on an octet-stream without a known name or beginning is taken."""
_ENOUGH = 512
"""Bytes that hold the beginnings of all forms."""
_STREAMS = frozenset(
    str.split(
        "application/octet-stream application/octetstream binary/octet-stream application/x-binary application/binary "
        "application/x-octet-stream application/macbinary application/x-firmware application/firmware application/force-download "
        "application/x-download application/download application/x-compressed application/x-compress"
    )
)
_ARCHIVES = frozenset(
    str.split(
        "application/zip application/x-zip-compressed application/gzip application/x-gzip application/x-tar application/x-xz "
        "application/x-bzip2 application/x-lzma application/x-7z-compressed application/zstd application/x-cpio application/x-rar-compressed"
    )
)
_NAME = re.compile(
    r"\.(?:bin|img|rom|fw|dav|pak|upd|ota|swu|trx|chk|ubi|ubifs|squashfs|sqfs|jffs2|cramfs|itb|uimage|dtb|frm|web|hex|tar|gz|tgz|xz|zip|7z|zst|lzma|bz2|cpio|pkg|ipk|dat|update|upgrade|firmware)$",
    re.IGNORECASE,
)
_BEGINNINGS = (
    b"\x27\x05\x19\x56",  # U-Boot legacy image
    b"\xd0\x0d\xfe\xed",  # flattened image tree
    b"hsqs", b"sqsh", b"shsq", b"qshs", b"UBI#", b"\x31\x18\x10\x06", b"\x45\x3d\xcd\x28", b"\x28\xcd\x3d\x45",
    b"\x85\x19\x01\xe0", b"\x85\x19\x02\xe0", b"\x85\x19\x03\x20", b"\x19\x85\xe0\x01", b"\x19\x85\xe0\x02", b"\x19\x85\x20\x03", b"-rom1fs-", b"\x3a\xff\x26\xed", b"070701", b"070702",
    b"PK\x03\x04", b"DH\x03\x04", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07",
    b"\x5d\x00\x00", b"\x04\x22\x4d\x18", b"\x7fELF", b"ANDROID!", b"\xe9\x9a\xf7\xb6", b"\x13\x59\x72\x32", b"www.object-camera.com",
)  # fmt: skip
"""Of containers, compressed streams and programs."""
_NEVER = re.compile(
    r"(?:text|image|audio|video|font|multipart|model)/|application/(?:json|javascript|xml|xhtml|pdf|wasm|ocsp|pkix|sdp|soap|dash|x-mpegurl|vnd\.|x-www-form|x-javascript|x-protobuf|grpc|font|x-font)"
)
"""Content types of pages, pictures, films and messages."""
_MEDIA = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"OggS", b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf1", b"FLV\x01",
    b"\x00\x00\x00\x01", b"\x00\x00\x01", b"\x47\x40", b"\x1aE\xdf\xa3", b"#!AMR", b"DHAV", b"IMKH", b"%PDF", b"wOF",
)  # fmt: skip
"""Pictures, sound and films, those of recorders included: they may show people."""


def may_be(head: Head) -> bool:
    """Whether the content type leaves room for firmware; what is only packed for the way is a page."""
    if head.kind in _STREAMS or head.kind in _ARCHIVES:
        return True
    return _NEVER.match(head.kind) is None and not head.coding


def looks(head: Head, path: str, body: Sequence[tuple[int, bytes]]) -> bool | None:
    """Whether it is taken for firmware; None while too little of the body came to tell.

    `path`: of the request, "" where it was not seen. `body`: (place, bytes) so far.
    """
    came = sum(len(data) for _, data in body)
    first = b"".join(data for at, data in body if at < _ENOUGH)[:_ENOUGH]
    size = head.total if head.total is not None else head.length
    if len(first) < min(_ENOUGH, size or _ENOUGH):
        return None
    if not head.begin and (first.startswith(_MEDIA) or first[4:8] == b"ftyp"):
        return False
    named = _NAME.search(path) is not None
    known = first.startswith(_BEGINNINGS) or first[257:262] == b"ustar"
    typed = head.kind in _STREAMS or head.kind in _ARCHIVES
    enough = max(came, size or 0)
    if enough >= SMALLEST and (known or (named and (typed or not head.kind))):
        return True
    if head.kind in _STREAMS and enough >= LARGE:
        return True
    return None if size is None and came < LARGE else False
