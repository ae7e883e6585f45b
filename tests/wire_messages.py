"""Messages as clients and servers put them on the wire, built from the standards, for tests of captures."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from camscan.decode import quic
from camscan.observe.traffic.packet import Packet

CAMERA, SERVER, RESOLVER = "10.20.0.9", "203.0.113.7", "10.20.0.1"
CAMERA_MAC, ROUTER_MAC = "9c:8e:cd:11:22:33", "02:00:00:00:00:01"


def dns_name(name: str) -> bytes:
    return b"".join(bytes((len(p),)) + p.encode() for p in name.split(".") if p) + b"\x00"


def dns_query(name: str, *, txid: int = 7, qtype: int = 1) -> bytes:
    return (
        struct.pack(">HHHHHH", txid, 0x0100, 1, 0, 0, 0)
        + dns_name(name)
        + struct.pack(">HH", qtype, 1)
    )


def dns_answer(name: str, *records: tuple[str, str], txid: int = 7, flags: int = 0x8180) -> bytes:
    """Records (`CNAME`, name) and (`A`, address); each owned by the alias before it."""
    out = struct.pack(">HHHHHH", txid, flags, 1, len(records), 0, 0)
    out += dns_name(name) + struct.pack(">HH", 1, 1)
    owner = name
    for kind, value in records:
        data = dns_name(value) if kind == "CNAME" else bytes(map(int, value.split(".")))
        out += (
            dns_name(owner)
            + struct.pack(">HHIH", 5 if kind == "CNAME" else 1, 1, 60, len(data))
            + data
        )
        owner = value if kind == "CNAME" else owner
    return out  # fmt: skip


def extension(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value


def hello(name: str = "", *, alpn: Iterable[str] = (), ech: bool = False, pad: int = 0) -> bytes:
    """A ClientHello as a handshake message (RFC 8446 section 4.1.2)."""
    extensions = b""
    if name:
        entry = b"\x00" + struct.pack(">H", len(name)) + name.encode()
        extensions += extension(0, struct.pack(">H", len(entry)) + entry)
    if pad:
        # The large key share stands before the name in some clients: put it first.
        extensions = extension(51, bytes(pad)) + extensions
    if alpn:
        names = b"".join(bytes((len(a),)) + a.encode() for a in alpn)
        extensions += extension(16, struct.pack(">H", len(names)) + names)
    if ech:
        extensions += extension(0xFE0D, bytes(32))
    extensions += extension(43, b"\x04\x03\x04\x03\x03")
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack(">H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def records(handshake: bytes, size: int = 16_000) -> bytes:
    """Handshake bytes in TLS records of at most `size`."""
    parts = [handshake[n : n + size] for n in range(0, len(handshake), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(p)) + p for p in parts)


def varint(value: int) -> bytes:
    return struct.pack(">H", value | 0x4000)


def quic_initial(
    pieces: Iterable[tuple[int, bytes]],
    connection: bytes,
    *,
    number: int = 0,
    version: int = 1,
    named: bytes = b"",
    fixed: int = 0x40,
) -> bytes:
    """One protected Initial of a client with these CRYPTO frames, padded to 1200 bytes.

    `named`: the connection id it is sent to, where that is not the one its keys come from. `fixed`: the second bit.
    """
    prefix, salt, kind = next((p, s, k) for v, p, s, k in quic._SALTS if version in v)
    keys = quic.client_keys(connection, prefix, salt)
    plain = b"".join(b"\x06" + varint(o) + varint(len(d)) + d for o, d in pieces)
    head = bytes((0x83 | fixed | kind << 4,)) + struct.pack(">I", version)
    named = named or connection
    head += bytes((len(named),)) + named + b"\x00" + b"\x00"
    plain += bytes(max(0, 1200 - len(head) - 2 - 4 - 16 - len(plain)))
    packet_number = struct.pack(">I", number)
    head += varint(4 + len(plain) + 16)
    nonce = int.from_bytes(keys.iv, "big") ^ number
    sealed = AESGCM(keys.key).encrypt(nonce.to_bytes(12, "big"), plain, head + packet_number)
    cipher = Cipher(algorithms.AES(keys.mask), modes.ECB()).encryptor()
    mask = cipher.update(sealed[:16])
    first = bytes((head[0] ^ (mask[0] & 0x0F),))
    hidden = bytes(a ^ b for a, b in zip(packet_number, mask[1:5], strict=True))
    return first + head[1:] + hidden + sealed  # fmt: skip


def datagram(
    payload: bytes,
    *,
    at: float = 0.0,
    src: str = CAMERA,
    sport: int = 40000,
    dst: str = SERVER,
    dport: int = 443,
) -> Packet:
    outward = src.startswith("10.")
    macs = (CAMERA_MAC, ROUTER_MAC) if outward else (ROUTER_MAC, CAMERA_MAC)
    return Packet(at, src, dst, sport, dport, "udp", payload, 0, False, *macs, 0, len(payload))  # fmt: skip


def segments(
    data: bytes,
    *,
    size: int = 1460,
    at: float = 0.0,
    seq: int = 1000,
    src: str = CAMERA,
    sport: int = 40000,
    dst: str = SERVER,
    dport: int = 443,
) -> Iterator[Packet]:
    """A stream cut into TCP segments."""
    outward = src.startswith("10.")
    macs = (CAMERA_MAC, ROUTER_MAC) if outward else (ROUTER_MAC, CAMERA_MAC)
    for n in range(0, len(data), size):
        part = data[n : n + size]
        yield Packet(at, src, dst, sport, dport, "tcp", part, (seq + n) & 0xFFFFFFFF, False, *macs, 0, len(part))  # fmt: skip


def frame(p: Packet) -> bytes:
    """An Ethernet frame of a packet (IPv4, checksums zero)."""

    def raw(mac):
        return bytes.fromhex((mac or "ffffffffffff").replace(":", ""))

    if p.transport == "udp":
        inner, proto = struct.pack(">HHHH", p.sport, p.dport, 8 + len(p.payload), 0) + p.payload, 17
    else:
        flags = 0x02 if p.syn else 0x18
        inner = (
            struct.pack(">HHIIBBHHH", p.sport, p.dport, p.seq, 0, 0x50, flags, 65535, 0, 0)
            + p.payload
        )
        proto = 6
    ends = [bytes(map(int, a.split("."))) for a in (p.src, p.dst)]
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(inner), 0, 0, 64, proto, 0, *ends)
    return raw(p.dst_mac) + raw(p.src_mac) + b"\x08\x00" + head + inner  # fmt: skip


def write_pcap(path, packets: Iterable[Packet]) -> None:
    """A pcap file with microseconds, in the order given."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for p in packets:
            data = frame(p)
            at = (int(p.at), int(p.at % 1 * 1e6))
            file.write(struct.pack("<IIII", *at, len(data), len(data)) + data)


def back(packet: Packet, payload: bytes, later: float = 0.1) -> Packet:
    """An answer to a packet."""
    return packet._replace(
        at=packet.at + later, src=packet.dst, dst=packet.src, sport=packet.dport, dport=packet.sport,
        payload=payload, src_mac=packet.dst_mac, dst_mac=packet.src_mac, length=len(payload),
    )  # fmt: skip


def certificate(*names: str) -> bytes:
    """A self-signed certificate for these names, as DER."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, begin, begin + dt.timedelta(days=900)
    )
    alternative = x509.SubjectAlternativeName([x509.DNSName(n) for n in names])
    signed = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    from cryptography.hazmat.primitives.serialization import Encoding

    return signed.public_bytes(Encoding.DER)  # fmt: skip


def server_flight(der: bytes | None) -> bytes:
    """ServerHello, then Certificate (TLS 1.2) or an encrypted record (TLS 1.3)."""
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2f" + b"\x00"
    hello = b"\x02" + len(body).to_bytes(3, "big") + body
    if der is None:
        return records(hello) + b"\x17\x03\x03\x00\x10" + bytes(16)
    chain = len(der).to_bytes(3, "big") + der
    body = len(chain).to_bytes(3, "big") + chain
    return records(hello + b"\x0b" + len(body).to_bytes(3, "big") + body)
