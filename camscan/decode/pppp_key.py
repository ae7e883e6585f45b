"""What does a PPPP datagram say under the fixed keys that sellers of cameras use?

The scheme hides nothing from anybody: one table of 256 bytes that every implementation shares, and a few keys that
every app of a seller holds; the key of the servers is the same for all (magicus/pppp-dissector:PPPP.md,
pppp_dissect.lua). No device has a key of its own.
"""

from __future__ import annotations

from functools import cache

KEYS: tuple[str, ...] = (
    "SSD@cs2-network.",
    "camera",
    "SHIX",
    "@@@@....",
    "VMSV",
    "FERRY@88",
    "mycamera",
    "vstarcam2018",
    "Deng123abc",
    "Duncom",
    "JX20130716",
    "hyWHzyhtzH",
    "JYDGAOZHANP2P",
    "SZGMBESTER",
)
"""The first is the one of the servers; the others are used between a device and an app."""
_TABLE = bytes.fromhex(
    "7c9ce84a13dedcb22f2123e4307b3d8cbc0b270c3cf79ae7087196009785efc1"
    "1fc4dba1c2ebd901faba3b05b81587832872d18b5ad6da9358feaacc6e1bf0a3"
    "88ab43c00db545384f502266207f075b14981d9ba72ab9a8cbf1fc4947063eb1"
    "0e043a945eee541134dd4df9ecc7c9e3781a6f706ba4bda95dd5f8e5bb26af42"
    "37d8e1020aae5f1cc573094e6924906d12b319ad748a2940f52dbea559e0f479"
    "d24bce8982488425c6912ba2fb8fe9a6b09e3f65f603312eac0f952c5ced39b7"
    "336c567eb4a0fd7a815351868d9f77ff6a80dfe2bf10d775645776f355cdd0c8"
    "18e6364162cf99f2324c67606192cad3ea637d16b68ed46835c3529d46441e17"
)
_MAGIC = 0xF1
_HEAD = 4
_LONGEST = 1500
LENGTHS = {
    0x00: (0,), 0x01: (16,), 0x10: (40,), 0x11: (4,), 0x12: (44,), 0x13: (8,), 0x14: (104,),
    0x15: (4,), 0x18: (20,), 0x19: (8,), 0x20: (36,), 0x21: (4,), 0x30: (0,), 0x40: (16,),
    0x41: (20, 24), 0x42: (20, 24), 0x67: (20,), 0x68: (0,), 0x70: (0,), 0x80: (40,), 0x82: (20,),
    0xE0: (0,), 0xE1: (0,), 0xF0: (0,),
}  # fmt: skip
"""Type -> lengths of its body (pmarrapese/iot:p2p/dissector/pppp.fdesc)."""


def seed(key: str) -> tuple[int, int, int, int]:
    """Four bytes of a key: sum, its negative, sum of thirds, exclusive or."""
    raw = key.encode("ascii")
    mixed = 0
    for byte in raw:
        mixed ^= byte
    return sum(raw) & 255, -sum(raw) & 255, sum(b // 3 for b in raw) & 255, mixed


def opened(data: bytes, key: str) -> bytes:
    """The datagram in clear. Each byte depends on the one before it as it was sent."""
    places, before = seed(key), 0
    out = bytearray()
    for byte in data:
        out.append(byte ^ _TABLE[places[before & 3] + before & 255])
        before = byte
    return bytes(out)


def closed(data: bytes, key: str) -> bytes:
    """The reverse of `opened`; for samples and for the heads in signatures."""
    places, before = seed(key), 0
    out = bytearray()
    for byte in data:
        before = byte ^ _TABLE[places[before & 3] + before & 255]
        out.append(before)
    return bytes(out)


def heads(key: str, *types: int) -> tuple[str, ...]:
    """The first four bytes of messages of these types under a key, as hex; for signatures."""
    return tuple(
        closed(bytes((_MAGIC, kind)) + size.to_bytes(2, "big"), key).hex()
        for kind in types
        for size in LENGTHS[kind]
    )


@cache
def _by_head() -> dict[bytes, str]:
    return {bytes.fromhex(head): key for key in reversed(KEYS) for head in heads(key, *LENGTHS)}


def plain(data: bytes) -> bytes:
    """The datagram in clear under the key that makes it a whole message; empty where none does."""
    key = _by_head().get(data[:_HEAD])
    if key is None or len(data) > _LONGEST:
        return b""
    found = opened(data, key)
    return found if int.from_bytes(found[2:4], "big") + _HEAD == len(data) else b""
