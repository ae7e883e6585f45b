"""Which form of capture does an input have, by its first bytes?"""

from __future__ import annotations

from camscan.errors import InputError
from camscan.observe.traffic.framing import Framer
from camscan.observe.traffic.records import HEADER, MAGICS, PcapFramer

_MODIFIED = (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34")


def framer_of(header: bytes, name: str) -> Framer:
    """By the first bytes of an input; InputError where it is no capture."""
    if header[:4] in MAGICS and len(header) >= HEADER:
        return PcapFramer(header)
    if header[:4] == b"\x0a\x0d\x0d\x0a":
        from camscan.observe.traffic.blocks import PcapngFramer

        return PcapngFramer()
    if header[:4] in _MODIFIED:
        raise InputError(f"{name}: the 'modified' pcap of old kernels is not read; convert it")
    what = "empty" if not header else "no pcap or pcapng"
    raise InputError(f"{name}: {what} (first bytes {header[:8].hex() or 'none'})")
