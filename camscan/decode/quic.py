"""What stands in a QUIC Initial packet of a client (RFC 9000, 9001, 9369; drafts 23 to 32)?

Initial packets are encrypted with keys that anyone on the path can derive from the connection id; they
hide nothing (RFC 9001 section 5.2). Only the CRYPTO frames are read: the TLS ClientHello.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from msgspec import Struct

from camscan.decode.client_hello import MAX_HELLO, ClientHello, of_handshake
from camscan.errors import DecodeError

_SALTS: tuple[tuple[range | tuple[int, ...], str, bytes, int], ...] = (
    ((0x00000001,), "quic ", bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), 0),
    ((0x6B3343CF,), "quicv2 ", bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), 1),
    (range(0xFF00001D, 0xFF000021), "quic ", bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"), 0),
    (range(0xFF000017, 0xFF00001D), "quic ", bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"), 0),
)  # fmt: skip
"""(versions, label prefix, salt, packet type of an Initial): RFC 9001 5.2, RFC 9369 3.3.1, drafts."""
_MAX_PACKETS = 4
"""Coalesced packets of one datagram that are looked at."""
_MAX_FRAMES = 512
_MAX_PIECES = 64
_TAG = 16


class Keys(Struct, frozen=True):
    """Keys of the client's direction."""

    key: bytes
    iv: bytes
    mask: bytes


class Piece(Struct, frozen=True):
    """A part of the handshake stream."""

    offset: int
    data: bytes


def is_initial(data: bytes) -> bool:
    """Whether a datagram begins with a long header of a version and type read here. Cheap."""
    # The second bit is not looked at: clients that were told so draw it (RFC 9287).
    return len(data) >= 64 and data[0] & 0x80 != 0 and _form(data) is not None


def _form(data: bytes) -> tuple[str, bytes] | None:
    version = int.from_bytes(data[1:5], "big")
    for versions, prefix, salt, kind in _SALTS:
        if version in versions:
            return (prefix, salt) if (data[0] >> 4) & 0x03 == kind else None
    return None


def client_keys(connection: bytes, prefix: str, salt: bytes) -> Keys:
    """Keys of a client's Initial packets for its first destination connection id."""
    initial = hmac.digest(salt, connection, "sha256")
    secret = _expand(initial, "client in", 32)
    return Keys(
        _expand(secret, f"{prefix}key", 16),
        _expand(secret, f"{prefix}iv", 12),
        _expand(secret, f"{prefix}hp", 16),
    )


def _expand(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1) for at most 32 bytes."""
    name = b"tls13 " + label.encode("ascii")
    info = length.to_bytes(2, "big") + bytes((len(name),)) + name + b"\x00"
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:length]


def client_pieces(data: bytes, first: bytes = b"") -> tuple[tuple[Piece, ...], bytes]:
    """(CRYPTO pieces of all Initial packets of a datagram, connection id that opened them).

    `first`: the id that opened an earlier datagram of the flow; a client may change to the server's id
    later, the keys stay (RFC 9001 section 5.2). Raises DecodeError where nothing can be opened.
    """
    found: list[Piece] = []
    used = b""
    at = 0
    for _ in range(_MAX_PACKETS):
        part = data[at:]
        if len(part) < 7 or part[0] & 0x80 == 0 or (form := _form(part)) is None:
            break
        connection, number_at, end = _header(part)
        for candidate in dict.fromkeys((connection, first)):
            if not candidate:
                continue
            plain = _open(part[:end], number_at, client_keys(candidate, *form))
            if plain is not None:
                found += _crypto(plain)
                used = candidate
                break
        at += end
    if not used:
        raise DecodeError("no QUIC Initial packet of a client could be opened")
    return tuple(found), used


def _header(data: bytes) -> tuple[bytes, int, int]:
    """(destination connection id, position of the packet number, end of the packet)."""
    at = 5
    size = data[at]
    connection = data[at + 1 : at + 1 + size]
    at += 1 + size
    if size > 20 or at >= len(data):
        raise DecodeError("QUIC connection id is too long or cut off")
    at += 1 + data[at]
    token, at = _number(data, at)
    at += token
    length, at = _number(data, at)
    if length < _TAG + 4 or at + length > len(data):
        raise DecodeError("QUIC packet is cut off")
    return connection, at, at + length


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000 section 16) and the position behind it."""
    if at >= len(data):
        raise DecodeError("QUIC integer is cut off")
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise DecodeError("QUIC integer is cut off")
    value = int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1)
    return value, at + size


def _open(packet: bytes, at: int, keys: Keys) -> bytes | None:
    """The payload, None if the keys do not fit (RFC 9001 sections 5.3 and 5.4)."""
    # Loaded late: most captures of cameras hold no QUIC (facts: traffic 3).
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sample = packet[at + 4 : at + 20]
    if len(sample) < 16:
        return None
    cipher = Cipher(algorithms.AES(keys.mask), modes.ECB()).encryptor()  # noqa: S305 - RFC 9001 5.4.3
    mask = cipher.update(sample)
    first = packet[0] ^ (mask[0] & 0x0F)
    size = (first & 0x03) + 1
    number = bytes(a ^ b for a, b in zip(packet[at : at + size], mask[1:], strict=False))
    head = bytes((first,)) + packet[1:at] + number
    nonce = int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")
    try:
        return AESGCM(keys.key).decrypt(nonce.to_bytes(12, "big"), packet[at + size :], head)
    except InvalidTag:
        return None


def _crypto(plain: bytes) -> Iterator[Piece]:
    """CRYPTO frames; the reading ends at a frame that may not stand in an Initial."""
    at = 0
    for _ in range(_MAX_FRAMES):
        while at < len(plain) and plain[at] == 0:  # padding
            at += 1
        if at >= len(plain):
            return
        kind = plain[at]
        at += 1
        try:
            if kind == 0x06:
                offset, at = _number(plain, at)
                size, at = _number(plain, at)
                if at + size > len(plain) or offset + size > MAX_HELLO + 4:
                    return
                yield Piece(offset, plain[at : at + size])
                at += size
            elif kind in {0x02, 0x03}:
                at = _behind_ack(plain, at, with_counts=kind == 0x03)
            elif kind != 0x01:  # ping
                return
        except DecodeError:
            return


def _behind_ack(plain: bytes, at: int, *, with_counts: bool) -> int:
    _, at = _number(plain, at)
    _, at = _number(plain, at)
    ranges, at = _number(plain, at)
    _, at = _number(plain, at)
    for _ in range(min(ranges, _MAX_FRAMES)):
        _, at = _number(plain, at)
        _, at = _number(plain, at)
    for _ in range(3 if with_counts else 0):
        _, at = _number(plain, at)
    return at


class HelloPieces(Struct, array_like=True):
    """Puts together a ClientHello that comes in several Initial packets, in any order. Bounded."""

    pieces: dict[int, bytes] = {}
    """Of the handshake, by their offset."""
    connection: bytes = b""

    def add(self, datagram: bytes) -> ClientHello | None:
        """The ClientHello once it is whole; DecodeError where it cannot become one."""
        found, self.connection = client_pieces(datagram, self.connection)
        for piece in found:
            if len(piece.data) > len(self.pieces.get(piece.offset, b"")):
                self.pieces[piece.offset] = piece.data
        if len(self.pieces) > _MAX_PIECES:
            raise DecodeError("ClientHello in too many pieces")
        return of_handshake(self._whole())

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(map(len, self.pieces.values()))

    def _whole(self) -> bytes:
        whole = bytearray()
        for offset in sorted(self.pieces):
            if offset > len(whole):
                break
            whole[offset:] = (
                self.pieces[offset]
                if len(self.pieces[offset]) + offset > len(whole)
                else whole[offset:]
            )
        return bytes(whole)
