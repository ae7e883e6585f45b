# SPDX-License-Identifier: MIT
"""What do the first bytes of a sweep's packets look like, before they are patched per target?

Built once per sweep by scapy (never per packet: facts scanning 2.4). Imports scapy, therefore
under MIT and only inside the helper process.
"""

from __future__ import annotations

BROADCAST = "ff:ff:ff:ff:ff:ff"
# MSS 1460 alone: the smallest SYN that every stack answers like a real one.
_MSS = [("MSS", 1460)]


def arp_request(mac: str, source: str) -> bytes:
    """Ethernet + ARP who-has 0.0.0.0; the target is bytes 38..41."""
    from scapy.layers.l2 import ARP, Ether

    frame = Ether(dst=BROADCAST, src=mac) / ARP(
        op=1, hwsrc=mac, psrc=source, hwdst="00:00:00:00:00:00", pdst="0.0.0.0"
    )
    return bytes(frame)


def neighbour_solicitation(mac: str, source: str) -> bytes:
    """Ethernet + IPv6 + solicitation of `::` with our link address; checksum left 0."""
    from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.layers.l2 import Ether

    frame = (
        Ether(dst="33:33:ff:00:00:00", src=mac)
        / IPv6(src=source, dst="ff02::1:ff00:0", hlim=255)
        / ICMPv6ND_NS(tgt="::", cksum=0)
        / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    )
    return bytes(frame)


def syn(mac: str, source: str, port: int) -> bytes:
    """Ethernet + IPv4 + TCP SYN to 0.0.0.0:0, sequence 0; both checksums left 0."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether

    frame = (
        Ether(dst=BROADCAST, src=mac)
        / IP(src=source, dst="0.0.0.0", id=0, flags="DF", ttl=64, chksum=0)
        / TCP(sport=port, dport=0, seq=0, flags="S", window=64240, options=_MSS, chksum=0)
    )
    return bytes(frame)


def syn6(port: int) -> bytes:
    """TCP SYN alone; the kernel adds the IPv6 header and the checksum."""
    from scapy.layers.inet import TCP

    return bytes(TCP(sport=port, dport=0, seq=0, flags="S", window=64240, options=_MSS, chksum=0))


def load(*, version6: bool) -> None:
    """Import scapy now: before privileges are dropped and before any foreign byte is read.

    `version6`: the scope holds IPv6; that half takes as long to import as the rest.
    """
    import scapy.layers.inet
    import scapy.layers.l2

    if version6:
        import scapy.layers.inet6  # noqa: F401 - imported for the side effect of being loaded
