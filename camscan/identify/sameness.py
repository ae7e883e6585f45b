"""Which answers differ only in what no signature looks at?

Of a million answers of one model most differ in a date, a nonce, a length, a cookie, a clock, a serial
number or the device's own address alone. `of` leaves such values out, so that these answers are
remembered as one. What may be left out follows from the decoders and from the fields that signatures of
the kind ask for; `alike` says whether it does so for every answer of which the same is left. Where a
message is odd in a way that could make a value mean something else, the answer stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from msgspec import Struct

from camscan.decode import dhip, dvrip, http, json_text, rtsp, sadp, ssdp, tplink
from camscan.identify.clock import Clock
from camscan.identify.match import Matcher
from camscan.identify.pieces import Elements, HeaderLines, Members, Pieces, ScopeWords, SdpLines
from camscan.identify.told import Finds
from camscan.model.knowledge import Signature
from camscan.model.observation import Kind

_WEB = (
    Kind.HTTP,
    Kind.ISAPI,
    Kind.ONVIF,
    Kind.UPNP_XML,
    Kind.TITLE,
    Kind.SERVER_HEADER,
    Kind.WWWAUTH,
)
_MAX = 65_536
"""Bytes of an answer that is looked at; decoders cut longer ones, so their length may not change."""
_TWICE = b"\r\n\r\n"
_NESTED = re.compile(rb"<[^<>]*<")

_BEGINS = (b"HTTP/", b"RTSP/", b"NOTIFY ")
Key = Hashable
Of = Callable[[bytes], Key]
Alike = Callable[[bytes, Sequence[Signature]], bool]


class _Reader(Struct, frozen=True):
    of: Of
    alike: Alike


class Sameness:
    """For the signatures of one Matcher."""

    def __init__(self, matcher: Matcher) -> None:
        self._readers: dict[Kind, _Reader] = {}
        for kind in Kind:
            reader = _reader(kind, matcher)
            if reader is not None:
                self._readers[kind] = reader

    def of(self, kind: Kind, response: bytes) -> Key:
        """The answer without what nobody looks at; the bytes themselves where nothing is left out."""
        return self.reader(kind)(response)

    def reader(self, kind: Kind) -> Of:
        """`of` for answers of this kind."""
        reader = self._readers.get(kind)
        return _whole if reader is None else reader.of

    def alike(self, kind: Kind, response: bytes, holding: Sequence[Signature]) -> bool:
        """Whether all answers of which the same is left are the same to every signature.

        One answer tells it for all of them. Where it is False, `of` is of no use for these answers.
        `holding`: the signatures that hold for this one.
        """
        reader = self._readers.get(kind)
        whole = reader is None or reader.of(response) is response
        return whole or reader is None or reader.alike(response, holding)


def _whole(response: bytes) -> Key:
    return response


def _reader(kind: Kind, matcher: Matcher) -> _Reader | None:
    asked = matcher.asked(kind)
    finds = Finds(matcher, kind)
    members = partial(Members, asked=asked, told=finds.held)
    match kind:
        case Kind.DHDISCOVER if "field" not in asked:
            return _json(members({**dhip.MEMBERS, "mac": "mac", "method": "method"}), _of_dhip)
        case Kind.DVRIP if "field" not in asked:
            return _json(members({**dvrip.MEMBERS, "MAC": "mac"}), _of_dvrip)
        case Kind.KASA if "field" not in asked:
            return _json(members({**tplink.MEMBERS, "owner": "owner-set"}), _of_tplink)
        case Kind.SADP if not asked & {"field", "path"}:
            kept = {n for n, f in sadp.ELEMENTS.items() if f in asked}
            if "build-date" in asked:
                kept.add("softwareversion")
            return _xml(Elements(frozenset(n.encode() for n in kept)))
        case Kind.WSD if not asked & {"path", "xaddr", "xaddr-host", "endpoint"}:
            names = frozenset({b"action", b"types", b"scopes"})
            return _xml(Elements(names, ScopeWords(asked, finds.held)))
        case Kind.RTSP:
            lines = HeaderLines(rtsp.HEADERS, asked, finds.held, finds.one)
            return _message(lines, sdp=SdpLines(asked, finds.held))
        case Kind.SSDP:
            return _message(HeaderLines(ssdp.HEADERS, asked, finds.held, finds.one))
        case _ if kind in _WEB:
            clock = Clock(matcher, finds) if kind is Kind.ONVIF else None
            return _message(HeaderLines(http.HEADERS, asked, finds.held, finds.one), clock=clock)
    return None


def _message(
    header: HeaderLines, *, sdp: SdpLines | None = None, clock: Clock | None = None
) -> _Reader:
    lines = Pieces(header.short).__getitem__
    described = Pieces(sdp.short).__getitem__ if sdp is not None else None

    def of(response: bytes) -> Key:
        if not response.startswith(_BEGINS) or len(response) > _MAX:
            return response
        head, end, body = response.partition(_TWICE)
        if end:
            left = tuple(map(lines, head.split(b"\r\n")))
        else:
            head, end, body = _parts(response)
            left = tuple(map(lines, head.split(end[: len(end) // 2])))
        if not body:
            return left, end
        if described is not None:
            between = b"\r\n" if b"\r\n" in body else b"\n"
            return left, end, between, tuple(map(described, body.split(between)))
        return left, end, body if clock is None else clock.of(body)

    def alike(response: bytes, holding: Sequence[Signature]) -> bool:
        head, end, body = _parts(response)
        whole = head.split(end[: len(end) // 2])
        return (
            # Lone line breaks are line breaks too, and a folded line belongs to the one before it.
            not any(b"\n" in line or b"\r" in line or line[:1] in b" \t" for line in whole)
            and header.agree(whole)
            and (clock is None or clock.alike(head, body, holding))
        )

    return _Reader(of, alike)


def _parts(response: bytes) -> tuple[bytes, bytes, bytes]:
    """Head, what ends it (twice the line break, even where nothing follows) and body."""
    head, end, body = response.partition(_TWICE)
    if end or b"\r" in response:
        return head, _TWICE, body
    head, _, body = response.partition(b"\n\n")
    return head, b"\n\n", body


def _xml(elements: Elements) -> _Reader:
    pieces = Pieces(elements.short).__getitem__

    def of(response: bytes) -> Key:
        if len(response) > _MAX or not response.startswith(b"<"):
            return response
        return tuple(map(pieces, response.split(b"</")))

    def alike(response: bytes, _: Sequence[Signature]) -> bool:
        odd = b"<!" in response or b"\x00" in response
        return not odd and not _NESTED.search(response)

    return _Reader(of, alike)


def _json(members: Members, text_of: Callable[[bytes], tuple[bytes, bytes]]) -> _Reader:
    pieces = Pieces(members.short).__getitem__

    def of(response: bytes) -> Key:
        if len(response) > _MAX:
            return response
        kept, text = text_of(response)
        if text[:1] != b"{":
            return response
        between = b', "' if b'", "' in text else b',"'
        return kept, tuple(map(pieces, text.split(between)))

    def alike(response: bytes, _: Sequence[Signature]) -> bool:
        return json_text.well_formed(text_of(response)[1])

    return _Reader(of, alike)


def _of_dhip(response: bytes) -> tuple[bytes, bytes]:
    return b"", dhip.text_of(response)


def _of_dvrip(response: bytes) -> tuple[bytes, bytes]:
    if response[:1] == b"\xff":
        return response[14:16], response[dvrip.HEADER.size :]
    return b"", response


def _of_tplink(response: bytes) -> tuple[bytes, bytes]:
    return b"", tplink.text_of(response)
