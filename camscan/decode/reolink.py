"""What do Reolink search answers say, and how are they asked for (facts: discovery 7)?

Key words and checksum of BcUDP: the source that sheet names (neolink, dissector/udp.md).
"""

from __future__ import annotations

import re
import struct
import zlib

from camscan.decode import search_ports, xml
from camscan.decode.search_answer import SearchAnswer
from camscan.decode.text import decode_text
from camscan.errors import DecodeError

PORT = search_ports.REOLINK
ANSWER_PORT = search_ports.REOLINK_ANSWER
UDP_PORTS = search_ports.REOLINK_UDP
_MAGIC = bytes.fromhex("3acf872a")
_HEADER = struct.Struct("<4sIIII")
_KEY = (
    0x1F2D3C4B,
    0x5A6C7F8D,
    0x38172E4B,
    0x8271635A,
    0x863F1A2B,
    0xA5C6F7D8,
    0x8371E1B4,
    0x17F2D3A5,
)
_ADDRESS = re.compile(r"(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}")
_UID = re.compile(r"[0-9A-Z]{16}")
_TEXT = re.compile(rb"[\x20-\x7e\x80-\xff]{3,64}")


def parse(data: bytes) -> SearchAnswer:
    """Read a BcUDP frame or the answer to port 3000; raises DecodeError otherwise."""
    if data[:4] == _MAGIC:
        return _parse_udp(data)
    if data[:2] != b"\xaa\xaa":
        raise DecodeError(f"not a Reolink search answer: it begins {data[:4].hex()}")
    return _parse_binary(data)


def _parse_udp(data: bytes) -> SearchAnswer:
    if len(data) < _HEADER.size:
        raise DecodeError(f"BcUDP frame of {len(data)} bytes, its header has {_HEADER.size}")
    _, _, _, transmission, checksum = _HEADER.unpack_from(data)
    coded = data[_HEADER.size :]
    document = xml.parse(xor(coded, transmission))
    return SearchAnswer(
        protocol="reolink-bcudp",
        uid=document.first("uid") or "",
        items=(
            ("checksum", "right" if crc(coded) == checksum else "wrong"),
            *(("/".join(leaf.path), leaf.text) for leaf in document.leaves),
        ),
    )


def _parse_binary(data: bytes) -> SearchAnswer:
    """Name, address, port and UID stand in the answer; their offsets are not documented.

    So each is known by its form: the address by dots, the UID by 16 capitals and digits, and
    the first other text is the name.
    """
    texts = [decode_text(match[0]).strip() for match in _TEXT.finditer(data[4:4096])]
    address = next((text for text in texts if _ADDRESS.fullmatch(text)), "")
    uid = next((text for text in texts if _UID.fullmatch(text)), "")
    name = next((text for text in texts if text and text not in {address, uid}), "")
    if not (address or uid):
        raise DecodeError("Reolink search answer without an address or a UID")
    return SearchAnswer(
        protocol="reolink",
        name=name,
        ipv4=address,
        uid=uid,
        items=tuple(("text", text) for text in texts),
    )


def xor(data: bytes, transmission: int) -> bytes:
    """Code or decode a payload: eight 32-bit keys, each with the transmission id added."""
    key = b"".join(struct.pack("<I", (word + transmission) & 0xFFFFFFFF) for word in _KEY)
    return bytes(byte ^ key[index % len(key)] for index, byte in enumerate(data))


def crc(data: bytes) -> int:
    """CRC-32 that begins with zero and is not inverted at the end."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def search_message() -> bytes:
    """Aa aa 00 00 for UDP 2000."""
    return b"\xaa\xaa\x00\x00"


def udp_search_message(transmission: int, answer_port: int) -> bytes:
    """BcUDP search P2P/C2D_S for 2015 and 2018; holds no UID and opens no session."""
    body = f"<P2P><C2D_S><to><port>{answer_port}</port></to></C2D_S></P2P>".encode("ascii")
    coded = xor(body, transmission)
    return _HEADER.pack(_MAGIC, len(coded), 1, transmission & 0xFFFFFFFF, crc(coded)) + coded
