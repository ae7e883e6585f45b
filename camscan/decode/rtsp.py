"""What does an RTSP answer say about the server (RFC 2326)?"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from camscan.decode import sdp
from camscan.decode.collect import Collector, Wanted
from camscan.decode.message import CHALLENGE_FIELDS, add_headers, split_message
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_STATUS = re.compile(
    r"^((?:RTSP|HTTP)/\S{1,8})(?:\s{1,16}(\d{3})(?!\d)\s{0,16}(.{0,512}))?$", re.IGNORECASE
)


_OWN = frozenset({"server", "public"})
"""Headers that are fields of their own."""
HEADERS: Mapping[str, tuple[str, ...]] = {
    "server": ("server",),
    "public": ("public",),
    "www-authenticate": CHALLENGE_FIELDS,
}
"""Headers whose values are looked at -> the fields beside `header` that hold a part of them."""


class RtspResponse(Struct, frozen=True):
    """An answer; `description` is the SDP of a DESCRIBE, None when the body is none."""

    version: str
    status: str
    reason: str
    headers: tuple[tuple[str, str], ...]
    method: str
    description: sdp.SessionDescription | None

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.RTSP]`."""
        out = Collector(wanted)
        out.add("version", self.version)
        out.add("status", self.status)
        out.add("reason", self.reason)
        add_headers(out, self.headers, _OWN)
        out.add("method", self.method)
        if self.description is not None:
            out.add("sdp.origin", self.description.origin)
            out.add("sdp.session", self.description.session)
            out.add("sdp.info", *self.description.info)
            out.add("sdp.tool", self.description.tool)
            out.add("sdp.media", *self.description.media)
            out.add("sdp.attribute", *self.description.attributes)
        return out.done()


def parse(data: bytes, request: str | None = None) -> RtspResponse:
    """Read an answer; raises DecodeError when it begins neither with `RTSP/` nor `HTTP/`.

    A web server on the port answers with HTTP; its version is then `HTTP/1.1`, not `1.0`.
    """
    message = split_message(data)
    status = _STATUS.match(message.start[:640])
    if status is None:
        raise DecodeError(f"not an RTSP answer: it begins {message.start[:40]!r}")
    version = status[1].upper()
    body = message.body.lstrip()
    return RtspResponse(
        version=version.removeprefix("RTSP/"),
        status=status[2] or "",
        reason=(status[3] or "").strip(),
        headers=message.headers,
        method=(request or "").split(" ", 1)[0].upper(),
        description=sdp.parse(body) if body.startswith((b"v=", b"o=", b"s=")) else None,
    )


def options_request(url: str, sequence: int = 1) -> bytes:
    """OPTIONS for a URL or `*`; asks for nothing but the list of methods."""
    return _request("OPTIONS", url, sequence)


def describe_request(url: str, sequence: int = 2) -> bytes:
    """DESCRIBE without a login: the answer is a description or a 401 with the realm."""
    return _request("DESCRIBE", url, sequence, "Accept: application/sdp")


def _request(method: str, url: str, sequence: int, *headers: str) -> bytes:
    if not url.isascii() or any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError(f"an RTSP URL has no spaces or controls, this one has: {url!r}")
    lines = (f"{method} {url} RTSP/1.0", f"CSeq: {sequence}", *headers, "User-Agent: camscan")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
