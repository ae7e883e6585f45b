"""What does the kernel's neighbour table hold, how much fits, and has it overflowed?

Linux only; elsewhere the table is unknown and nothing is concluded from it. An overflow makes
live devices look dead (facts: scanning 2.5), so it is reported as loss, never as "no service".
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

_TABLE = Path("/proc/net/arp")
_LIMIT = Path("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
_STATISTICS = Path("/proc/net/stat/arp_cache")
_COMPLETE = 0x2
"""ATF_COM of <linux/if_arp.h>: the layer-2 address is known."""
_DEFAULT_LIMIT = 1024


class Entry(Struct, frozen=True):
    mac: str
    interface: str


def table(text: str | None = None) -> dict[str, Entry]:
    """Complete entries by IPv4 address."""
    if text is None:
        try:
            text = _TABLE.read_text("ascii")
        except OSError:
            return {}
    found = {}
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) < 6 or not int(columns[2], 16) & _COMPLETE:
            continue
        if columns[3] != "00:00:00:00:00:00":
            found[columns[0]] = Entry(columns[3].lower(), columns[5])
    return found


def limit() -> int:
    """Most entries the kernel keeps (gc_thresh3, shared by all network namespaces)."""
    try:
        return max(64, int(_LIMIT.read_text("ascii")))
    except (OSError, ValueError):
        return _DEFAULT_LIMIT


def overflows(text: str | None = None) -> int:
    """How often an entry did not fit since boot (`table_fulls`), summed over processors."""
    if text is None:
        try:
            text = _STATISTICS.read_text("ascii")
        except OSError:
            return 0
    lines = text.splitlines()
    if not lines or "table_fulls" not in lines[0].split():
        return 0
    column = lines[0].split().index("table_fulls")
    return sum(int(line.split()[column], 16) for line in lines[1:] if line.split())
