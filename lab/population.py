"""Which device stands at which address? The same plan and seed give the same city."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Address

from lab.persona import Persona
from lab.plan import Plan, PlanError, SegmentPlan
from lab.unit import Baits, Unit, make_mac, make_serial

SCANNER_MAC = "02:00:00:5c:a0:01"
_COMPOSITE_SIZE = 3


@dataclass(slots=True)
class Segment:
    """One network of the city."""

    plan: SegmentPlan
    gateway: str
    scanner: str | None
    """The scanner's own address, if it stands in this segment."""


@dataclass(slots=True)
class City:
    """Everything that stands somewhere."""

    plan: Plan
    segments: list[Segment] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)
    scanner: str = ""
    notes: list[str] = field(default_factory=list)

    def by_address(self) -> dict[str, list[Unit]]:
        """Reachable units by address."""
        table: dict[str, list[Unit]] = {}
        for unit in self.units:
            if unit.reachable:
                table.setdefault(unit.address, []).append(unit)
        return table


def _matching(table: Mapping[str, float], name: str, default: float) -> float:
    return next((value for key, value in table.items() if fnmatchcase(name, key)), default)


def _needs_two(persona: Persona) -> bool:
    shared = any(tcp.tls and tcp.tls.cert.shared for tcp in persona.tcp)
    return shared and persona.uuid is not None


def _draw(
    plan: Plan, personas: list[Persona], total: int, rng: random.Random, what: str, city: City
) -> list[Persona]:
    """`total` personas of one group: the required ones first, then by weight."""
    if not personas or total == 0:
        if total:
            city.notes.append(f"no persona is a {what}: none of {total} placed")
        return []
    drawn: list[Persona] = []
    for persona in personas:
        least = _matching(plan.counts, persona.id, 1 if plan.every else 0)
        drawn += [persona] * max(int(least), 2 if _needs_two(persona) and plan.every else 0)
    if len(drawn) > total:
        city.notes.append(f"{len(drawn)} {what}s instead of {total}: one of every persona")
    weights = [_matching(plan.weights, persona.id, 1.0) for persona in personas]
    if not plan.every:  # as many different ones as fit
        rest = [p for p, w in zip(personas, weights, strict=True) if w > 0 and p not in drawn]
        drawn += rng.sample(rest, max(0, min(total - len(drawn), len(rest))))
    if len(drawn) < total:
        drawn += rng.choices(personas, weights, k=total - len(drawn))
    return drawn


class _Builder:
    def __init__(self, city: City, rng: random.Random, port_offset: int) -> None:
        self.city = city
        self.rng = rng
        self.port_offset = port_offset
        self.macs: set[str] = {SCANNER_MAC}
        self.free: dict[str, list[str]] = {}

    def take(self, segment: Segment) -> str:
        free = self.free[segment.plan.id]
        if not free:
            raise PlanError(f"segment {segment.plan.id} ({segment.plan.cidr}) is full")
        return free.pop()

    def add(self, persona: Persona, segment: Segment, address: str, mac: str | None = None) -> Unit:
        number = len(self.city.units) + 1
        unit = Unit(
            number=number,
            persona=persona,
            address=address,
            mac=mac or make_mac(self.rng.choice(persona.macs), self.rng, self.macs),
            segment=segment.plan.id,
            gateway=segment.gateway,
            mask=str(segment.plan.network.netmask),
            port_offset=self.port_offset,
            serial=make_serial(persona.serial, self.rng),
            uuid=persona.uuid or str(uuid.UUID(int=self.rng.getrandbits(128), version=4)),
            reachable=segment.plan.kind != "unreachable",
        )
        self.city.units.append(unit)
        return unit


_FORWARDED_WEB = (8081, 81, 82)
_FORWARDED_RTSP = (10554, 8554, 554)
"""Where installers forward a second and third camera: ports of the list in facts: scanning 2."""


def _composites(builder: _Builder, cameras: list[Persona], segment: Segment, count: int) -> None:
    """Several cameras behind one address: ports moved as by a router's port forwarding."""
    web = [p for p in cameras if any(80 in tcp.numbers for tcp in p.tcp) and not p.quirks.all_ports]
    for _ in range(count):
        if len(web) < _COMPOSITE_SIZE:
            builder.city.notes.append("too few web cameras for an address with several cameras")
            return
        address, mac = builder.take(segment), None
        for index, persona in enumerate(builder.rng.sample(web, _COMPOSITE_SIZE)):
            unit = builder.add(persona, segment, address, mac)
            mac = unit.mac
            unit.port_map = {80: _FORWARDED_WEB[index], 554: _FORWARDED_RTSP[index]}
            moved = dict(unit.port_map)
            for tcp in persona.tcp:
                for number in tcp.numbers:
                    moved.setdefault(number, 30000 + 100 * index + len(moved))
            unit.port_map = moved


def _baits(city: City, rng: random.Random) -> None:
    reachable = [unit for unit in city.units if unit.reachable]
    cameras = [u for u in reachable if u.persona.truth.is_camera and u.persona.tcp]
    printers = [u for u in reachable if u.persona.truth.role == "printer"]
    for unit in reachable:
        victims = [u for u in cameras if u.address != unit.address]
        victim = rng.choice(victims) if victims else None
        printer = rng.choice(printers).address if printers else city.segments[0].gateway
        unit.baits = Baits(
            reboot=f"http://{victim.address}:{victim.port(80)}/cgi-bin/magicBox.cgi?action=reboot"
            if victim
            else "",
            printer=f"http://{printer}:9100/",
            camera=victim.address if victim else "",
        )


def _behind(city: City) -> None:
    """Which cameras are channels of which recorder."""
    recorders = [
        u
        for u in city.units
        if u.persona.truth.role == "recorder" and u.persona.truth.channels_announced
    ]
    cameras = [u for u in city.units if u.persona.truth.role == "camera" and u.reachable]
    for recorder in recorders:
        seen = city.plan.channels_seen
        wanted = (recorder.persona.truth.channels_seen or 0) if seen is None else seen
        same = recorder.persona.truth.maker
        ranked = sorted(cameras, key=lambda u: (u.persona.truth.maker != same, u.number))
        for camera in [u for u in ranked if u.behind is None][:wanted]:
            camera.behind = recorder.number


def _places(city: City) -> None:
    for segment in city.segments:
        places = segment.plan.place
        cameras = [
            u for u in city.units if u.segment == segment.plan.id and u.persona.truth.is_camera
        ]
        cameras.sort(key=lambda u: IPv4Address(u.address))
        whole = sum(place.share for place in places) or 1
        start = 0.0
        for place in places:
            stop = start + place.share / whole * len(cameras)
            for unit in cameras[round(start) : round(stop)]:
                unit.place = place.name
            start = stop


def _loopback(text: str) -> str:
    """The address of the loopback mode: 127.77.x.y."""
    return str(IPv4Address((127 << 24) | (77 << 16) | (int(IPv4Address(text)) & 0xFFFF)))


def populate(
    plan: Plan,
    personas: Mapping[str, Persona],
    *,
    seed: int | None = None,
    loopback: bool = False,
    port_offset: int = 0,
) -> City:
    """Place all devices of a plan. Raises PlanError if they do not fit."""
    rng = random.Random(plan.seed if seed is None else seed)
    city = City(plan)
    builder = _Builder(city, rng, port_offset)
    usable = [
        p for p in personas.values() if not any(fnmatchcase(p.id, out) for out in plan.exclude)
    ]
    if not usable:
        raise PlanError("no personas: lab/personas is empty")
    cameras = [p for p in usable if p.truth.is_camera]
    others = [p for p in usable if not p.truth.is_camera]
    routers = [p for p in others if p.truth.role == "router"]
    for index, part in enumerate(plan.segment):
        hosts = [str(host) for host in part.network.hosts()]
        on_link = part.kind == "on-link"
        segment = Segment(part, hosts[0], hosts[-1] if on_link and not city.scanner else None)
        city.scanner = city.scanner or segment.scanner or ""
        free = hosts[1:-1]
        rng.shuffle(free)
        builder.free[part.id] = free
        city.segments.append(segment)
        here = _draw(plan, cameras, part.cameras, rng, "camera", city) if index == 0 else None
        if here is None:
            weights = [_matching(plan.weights, p.id, 1.0) for p in cameras]
            here = rng.choices(cameras, weights, k=part.cameras) if cameras else []
            weights = [_matching(plan.weights, p.id, 1.0) for p in others]
            rest = rng.choices(others, weights, k=part.others) if others else []
        else:
            rest = _draw(plan, others, part.others, rng, "other device", city)
        composites = plan.composite if index == 0 else 0
        spare = max(0, len(here) - composites * _COMPOSITE_SIZE)
        if not plan.every or spare >= len(cameras):
            here = here[:spare]
        if on_link and routers and rest:
            chosen = next((p for p in rest if p.truth.role == "router"), routers[0])
            if chosen in rest:
                rest.remove(chosen)
            builder.add(chosen, segment, segment.gateway)
        for persona in (*here, *rest):
            builder.add(persona, segment, builder.take(segment))
        _composites(builder, cameras, segment, composites)
        city.rejects += [builder.take(segment) for _ in range(part.reject)]
    for pattern, address in plan.foreign.items():
        for persona in [p for p in usable if fnmatchcase(p.id, pattern)][:1]:
            builder.add(persona, city.segments[0], address).foreign = True
    if not city.scanner:
        raise PlanError(f"plan {plan.id} has no on-link segment for the scanner")
    if loopback:
        for unit in city.units:
            unit.address, unit.gateway = _loopback(unit.address), _loopback(unit.gateway)
        city.scanner = "127.0.0.1"
    _baits(city, rng)
    _behind(city)
    _places(city)
    return city
