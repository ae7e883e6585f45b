"""What does an SSDP answer or NOTIFY say (UPnP 2.0 section 1; facts: discovery 1)?"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from camscan.decode import search_ports
from camscan.decode.collect import Collector, Wanted
from camscan.decode.http import url_host, url_path
from camscan.decode.message import split_message
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = search_ports.SSDP
GROUP = "239.255.255.250"
_STATUS = re.compile(r"^HTTP/\S{1,8}\s{1,8}(\d{3})", re.IGNORECASE)
_METHOD = re.compile(r"^([A-Z-]{2,16})\s{1,8}\*")
_PLAIN = ("server", "st", "nt", "nts", "usn")
HEADERS: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in _PLAIN},
    "usn": ("usn", "uuid"),
    "location": ("location", "location-host", "location-path"),
}
"""Headers whose values are looked at -> the fields beside `header` that hold a part of them."""


class SsdpMessage(Struct, frozen=True):
    """`method` is RESPONSE, NOTIFY or M-SEARCH."""

    method: str
    status: str
    headers: tuple[tuple[str, str], ...]

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.SSDP]`."""
        out = Collector(wanted)
        out.add("method", self.method)
        out.add("status", self.status)
        out.add("header-names", ",".join(name for name, _ in self.headers))
        for name, value in self.headers:
            lower = name.lower()
            out.add("header", f"{lower}: {value}")
            if lower in _PLAIN:
                out.add(lower, value)
            if lower == "usn":
                out.add_once("uuid", usn_uuid(value))
            elif lower == "location":
                out.add("location", value)
                if out.wants("location-host"):
                    out.add("location-host", url_host(value))
                if out.wants("location-path"):
                    out.add("location-path", url_path(value))
        return out.done()


def parse(data: bytes) -> SsdpMessage:
    """Read a message; raises DecodeError when it is neither a response nor a request for `*`."""
    message = split_message(data)
    status = _STATUS.match(message.start[:64])
    method = _METHOD.match(message.start[:64])
    if status is None and method is None:
        raise DecodeError(f"not an SSDP message: it begins {message.start[:40]!r}")
    return SsdpMessage(
        method=method[1] if method else "RESPONSE",
        status=status[1] if status else "",
        headers=message.headers,
    )


def usn_uuid(usn: str) -> str:
    """The part between `uuid:` and `::` of a unique service name, lower case."""
    _, marker, rest = usn.partition("uuid:")
    return rest.partition("::")[0].strip().lower() if marker else ""


def search_message(target: str = "ssdp:all", wait: int = 2) -> bytes:
    """M-SEARCH; `wait` seconds spread the answers (MX)."""
    if not target.isascii() or any(char.isspace() for char in target):
        raise ValueError(f"a search target has no spaces, this one has: {target!r}")
    return (
        "M-SEARCH * HTTP/1.1\r\n"
        f"HOST: {GROUP}:{PORT}\r\n"
        'MAN: "ssdp:discover"\r\n'
        f"MX: {wait}\r\n"
        f"ST: {target}\r\n\r\n"
    ).encode("ascii")
