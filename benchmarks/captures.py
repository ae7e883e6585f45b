"""Captures for the benchmarks: small packets, mixed, video-heavy; made from packet forms and a seed.

Sessions of cameras: DNS question and answer, TLS handshakes with names, keep-alives of a P2P service, NTP,
interleaved RTSP video to a recorder. The same seed gives the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CLIENTS, CAMERAS, HOSTS = 400, 48, 3000
_BLOCK = 100_000
_RATE = 20_000.0
"""Packets per second of capture time."""

SHARES = {
    "small": {"dns": 0.05, "tls": 0.12, "p2p": 0.35, "ntp": 0.03, "ack": 0.2, "data": 0.25},
    "mixed": {"dns": 0.03, "tls": 0.08, "p2p": 0.15, "ntp": 0.02, "ack": 0.2, "data": 0.12, "video": 0.3, "bulk": 0.1},
    "video": {"dns": 0.005, "tls": 0.015, "p2p": 0.02, "ntp": 0.005, "ack": 0.1, "video": 0.85, "bulk": 0.005},
}  # fmt: skip
"""Kind -> share of packets. Small packets have about as many flows per packet (one in 30) as captures of
real households of IoT devices (facts: traffic, table 2)."""


def frame(proto: int, body: bytes) -> bytes:
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 0, 0x4000, 64, proto, 0, 0, 0)
    return bytes.fromhex("0211223344550266778899aa0800") + ip + body


def tcp(flags: int, payload: bytes = b"", options: bytes = b"\x01\x01\x08\x0a" + bytes(8)) -> bytes:
    head = struct.pack(">HHIIBBHHH", 0, 0, 0, 0, (20 + len(options)) // 4 << 4, flags, 512, 0, 0)
    return frame(6, head + options + payload)


def udp(payload: bytes) -> bytes:
    return frame(17, struct.pack(">HHHH", 0, 0, 8 + len(payload), 0) + payload)


_NAME = b"\x09c0000-api\x07example\x03net\x00"
_QUESTION = struct.pack(">6H", 0, 0x100, 1, 0, 0, 0) + _NAME + b"\x00\x01\x00\x01"
_ANSWER = (
    struct.pack(">6H", 0, 0x8180, 1, 1, 0, 0)
    + _NAME
    + b"\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"
    + bytes(4)
)


def client_hello() -> bytes:
    name = b"c0000-api.example.net"
    sni = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    others = struct.pack(">HHH", 0x002B, 3, 0x0203)[:5] + b"\x03"
    others = struct.pack(">HHBH", 0x002B, 3, 2, 0x0303) + struct.pack(">HHHHH", 10, 6, 4, 29, 23)
    others += struct.pack(">HHHH", 13, 4, 2, 0x0403)
    extensions = sni + others
    ciphers = struct.pack(">HHHHH", 8, 0x1301, 0x1302, 0xC02B, 0xC02F)
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + ciphers + b"\x01\x00"
    body += struct.pack(">H", len(extensions)) + extensions
    shake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(shake)) + shake


def _record(size: int) -> bytes:
    noise = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    return b"\x17\x03\x03" + struct.pack(">H", size) + noise


def server_hello() -> bytes:
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\xc0\x2f" + b"\x00" + b"\x00\x00"
    shake = b"\x02" + len(body).to_bytes(3, "big") + body
    hello = b"\x16\x03\x03" + struct.pack(">H", len(shake)) + shake
    # TLS 1.3: what follows in the same segment is encrypted.
    return hello + b"\x14\x03\x03\x00\x01\x01" + _record(64)


_RTP = (
    b"$\x00"
    + struct.pack(">H", 1384)
    + b"\x80\x60"
    + np.random.default_rng(3).integers(0, 256, 1382, np.uint8).tobytes()
)

UP, DOWN = 0, 1
_SESSIONS: dict[str, list[tuple[int, bytes]]] = {
    "dns": [(UP, udp(_QUESTION)), (DOWN, udp(_ANSWER))],
    "tls": [
        (UP, tcp(2, options=b"\x02\x04\x05\xb4")),
        (DOWN, tcp(0x12, options=b"\x02\x04\x05\xb4")),
        (UP, tcp(0x10)),
        (UP, tcp(0x18, client_hello())),
        (DOWN, tcp(0x18, server_hello())),
        *((i & 1, tcp(0x18, _record(24 + 6 * i))) for i in range(10)),
        (UP, tcp(0x11)),
        (DOWN, tcp(0x11)),
        (UP, tcp(0x10)),
    ],
    "p2p": [(UP, udp(b"\xf1\xe0\x00\x00")), (DOWN, udp(b"\xf1\xe1\x00\x00"))],
    "ntp": [(UP, udp(b"\x23" + bytes(47))), (DOWN, udp(b"\x24" + bytes(47)))],
    "ack": [(DOWN, tcp(0x10))],
    "data": [(UP, tcp(0x18, _record(48))), (DOWN, tcp(0x10)), (DOWN, tcp(0x18, _record(32)))],
    "video": [(UP, tcp(0x18, _RTP))],
    "bulk": [(DOWN, tcp(0x10, _record(1200))), (DOWN, tcp(0x10, _record(900))), (UP, tcp(0x10))],
}
_PORT = {
    "dns": 53,
    "tls": 443,
    "p2p": 32100,
    "ntp": 123,
    "ack": 554,
    "video": 554,
    "bulk": 443,
    "data": 8883,
}


def _block(rng: np.random.Generator, begin: float, shares: dict[str, float]) -> Iterator[bytes]:
    times: list[np.ndarray] = []
    records: list[bytes] = []
    span = _BLOCK / _RATE
    for kind, share in shares.items():
        session = _SESSIONS[kind]
        count = round(_BLOCK * share / len(session))
        if not count:
            continue
        client = rng.integers(0, CAMERAS if kind in ("video", "ack") else CLIENTS, count)
        # A camera talks to a dozen hosts of its makers' clouds, again and again.
        host = (client * 7 + rng.integers(0, 12, count)) % HOSTS
        fresh = kind in ("dns", "tls")
        port = rng.integers(32768, 60000, count) if fresh else 40000 + client
        start = begin + rng.random(count) * span * 0.9
        source = 0x0A000002 + client
        remote = {"dns": np.full(count, 0x0A000001), "video": np.full(count, 0x0A00FF01)}.get(
            kind, np.full(count, 0x0A00FF01) if kind == "ack" else 0x5DB80000 + host
        )
        if kind in ("video", "ack"):
            # The camera is the server: its port is 554, the recorder's is high.
            ports = (np.full(count, 554), 40000 + client)
        else:
            ports = (port, np.full(count, _PORT[kind]))
        for step, (way, form) in enumerate(session):
            rows = np.tile(np.frombuffer(bytes(16) + form, np.uint8), (count, 1))
            at = start + step * 0.003
            micro = np.round(at * 1e6).astype(np.int64)
            rows[:, 0:4] = _bytes(micro // 1_000_000, "<u4")
            rows[:, 4:8] = _bytes(micro % 1_000_000, "<u4")
            rows[:, 8:16] = np.frombuffer(struct.pack("<II", len(form), len(form)), np.uint8)
            ends = (source, remote) if way == UP else (remote, source)
            sides = ports if way == UP else ports[::-1]
            rows[:, 42:46], rows[:, 46:50] = _bytes(ends[0], ">u4"), _bytes(ends[1], ">u4")
            rows[:, 50:52], rows[:, 52:54] = _bytes(sides[0], ">u2"), _bytes(sides[1], ">u2")
            if form[23] == 6:
                rows[:, 54:58] = _bytes(rng.integers(0, 2**32, count), ">u4")
            if kind == "dns":
                rows[:, 58:60] = _bytes(rng.integers(0, 65536, count), ">u2")
            spot = form.find(b"c0000")
            if spot >= 0:
                digits = np.char.zfill(host.astype("U4"), 4).astype("S4")
                rows[:, 17 + spot : 21 + spot] = digits.view(np.uint8).reshape(-1, 4)
            if kind == "ntp":
                # Times of day: no two such packets are alike.
                rows[:, -24:] = rng.integers(0, 256, (count, 24), np.uint8)
            if kind == "dns" and way == DOWN:
                rows[:, -4:] = _bytes(0x5DB80000 + host, ">u4")
            size = rows.shape[1]
            raw = rows.tobytes()
            records += [raw[i : i + size] for i in range(0, len(raw), size)]
            times.append(micro)
    for i in np.argsort(np.concatenate(times), kind="stable").tolist():
        yield records[i]


def _bytes(values: np.ndarray, form: str) -> np.ndarray:
    return np.ascontiguousarray(values).astype(form).view(np.uint8).reshape(len(values), -1)


def make(kind: str, packets: int, path: Path, *, seed: int = 1) -> int:
    """Write a pcap of about `packets` packets; the true number."""
    rng = np.random.default_rng(seed)
    written = 0
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        block = 0
        while written < packets:
            records = list(_block(rng, 1_750_000_000 + block * _BLOCK / _RATE, SHARES[kind]))
            out.write(b"".join(records))
            written += len(records)
            block += 1
    return written
