"""Which number is an IPv4 address in its usual form? Captures and tables hold thousands.

Python's `ipaddress` says the same, and takes ten times as long.
"""

from __future__ import annotations

_OCTETS = {str(value): value for value in range(256)}


def number(text: str) -> int:
    """-1 for everything but four decimal numbers without leading zeros, as `ipaddress` takes them."""
    parts = text.split(".")
    if len(parts) != 4:
        return -1
    whole = 0
    for part in parts:
        value = _OCTETS.get(part)
        if value is None:
            return -1
        whole = whole << 8 | value
    return whole
