"""How is a camera service recognised on the wire?

Records of signatures/services/. Precision before recall: a message is known by its fixed bits and its
length, and a service only where a port of its own or a second message supports the first (facts:
traffic 4, caveat).
"""

from __future__ import annotations

from msgspec import Struct


class BytesAt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes at an offset; one of `any` where several are possible."""

    at: int
    hex: str = ""
    mask: str = ""
    """Hex, as long as `hex`; empty = all bits."""
    any: tuple[str, ...] = ()
    """Hex texts of equal length, instead of `hex`."""


class LengthAt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A length field that must agree with the datagram: field + add = payload bytes."""

    at: int
    size: int = 2
    order: str = "big"
    add: int = 0


class ServiceMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One kind of message; everything stated must hold."""

    name: str
    bytes: tuple[BytesAt, ...]
    """The rarest first: where the engine has its first look."""
    length: LengthAt | None = None
    shortest: int = 1
    longest: int = 65_535
    check: str = ""
    """Name of a further test in code, one of `camscan.decode.service_match`; empty for none."""
    enough: bool = False
    """So specific that one message is enough on any port (text with a word of its own)."""


class ServiceSample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Payloads of one flow in order, and what they must give (or, as near miss, must not)."""

    payload_hex: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()
    """Text form (latin-1), instead of hex."""
    port: int
    """Remote port."""
    announced: str = ""
    origin: str = "constructed"
    source: str = ""


class ServiceSignature(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A service of cameras and the messages it is known by."""

    id: str
    name: str
    about: str
    transport: str
    """udp | tcp"""
    purpose: str
    """What such traffic is: signalling | registration | relay | media | telemetry | time | local."""
    message: tuple[ServiceMessage, ...]
    sample: tuple[ServiceSample, ...]
    near_miss: tuple[ServiceSample, ...]
    source: str
    as_of: str
    ports: tuple[int, ...] = ()
    """Ports on which one message is enough (remote or own port)."""
    needs: int = 2
    """Messages in one flow that are enough on any other port; 0 = never."""
    announced: str = ""
    """Reader of the device id (camscan.decode.announced)."""
    not_proof_of: str = ""
    verification: str = "sourced"
