"""Which names does a server's certificate carry, where TLS 1.2 and below show it?"""

from __future__ import annotations

from camscan.decode import tls
from camscan.decode.host_name import host_name
from camscan.errors import DecodeError

MAX_NAMES = 128
"""Of one certificate; large providers put so many sites on one."""
_MAX_STREAM = 32_768


def certificate_names(stream: bytes) -> tuple[tuple[str, ...], bytes] | None:
    """(all names of the server's own certificate, its DER); None while more bytes are needed.

    Empty where the server shows none: TLS 1.3, a resumed session, an alert.
    """
    if _encrypted(stream):
        return (), b""
    try:
        flight = tls.parse_records(stream)
    except DecodeError:
        return None if len(stream) < _MAX_STREAM else ((), b"")
    if not flight.certificates:
        return None if len(stream) < _MAX_STREAM and not flight.alert else ((), b"")
    # Loaded where a certificate is seen: most captures hold none, and the library is large.
    from camscan.decode import certificate

    der = flight.certificates[0]
    try:
        parsed = certificate.parse_der(der)
    except DecodeError:
        return (), b""
    fields = parsed.fields()
    names = [*fields.get("san", ()), *fields.get("subject.cn", ())]
    found = dict.fromkeys(host_name(n.removeprefix("DNS:")) for n in names)
    return tuple(n for n in found if "." in n), der


def _encrypted(stream: bytes) -> bool:
    """Whether a record other than handshake follows: from there on nothing is in clear."""
    at = 0
    while at + 5 <= len(stream):
        if stream[at] != 22:
            return True
        at += 5 + int.from_bytes(stream[at + 3 : at + 5], "big")
    return False
