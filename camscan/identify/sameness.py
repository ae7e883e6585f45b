"""Which answers differ only in what no signature looks at?

Of a million answers of one model most differ in a date, a nonce, a length, a cookie or the device's own
address alone. `of` leaves such values out, so that these answers are remembered as one. What may be
left out follows from the decoders and from the fields that signatures of the kind ask for: it changes
none of these fields (tests: decoding before and after gives the same). Where a message is odd in a way
that could make a value mean something else, it is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from camscan.model.observation import Kind

_MESSAGES = frozenset(
    {
        Kind.HTTP,
        Kind.ISAPI,
        Kind.ONVIF,
        Kind.UPNP_XML,
        Kind.TITLE,
        Kind.SERVER_HEADER,
        Kind.WWWAUTH,
        Kind.RTSP,
    }
)
_HEADER_FIELDS = frozenset({"header", "www-authenticate"})
"""Fields that hold whole values: where a signature asks for them, nothing of a head is left out."""
_MAX = 65_536
"""Bytes of an answer that is looked at; decoders cut longer ones, so their length may not change."""
_MAX_HEAD = 16_384
_END = re.compile(rb"\r?\n\r?\n|\r\r")
_LINES = re.compile(
    rb"(\n(?:(?:date|expires|last-modified|etag|content-length|age|cseq):|set-cookie:[^\r\n=]*=))"
    rb"[^\r\n]+",
    re.IGNORECASE,
)
"""Headers whose value reaches no field but `header`; of a cookie the name is a field."""
_LOGIN = re.compile(rb"\nwww-authenticate:[^\r\n]{1,2000}", re.IGNORECASE)
_NONCE = re.compile(rb'([ ,](?:nonce|opaque)=")[^"\\]*(?=")', re.IGNORECASE)

_NESTED = re.compile(rb"<[^<>]*<")
_LEAVES: tuple[tuple[Kind, str, tuple[str, ...]], ...] = (
    (Kind.WSD, "path", ("MessageID", "RelatesTo", "To", "MetadataVersion", "InstanceId")),
    (Kind.WSD, "endpoint", ("Address",)),
    (Kind.WSD, "xaddr", ("XAddrs",)),
    (Kind.SADP, "uuid", ("Uuid",)),
    (Kind.SADP, "device-sn", ("DeviceSN",)),
    (Kind.SADP, "mac", ("MAC",)),
    (Kind.SADP, "ipv4-address", ("IPv4Address",)),
    (Kind.SADP, "ipv4-gateway", ("IPv4Gateway",)),
    (Kind.SADP, "boot-time", ("BootTime",)),
    (Kind.SADP, "dsp-version", ("DSPVersion",)),
)
"""Kind, the field that a text reaches beside those of `_WHOLE`, and names of its elements."""
_WHOLE: dict[Kind, frozenset[str]] = {
    Kind.WSD: frozenset({"path", "xaddr-host"}),
    Kind.SADP: frozenset({"field", "path"}),
}
"""Fields that hold every text: where a signature asks for one, nothing is left out."""


class Sameness:
    """For the signatures of one Matcher."""

    def __init__(self, wanted: Callable[[Kind], frozenset[str]]) -> None:
        """`wanted`: the fields that signatures of a kind look at."""
        self._messages = frozenset(k for k in _MESSAGES if not wanted(k) & _HEADER_FIELDS)
        self._leaves: dict[Kind, re.Pattern[bytes]] = {}
        for kind, whole in _WHOLE.items():
            names = [
                name
                for k, field, elements in _LEAVES
                if k is kind and field not in wanted(kind)
                for name in elements
            ]
            if names and not wanted(kind) & whole:
                self._leaves[kind] = re.compile(
                    rb"(<(?:[A-Za-z_][\w.-]*:)?(?:%b)(?:\s[^<>]*)?>)[^<>&]+(?=</)"
                    % "|".join(names).encode()
                )

    def of(self, kind: Kind, response: bytes) -> bytes:
        """The answer without what nobody looks at."""
        if kind in self._messages:
            return _message(response)
        leaves = self._leaves.get(kind)
        if leaves is not None:
            return _document(response, leaves)
        return response


def _message(response: bytes) -> bytes:
    if len(response) > _MAX or not response.startswith((b"HTTP/", b"RTSP/")):
        return response
    end = _END.search(response, 0, _MAX_HEAD)
    if end is None:
        return response
    head = response[: end.start()]
    if b"\n " in head or b"\n\t" in head:  # folded headers are joined, and then cut
        return response
    head = _LINES.sub(_first, head)
    if b"once=" in head:
        head = _LOGIN.sub(_without_nonce, head)
    return head + response[end.start() :]


def _without_nonce(line: re.Match[bytes]) -> bytes:
    text = line[0]
    # Each value between two quotes, an even number of them before it: else it may be part of another.
    found = _NONCE.search(text)
    while found is not None:
        if text.count(b'"', 0, found.end(1)) % 2 == 0:
            return line[0]
        text = text[: found.end(1)] + text[found.end() :]
        found = _NONCE.search(text, found.end(1))
    return text


def _document(response: bytes, leaves: re.Pattern[bytes]) -> bytes:
    odd = len(response) > _MAX or b"<!" in response or b"\x00" in response
    if odd or not response.startswith(b"<") or _NESTED.search(response):
        return response
    return leaves.sub(_first, response)


def _first(match: re.Match[bytes]) -> bytes:
    return match[1]
