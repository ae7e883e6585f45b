"""How does a name from the wire become a safe text that can be compared?

Names in captures are hostile and sometimes junk: a camera was seen to send `*.example.com` as SNI
(facts: traffic 1). Junk is kept, and marked by `is_odd`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from camscan.decode.text import clean, decode_text

MAX_NAME = 253
"""Characters of a domain name in text form (RFC 1035 section 2.3.4)."""

_PLAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63})*")


def host_name(raw: bytes | str) -> str:
    """Lower case, no last dot, no control or bidi characters, at most 253 characters."""
    return _host_name(raw[: 4 * MAX_NAME])


@lru_cache(4096)
def _host_name(raw: bytes | str) -> str:
    """A capture holds few names, many times."""
    text = clean(decode_text(raw) if isinstance(raw, bytes) else raw).lower()
    if not text.isprintable():  # unassigned characters have no place in a name
        text = "".join(c for c in text if c.isprintable())
    return text.rstrip(".")[:MAX_NAME].strip()


def authority(raw: bytes | str) -> tuple[str, int | None]:
    """Host and port of `user:secret@host:port`; what stands before the `@` is dropped, never returned."""
    text = decode_text(raw[:2048]) if isinstance(raw, bytes) else raw[:2048]
    text = text.rpartition("@")[2].strip()
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else None
    return host_name(host), number if number is not None and 0 < number < 65536 else None


def is_address(name: str) -> bool:
    """Whether the text is an address literal and no name."""
    if ":" not in name and not name[-1:].isdigit():
        return False  # told without an exception: this is asked for every name
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_odd(name: str) -> bool:
    """Whether the text cannot be a host name that a client looked up: an asterisk, a space, one label."""
    if "." in name and _PLAIN.fullmatch(name):
        return False
    return not is_address(name)
