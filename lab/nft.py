"""How does each device get its own MAC address in the kernel? (facts: scanning 1)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def _elements(pairs: Mapping[str, str]) -> str:
    return ", ".join(f"{address} : {mac}" for address, mac in pairs.items())


def mac_table(
    on_scan: Mapping[str, str],
    on_wan: Mapping[str, str],
    *,
    on_link: Sequence[str],
    macs: Sequence[str],
) -> str:
    """Egress: the device's MAC instead of the veth's; ingress: every device MAC is ours.

    `on_scan`, `on_wan`: address -> MAC on either veth; `macs`: MACs of the veth ends (scan, wan)
    in the lab; `on_link`: networks whose addresses answer ARP.
    """
    tables = []
    for device, pairs, mac in (("vl0", on_scan, macs[0]), ("vu0", on_wan, macs[1])):
        guard = (
            f"arp operation request arp daddr ip != {{ {', '.join(on_link)} }} drop"
            if device == "vl0"
            else ""
        )
        tables.append(f"""
table netdev lab_{device} {{
  map macs {{ type ipv4_addr : ether_addr; elements = {{ {_elements(pairs)} }} }}
  chain out {{
    type filter hook egress device {device} priority 0;
    ether type arp arp saddr ether set arp saddr ip map @macs
    ether type arp ether saddr set arp saddr ip map @macs
    ether type ip ether saddr set ip saddr map @macs
  }}
  chain in {{
    type filter hook ingress device {device} priority 0;
    {guard}
    meta pkttype other ether daddr set {mac} meta pkttype set unicast
  }}
}}""")
    return "\n".join(tables)


def reject_table(rejects: Sequence[str]) -> str:
    """Live addresses behind a firewall that answers with ICMP administratively prohibited."""
    return f"""
table ip lab_reject {{
  chain input {{
    type filter hook input priority 0;
    ip daddr {{ {", ".join(rejects)} }} reject with icmp type admin-prohibited
  }}
}}"""


def all_ports_table(first_ports: Mapping[str, int]) -> str:
    """Addresses where every TCP port answers like one service."""
    rules = "\n".join(
        f"    ip daddr {address} tcp dport != {port} redirect to :{port}"
        for address, port in first_ports.items()
    )
    return f"""
table ip lab_all_ports {{
  chain prerouting {{
    type nat hook prerouting priority -100;
{rules}
  }}
}}"""


def isolation_table() -> str:
    """The scanner's veth and the wan veth never reach each other through the lab."""
    return """
table ip lab_isolation {
  chain forward {
    type filter hook forward priority 0;
    oifname { "vu0", "vl0" } drop
  }
}"""
