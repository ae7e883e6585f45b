"""What does a Tuya device say of itself in the datagram it broadcasts every few seconds?

Layout: TinyTuya README "Tuya Data Center / UDP discovery" and scripts/tuya-discovery.py of
ct-Open-Source/tuya-convert (read 2026-11-25). A frame of head 000055aa, sequence, command and length
(four bytes each), a return code, the content and a CRC with tail 0000aa55. On UDP 6666 the content is
JSON; on UDP 6667 it is enciphered with one key that every device and app on the market shares, so it
hides nothing and protects nobody: AES-ECB, or AES-GCM in frames of the newer head 00006699.
"""

from __future__ import annotations

import hashlib

from camscan.decode import search_ports
from camscan.decode.json_text import parse as parse_json
from camscan.decode.layout import need
from camscan.decode.search_answer import SearchAnswer
from camscan.errors import DecodeError

PORTS = search_ports.TUYA
HEADS = (b"\x00\x00\x55\xaa", b"\x00\x00\x66\x99")
_TAILS = (b"\x00\x00\xaa\x55", b"\x00\x00\x99\x66")
_SHARED_KEY = hashlib.md5(b"yGAdlopoPVldABfn", usedforsecurity=False).digest()
"""Published in every public library of this protocol; no secret of any device."""
_MOST = 2048


def parse(data: bytes) -> SearchAnswer:
    """Read a broadcast; raises DecodeError when frame, cipher or content are not those of the form."""
    need(data, 36, "Tuya broadcast")
    if data[:4] not in HEADS:
        raise DecodeError(f"Tuya frames begin 000055aa or 00006699, this one {data[:4].hex()}")
    if len(data) > _MOST:
        raise DecodeError(f"Tuya broadcasts have at most {_MOST} bytes, this one has {len(data)}")
    form, text = _old(data) if data[:4] == HEADS[0] else _new(data)
    start, end = text.find(b"{"), text.rfind(b"}")
    if start < 0 or end < start:
        raise DecodeError("the content of the Tuya broadcast is no JSON object")
    said = {leaf.name: leaf.text for leaf in parse_json(text[start : end + 1]).leaves}
    if not {"gwId", "productKey"} <= said.keys():
        raise DecodeError("gwId and productKey are not both in the content: no Tuya device")
    return SearchAnswer(
        protocol="tuya",
        ipv4=said.get("ip", ""),
        uid=said.get("gwId", ""),
        items=(
            ("form", form),
            *((name, said.get(name, "")) for name in ("productKey", "version", "active")),
        ),
    )


def _old(data: bytes) -> tuple[str, bytes]:
    length = int.from_bytes(data[12:16], "big")
    if data[-4:] != _TAILS[0] or len(data) != 16 + length:
        raise DecodeError("length and tail of the Tuya frame do not fit")
    content = data[20:-8]
    if content.lstrip()[:1] == b"{":
        return "plain", content
    if not content or len(content) % 16:
        raise DecodeError("enciphered content of a Tuya broadcast comes in blocks of 16 bytes")
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    decryptor = Cipher(algorithms.AES(_SHARED_KEY), modes.ECB()).decryptor()  # noqa: S305 - theirs
    return "enciphered", decryptor.update(content) + decryptor.finalize()


def _new(data: bytes) -> tuple[str, bytes]:
    length = int.from_bytes(data[14:18], "big")
    if data[-4:] != _TAILS[1] or len(data) != 22 + length or length < 28:
        raise DecodeError("length and tail of the Tuya frame do not fit")
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, content = data[18:30], data[30:-4]
    try:
        return "authenticated", AESGCM(_SHARED_KEY).decrypt(nonce, content, data[4:18])
    except InvalidTag as problem:
        raise DecodeError("the Tuya frame is enciphered with another key") from problem
