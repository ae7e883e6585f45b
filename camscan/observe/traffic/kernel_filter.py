"""Which filter keeps local video out of a long capture, and everything an audit needs in it?

The text is what tcpdump, dumpcap and camscan's own capture understand (pcap-filter(7)). Dropped is traffic
between two addresses of the network itself, but not its name, address and time services, announcements, and
the opening and closing of connections; everything that leaves the network stays.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from camscan.errors import UsageError

_PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
_GROUPS = ("239.0.0.0/8", "ff00::/8")
"""Multicast of organisations: cameras stream to it. What announcements use is kept by its ports."""
_SERVICES = (53, 67, 68, 123, 137, 546, 547, 853, 1900, 3702, 5353, 5355)
"""DNS, DHCP, NTP, NBNS, DHCPv6, DNS over TLS, SSDP, WS-Discovery, mDNS, LLMNR."""
_ENDS = "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0"


def kernel_filter(scope: Sequence[str] = ()) -> str:
    """One line for `tcpdump -i IFACE '...'`; of untagged packets and of those with one VLAN tag."""
    try:
        ranges = [ipaddress.ip_network(text, strict=False) for text in (scope or _PRIVATE)]
    except ValueError as error:
        raise UsageError(f"--scope: {error}") from error
    local = sorted({str(network) for network in ranges})
    source = " or ".join(f"src net {network}" for network in local)
    target = " or ".join(f"dst net {network}" for network in (*local, *_GROUPS))
    services = " or ".join(f"port {port}" for port in _SERVICES)
    kept = f"not (({source}) and ({target})) or {services} or ({_ENDS})"
    # Behind `vlan` all offsets are those of a tagged packet, so the same words stand twice.
    untagged = "not ether proto 0x8100 and not ether proto 0x88a8"
    return f"({untagged} and ({kept})) or (vlan and ({kept}))"


def explained(scope: Sequence[str] = ()) -> str:
    """The filter with what it does to a report."""
    return (
        f"{kernel_filter(scope)}\n\n"
        "# Keeps: all traffic that leaves the network; DNS, DHCP, NTP, NBNS, mDNS, LLMNR, SSDP, WS-Discovery;\n"
        "# the opening and closing of local TCP connections. Drops: local video and other local payload.\n"
        "# Volumes of local flows are then not examined, and local services without a handshake are not seen.\n"
        "# Tunnelled mirrors (TZSP, ERSPAN, VXLAN) hide what is inside from this filter: capture them whole."
    )
