"""How is a populated city laid out in the three namespaces?"""

from __future__ import annotations

import os
from ipaddress import IPv4Network

from lab import nft, proof
from lab.cloud_map import TEST_NETS
from lab.netns import NamespaceError, Namespaces, ip_batch, nft_load, sysctl
from lab.population import SCANNER_MAC, City
from lab.unit import Unit

_LAB_MACS = ("02:00:00:5c:a0:02", "02:00:00:5c:a0:03")
_WAN_HOP = "192.0.2.1"
_WAN_MAC = "02:00:00:5c:a0:04"


def networks(city: City) -> list[str]:
    """The plan's networks: all segments."""
    return [segment.plan.cidr for segment in city.segments]


def wire(spaces: Namespaces, city: City) -> list[str]:
    """Links, addresses, routes, MAC rewriting, proof. Answers lines to tell; raises NamespaceError."""
    notes: list[str] = []
    hosts = {address: units[0] for address, units in city.by_address().items()}
    gateway_mac = hosts[city.segments[0].gateway].mac if city.segments[0].gateway in hosts else None
    _links(spaces, gateway_mac or _WAN_MAC)
    for descriptor in (spaces.scan, spaces.wan, spaces.lab):
        with spaces.inside(descriptor):
            _settings()
    _lab(city, hosts, gateway_mac or _WAN_MAC, notes)
    with spaces.inside(spaces.scan):
        _scan(city)
    with spaces.inside(spaces.wan):
        _wan(city, hosts)
    notes += _macs(city, hosts)
    notes += _prove(spaces, city)
    return notes


def _links(spaces: Namespaces, wan_mac: str) -> None:
    own = f"/proc/{os.getpid()}/fd"
    ip_batch(
        [
            "link set lo up",
            f"link add vl0 address {_LAB_MACS[0]} type veth peer name vs0 address {SCANNER_MAC} netns {own}/{spaces.scan}",
            f"link add vu0 address {_LAB_MACS[1]} type veth peer name vw0 address {wan_mac} netns {own}/{spaces.wan}",
        ]
    )


def _settings() -> None:
    for name in ("all", "default"):
        sysctl(f"ipv6.conf.{name}.disable_ipv6", "1")
        sysctl(f"ipv4.conf.{name}.rp_filter", "0")
        sysctl(f"ipv4.conf.{name}.accept_redirects", "0")
        sysctl(f"ipv4.conf.{name}.send_redirects", "0")
    # devices answer at the pace they are asked; the kernel's brake is for routers
    sysctl("ipv4.icmp_ratelimit", "0")


def _lab(city: City, hosts: dict[str, Unit], wan_mac: str, notes: list[str]) -> None:
    if not sysctl("ipv4.ip_forward", "1"):
        notes.append("ip_forward cannot be set: routed dead addresses send no ICMP unreachable")
    lines = ["link set vl0 up", "link set vu0 up"]
    lines += [
        f"route add {city.scanner}/32 dev vl0",
        f"neigh replace {city.scanner} lladdr {SCANNER_MAC} nud permanent dev vl0",
        f"neigh replace {_WAN_HOP} lladdr {wan_mac} nud permanent dev vu0",
    ]
    lines += [f"route add {net} via {_WAN_HOP} dev vu0 onlink" for net in TEST_NETS]
    lines += [f"rule add iif vl0 to {net} blackhole pref 10" for net in TEST_NETS]
    for segment in city.segments:
        network = segment.plan.network
        lines.append(f"route add blackhole {network}")
        if segment.plan.kind == "on-link":
            lines.append(f"route add broadcast {network.broadcast_address} dev vl0 table local")
    gateways = [s.gateway for s in city.segments if s.gateway in hosts]
    first = city.segments[0].gateway
    if first not in gateways and any(s.plan.kind == "routed" for s in city.segments):
        gateways.append(first)  # a router that is no device of the plan
    lines += [f"addr add {gateway}/32 dev lo" for gateway in gateways]
    lines += [f"route add local {address} dev lo" for address in hosts if address not in gateways]
    on_link = [s.plan.network for s in city.segments if s.plan.kind == "on-link"]
    routed = [s.plan.network for s in city.segments if s.plan.kind == "routed"]
    for address in city.rejects:
        if _in(address, on_link):
            lines.append(f"route add local {address} dev lo")
        elif _in(address, routed):
            lines.append(f"route add unreachable {address}/32")
    ip_batch(lines)


def _in(address: str, nets: list[IPv4Network]) -> bool:
    return any(IPv4Network(f"{address}/32").subnet_of(network) for network in nets)


def _scan(city: City) -> None:
    own = next(s for s in city.segments if s.scanner)
    prefix = own.plan.network.prefixlen
    lines = [
        "link set lo up",
        f"addr add {city.scanner}/{prefix} brd + dev vs0",
        "link set vs0 up",
    ]
    for segment in city.segments:
        if segment.plan.kind == "routed":
            lines.append(f"route add {segment.plan.cidr} via {own.gateway} dev vs0")
        elif segment.plan.kind == "on-link" and segment is not own:
            raise NamespaceError("a plan has one on-link segment; the others are routed")
    ip_batch(lines)


def _wan(city: City, hosts: dict[str, Unit]) -> None:
    lines = ["link set lo up", "link set vw0 up", f"route add blackhole {city.scanner}/32"]
    lines += [f"route add local {net} dev lo" for net in TEST_NETS]
    lines += [f"route add {s.plan.cidr} dev vw0" for s in city.segments]
    for address, unit in hosts.items():
        if unit.foreign:
            lines.append(f"route add {address}/32 dev vw0")
        lines.append(f"neigh replace {address} lladdr {unit.mac} nud permanent dev vw0")
    ip_batch(lines)


def _macs(city: City, hosts: dict[str, Unit]) -> list[str]:
    on_link = [s.plan.cidr for s in city.segments if s.plan.kind == "on-link"]
    kinds = {s.plan.id: s for s in city.segments}
    on_scan: dict[str, str] = {}
    for address, unit in hosts.items():
        segment = kinds[unit.segment]
        routed = segment.plan.kind != "on-link"
        router = hosts.get(city.segments[0].gateway)
        if routed:
            on_scan[address] = router.mac if router else _LAB_MACS[0]
        else:
            on_scan[address] = unit.mac
    for index, address in enumerate(city.rejects):
        on_scan[address] = f"00:1b:21:00:{index >> 8 & 255:02x}:{index & 255:02x}"
    on_wan = {address: unit.mac for address, unit in hosts.items()}
    reason = nft_load(nft.mac_table(on_scan, on_wan, on_link=on_link, macs=_LAB_MACS))
    notes = []
    if reason:
        notes.append(f"every device has the MAC address of the veth: {reason}")
    nets = [IPv4Network(text) for text in on_link]
    rejects = [address for address in city.rejects if _in(address, nets)]
    if rejects and not reason:
        refused = nft_load(nft.reject_table(rejects))
        if refused:
            notes.append(f"rejecting hosts answer with RST: {refused}")
    first = {
        address: unit.port(unit.persona.tcp[0].numbers[0])
        for address, unit in hosts.items()
        if unit.persona.quirks.all_ports and unit.persona.tcp
    }
    if first and (refused := nft_load(nft.all_ports_table(first))):
        notes.append(f"the middlebox answers on its listed ports only: {refused}")
    if not reason:
        nft_load(nft.isolation_table())
    return notes


def _prove(spaces: Namespaces, city: City) -> list[str]:
    plan = networks(city)
    reachable = [s.plan.cidr for s in city.segments if s.plan.kind != "unreachable"]
    foreign = [f"{unit.address}/32" for unit in city.units if unit.foreign]
    return proof.prove(
        spaces,
        {"lab": ("vl0", "vu0"), "scan": ("vs0",), "wan": ("vw0",)},
        {
            "lab": (f"{city.scanner}/32", *TEST_NETS),
            "scan": tuple(reachable),
            "wan": (*plan, *foreign),
        },
    )
