"""Writes a small database in MMDB form for tests (form: MaxMind DB File Format Specification 2.0). No test in here."""

from __future__ import annotations

import ipaddress

_MARK = b"\xab\xcd\xefMaxMind.com"


def _encode(value):
    if isinstance(value, dict):
        body = b"".join(_encode(k) + _encode(v) for k, v in value.items())
        return bytes([(7 << 5) | len(value)]) + body
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(_encode(v) for v in value)
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        data = value.encode()
        size = (
            bytes([(2 << 5) | len(data)])
            if len(data) < 29
            else bytes([(2 << 5) | 29, len(data) - 29])
        )
        return size + data
    return _number(value, 6)


def _number(value, kind):
    """5: 16 bits, 6: 32 bits, 9: 64 bits (an extended type)."""
    data = value.to_bytes(8, "big").lstrip(b"\0")
    return (bytes([len(data), kind - 7]) if kind > 7 else bytes([(kind << 5) | len(data)])) + data


def database(records, *, kind="Test-Country", version=6, built=1_767_225_600):
    """The bytes of a database: `records` maps prefixes to records. Built 2026-01-01 unless told."""
    bits = 128 if version == 6 else 32
    nodes = [[None, None]]
    for prefix, record in records.items():
        network = ipaddress.ip_network(prefix)
        number = int(network.network_address)
        length = network.prefixlen + (96 if version == 6 and network.version == 4 else 0)
        at = 0
        for step in range(length):
            bit = number >> (bits - 1 - step) & 1
            if step == length - 1:
                nodes[at][bit] = ("data", record)
            else:
                if nodes[at][bit] is None:
                    nodes.append([None, None])
                    nodes[at][bit] = ("node", len(nodes) - 1)
                at = nodes[at][bit][1]
    data, places = b"", {}
    tree = b""
    for pair in nodes:
        for side in pair:
            if side is None:
                pointer = len(nodes)
            elif side[0] == "node":
                pointer = side[1]
            else:
                encoded = _encode(side[1])
                if encoded not in places:
                    places[encoded] = len(data)
                    data += encoded
                pointer = len(nodes) + 16 + places[encoded]
            tree += pointer.to_bytes(3, "big")
    head = {
        "node_count": len(nodes), "record_size": _number(24, 5), "ip_version": _number(version, 5),
        "database_type": kind, "languages": [], "binary_format_major_version": _number(2, 5),
        "binary_format_minor_version": _number(0, 5), "build_epoch": _number(built, 9), "description": {},
    }  # fmt: skip
    return tree + b"\0" * 16 + data + _MARK + _encode(head)
