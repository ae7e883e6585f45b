"""What is known of one name or address where it stands, before anybody says what it means?"""

from __future__ import annotations

import re

from msgspec import Struct

AROUND = 160
"""Bytes on either side that are looked at."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,12})://(?:[^\s/@\"'<>]{1,80}@)?$")
_PORT = re.compile(r":(\d{1,5})(?![\d.])")
_PORT_KEY = re.compile(
    r"""[^\n]{0,12}?\bport\w*["'\]]?\s{0,3}[:=>, ]\s{0,3}["']?(\d{2,5})\b""", re.IGNORECASE
)
_PATH = re.compile(r"(?::\d{1,5})?([/?][^\s\"'`<>\\);,]{0,160})")
_ESCAPED = (("\\/", "/"), ("%3A%2F%2F", "://"), ("%3a%2f%2f", "://"), ("&#x2F;", "/"))


class Found(Struct, frozen=True, kw_only=True):
    """A name or address and its surroundings."""

    host: str
    """Lower case; a pattern where `template` is set."""
    start: int
    length: int
    """In the bytes that were searched."""
    basis: str = "plain"
    left: str = ""
    """What stands before it in the same string, at most AROUND characters."""
    right: str = ""
    far_left: str = ""
    """The neighbouring bytes before it, whatever they are."""
    far_right: str = ""
    scheme: str = ""
    port: int | None = None
    path: str = ""
    template: bool = False
    address: bool = False
    split: bool = False
    """Parted from a neighbour it ran into."""

    @property
    def url(self) -> str:
        if not self.scheme:
            return ""
        port = f":{self.port}" if self.port and f":{self.port}" in self.right[:6] else ""
        return f"{self.scheme}://{self.host}{port}{self.path}"

    @property
    def labels(self) -> list[str]:
        return self.host.split(".")

    @property
    def ending(self) -> str:
        return self.host.rpartition(".")[2]


def surroundings(
    data: bytes | memoryview, start: int, end: int, step: int = 1
) -> tuple[str, str, str, str]:
    """(left, right, far left, far right) of the span; `step` 2 for text of two bytes a letter."""
    reach = AROUND * step
    first = start - min(start, reach) // step * step
    before = bytes(data[first:start:step]).decode("latin-1")
    after = bytes(data[end : end + reach : step]).decode("latin-1")
    left = _CONTROL.split(before)[-1]
    right = _CONTROL.split(after, maxsplit=1)[0]
    return left, right, before, after


def url_parts(left: str, right: str) -> tuple[str, int | None, str]:
    """(scheme, port, path) as they stand around a host."""
    for old, new in _ESCAPED:
        if old in left or old in right:
            left, right = left.replace(old, new), right.replace(old, new)
    match = _SCHEME.search(left[-100:])
    scheme = match[1].lower() if match else ""
    if not scheme and left.endswith("//") and left[-3:-2] in {'"', "'", "(", "="}:
        scheme = "https"
    number = _PORT.match(right) or _PORT_KEY.match(right)
    port = int(number[1]) if number else None
    if port is not None and not 0 < port < 65536:
        port = None
    path = _PATH.match(right) if scheme else None
    return scheme, port, path[1] if path else ""
