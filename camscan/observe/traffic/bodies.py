"""What do the owner's servers say over TCP: heads of answers, greetings, and documents that describe a device?

Of a body only four documents are kept, the ones a scan asks for: an SDP, ONVIF's description of the device and its
clock, a UPnP description, ISAPI's DeviceInfo; and of a page its title (`pages`). Everything else of a stream is let go
unread (facts: report sections 4).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import NamedTuple

from camscan.decode import request_head
from camscan.errors import DecodeError
from camscan.model.observation import Kind
from camscan.observe.traffic.packet import Gate, Packet
from camscan.observe.traffic.pages import title_of
from camscan.observe.traffic.stream import Stream

MAX_PENDING = 256
MAX_ASKED = 4096
_LIMIT = 32_768
_HEAD = 8192
_WAIT_S = 60.0
_BEGINNINGS = (b"HTTP/1.", b"RTSP/1.")
_LENGTH = re.compile(
    rb"^content-length[ \t]{0,8}:[ \t]{0,8}(\d{1,6})[ \t]{0,8}\r?$", re.IGNORECASE | re.MULTILINE
)
_TYPE = re.compile(
    rb"^content-type[ \t]{0,8}:[ \t]{0,8}([a-z/+.-]{3,40})", re.IGNORECASE | re.MULTILINE
)
_CODED = re.compile(rb"^content-encoding[ \t]{0,8}:", re.IGNORECASE | re.MULTILINE)
_LOGIN = re.compile(
    rb"^(?:authorization|cookie|x-auth-token)[ \t]{0,8}:", re.IGNORECASE | re.MULTILINE
)
_DESCRIPTIONS = frozenset({b"text/xml", b"application/xml", b"application/soap+xml"})
_SDP = b"application/sdp"
_ONVIF = (
    b"GetDeviceInformationResponse",
    b"GetSystemDateAndTimeResponse",
    b"GetScopesResponse",
)
_ENDS = (b"</root>", b"</DeviceInfo>", b"Envelope>")
_GREETINGS = {21: (Kind.FTP, b"220"), 22: (Kind.SSH, b"SSH-")}
"""Port -> what the server says first (RFC 959 section 4.2, RFC 4253 section 4.2)."""

_DVRIP = 34567
_DVRIP_HEADS = (b"\xff\x00\x00\x00", b"\xff\x01\x00\x00")
_DVRIP_SAYS = frozenset({1001, 1021})
"""Answers to a login and to the question for the system (facts: discovery 4; OpenIPC/python-dvr)."""
_SESSION = re.compile(rb'("SessionID"\s{0,8}:\s{0,8}")[^"]{0,64}')

_DAHUA = 37777
_REALM = re.compile(rb"Realm:Login to [0-9A-Za-z]{6,40}")
"""Facts: discovery 3 and oem (text of the answer before a login)."""

GATES = (
    *(
        Gate(id=f"said:{kind.value}", transport="tcp", ports=(port,), pattern=head, shortest=8)
        for port, (kind, head) in _GREETINGS.items()
    ),
    *(
        Gate(id="said:dvrip", transport="tcp", ports=(port,), pattern=head, shortest=24)
        for port, heads in ((_DVRIP, _DVRIP_HEADS), (_DAHUA, (b"\xb0\x00\x00", b"Realm")))
        for head in heads
    ),
)

_Key = tuple[str, int, str, int]


class Said(NamedTuple):
    """One text of a server."""

    kind: Kind
    payload: bytes
    request: str | None
    flags: tuple[str, ...]


class Asked(NamedTuple):
    """The request that an answer will belong to."""

    text: str
    login: bool


class Bodies:
    """Feed packets of TCP in capture order."""

    def __init__(self) -> None:
        self.asked: OrderedDict[_Key, Asked] = OrderedDict()
        """By the direction of the answer; the last request of each."""
        self.pending: OrderedDict[_Key, Stream] = OrderedDict()
        """Answers that are not whole."""
        self.headed: set[_Key] = set()
        """Of those pending, whose head was told already: their title may follow."""

    @property
    def wanted(self) -> frozenset[_Key]:
        """(src, sport, dst, dport) of the directions of which more packets are wanted."""
        return frozenset(self.pending)

    def ask(self, packet: Packet) -> None:
        """Remember the request line that an answer will belong to."""
        if not packet.payload[:1].isalpha() or packet.payload.startswith(_BEGINNINGS):
            return
        try:
            head = request_head.parse(packet.payload)
        except DecodeError:
            return
        key = (packet.dst, packet.dport, packet.src, packet.sport)
        text = f"{head.method} {_path(head)}".strip()
        self.remember(key, Asked(text, _LOGIN.search(packet.payload[:_HEAD]) is not None))

    def remember(self, key: _Key, asked: Asked) -> None:
        """What was asked last, that the next answer of this direction belongs to."""
        self.asked[key] = asked
        self.asked.move_to_end(key)
        if len(self.asked) > MAX_ASKED:
            self.asked.popitem(last=False)

    def answer(self, packet: Packet) -> tuple[list[Said], bool]:
        """(what was said, whether more packets of this direction are wanted)."""
        key = (packet.src, packet.sport, packet.dst, packet.dport)
        stream = self.pending.get(key)
        if stream is not None and (packet.syn or packet.at - stream.first > _WAIT_S):
            self._let_go(key)
            stream = None
        if stream is None:
            if packet.sport in _PRIVATE:
                return _PRIVATE[packet.sport](packet.payload), False
            greeting = _GREETINGS.get(packet.sport)
            if greeting is not None and packet.payload.startswith(greeting[1]):
                return [
                    Said(greeting[0], packet.payload.partition(b"\n")[0] + b"\n", None, ())
                ], False
            if not packet.payload.startswith(_BEGINNINGS):
                return [], False
            stream = Stream(packet.seq, packet.at, _LIMIT)
        cut = 0 < len(packet.payload) < packet.length
        if packet.payload:
            stream.add(packet.seq, packet.payload, cut=cut)
        last = packet.fin or stream.over or stream.short
        said, more = self._read(key, bytes(stream.data), last=last)
        if not more:
            self._let_go(key)
            return said, False
        self.pending[key] = stream
        if len(self.pending) > MAX_PENDING:
            self._let_go(next(iter(self.pending)))
        return said, True

    def _let_go(self, key: _Key) -> None:
        self.pending.pop(key, None)
        self.headed.discard(key)

    def _read(self, key: _Key, data: bytes, *, last: bool) -> tuple[list[Said], bool]:
        head, separator, body = data.partition(b"\r\n\r\n")
        if not separator:
            return [], not last and len(data) < _HEAD
        asked = self.asked.get(key)
        request = asked.text if asked is not None else None
        kind = Kind.HTTP if data.startswith(b"HTTP") else Kind.RTSP
        # A path proves nothing without the answer to one that no device has, and that was not asked for here.
        whole = Said(kind, head + separator, None if kind is Kind.HTTP else request, ())
        end = _end_of(head, body)
        if end is None:
            return self._page(key, data, whole, last=last)
        if len(body) < end and not last:
            return [], True
        body = body[:end]
        described = _described(kind, head, body)
        if described is None:
            return [whole], False
        # A description that was given to somebody who logged in, or to nobody knows whom, proves no open door.
        free = described is Kind.RTSP and asked is not None and not asked.login
        return [Said(described, head + separator + body, request, () if free else ("auth",))], False

    def _page(self, key: _Key, data: bytes, whole: Said, *, last: bool) -> tuple[list[Said], bool]:
        """The head at once, and of a page the title when it has come."""
        said = [] if key in self.headed else [whole]
        asked = self.asked.get(key)
        if whole.kind is not Kind.HTTP or (asked is not None and asked.text.startswith("HEAD ")):
            return said, False
        title, more = title_of(data)
        if title:
            said.append(Said(Kind.TITLE, title, None, ("fragment",)))
        elif more and not last:
            self.headed.add(key)
            return said, True
        return said, False


def _dvrip(payload: bytes) -> list[Said]:
    """An answer of a Xiongmai device that says what it is, without the number of the session."""
    size, number = len(payload) - 20, int.from_bytes(payload[14:16], "little")
    if not payload.startswith(_DVRIP_HEADS) or number not in _DVRIP_SAYS:
        return []
    if int.from_bytes(payload[16:20], "little") != size or b'"Ret"' not in payload:
        return []
    return [Said(Kind.DVRIP, _SESSION.sub(rb"\1", payload), None, ())]


def _realm(payload: bytes) -> list[Said]:
    """The realm a Dahua device names before a login; the challenge beside it is left out."""
    found = _REALM.search(payload, 0, 512)
    return [Said(Kind.DVRIP, found[0] + b"\r\n", None, ())] if found is not None else []


_PRIVATE = {_DVRIP: _dvrip, _DAHUA: _realm}


def _end_of(head: bytes, body: bytes) -> int | None:
    """Bytes of the body to wait for; None where it is none of the documents that are kept."""
    found = _TYPE.search(head)
    kind = found[1].lower() if found is not None else b""
    if (kind != _SDP and kind not in _DESCRIPTIONS) or _CODED.search(head):
        return None
    length = _LENGTH.search(head)
    if length is not None:
        return int(length[1]) if int(length[1]) <= _LIMIT - _HEAD else None
    # No length: until a document has ended, or the stream does.
    return len(body) if body.rstrip(b"\r\n0 ").endswith(_ENDS) else _LIMIT


def _described(kind: Kind, head: bytes, body: bytes) -> Kind | None:
    if kind is Kind.RTSP:
        return Kind.RTSP if body.lstrip().startswith(b"v=") else None
    if head.split(b" ", 2)[1:2] != [b"200"]:
        return None
    if b"Envelope" in body and any(word in body for word in _ONVIF):
        return Kind.ONVIF
    if b"urn:schemas-upnp-org:device" in body and b"<root" in body:
        return Kind.UPNP_XML
    return Kind.ISAPI if b"<DeviceInfo" in body else None


def _path(head: request_head.RequestHead) -> str:
    """Never one in which a login may stand (`/user=admin_password=..`): of RTSP only the host is kept."""
    if head.protocol != "HTTP":
        return f"{head.protocol.lower()}://{head.host}/" if head.host else "*"
    plain = re.fullmatch(r"/[A-Za-z0-9/_.-]{0,120}", head.path)
    return head.path if plain is not None else "/"
