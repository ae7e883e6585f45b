"""What does a TLS server show in clear, where OpenSSL cannot finish the handshake with it?

ServerHello and Certificate travel in clear up to TLS 1.2, so no OpenSSL support is needed for
SSL 3.0 or odd suites (facts: scanning 3, TLS). The bytes are built and read by `decode.tls`.
"""

from __future__ import annotations

import os

from camscan.decode import tls
from camscan.errors import DecodeError
from camscan.model.observation import Kind
from camscan.observe.wire.answer import Answer


def client_hello() -> bytes:
    """A ClientHello for SSL 3.0 to TLS 1.2 with every suite `decode.tls` names."""
    return tls.client_hello(os.urandom(32))


def ending(data: bytearray) -> int | None:
    """The flight is read when its certificate or an alert is there."""
    if data[0] not in {0x15, 0x16}:
        return len(data)  # not TLS
    try:
        flight = tls.parse_records(bytes(data))
    except DecodeError:
        return None
    return len(data) if flight.certificates or flight.alert else None


def answers(data: bytes, port: int) -> tuple[Answer, ...]:
    """What a server flight shows: `version=... cipher=... fallback=hello`, certificate (DER)."""
    try:
        flight = tls.parse_records(data)
    except DecodeError:
        return ()
    pairs = (
        ("version", flight.version),
        ("cipher", flight.cipher),
        ("alert", flight.alert.replace(" ", "_")),
        ("fallback", "hello"),
    )
    text = " ".join(f"{name}={value}" for name, value in pairs if value)
    found = [
        Answer(
            kind=Kind.TLS,
            response=text.encode("ascii", "replace"),
            port=port,
            request="ClientHello",
            tls=True,
        )
    ]
    if flight.certificates:
        found.append(
            Answer(
                kind=Kind.HTTPS_CERT,
                response=flight.certificates[0],
                port=port,
                request="ClientHello",
                tls=True,
            )
        )
    return tuple(found)
