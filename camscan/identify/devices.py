"""Which devices do these observations describe, and what is claimed of each?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from camscan.identify import assets as asset_list
from camscan.identify.canary import ANY_PATH, doubt, hollow, page_for_interface
from camscan.identify.forwarded import with_mappings
from camscan.identify.join import Join, Joined, Unit, join, routers
from camscan.identify.match import Matcher, Reading
from camscan.identify.relations import Relations
from camscan.identify.resolve import doubted, resolve
from camscan.identify.services import derived, service_evidence
from camscan.identify.split import split
from camscan.identify.values import mac
from camscan.model.claim import (
    VIDEO_ROLES,
    Attribute,
    Claim,
    Device,
    Evidence,
    Level,
    Role,
    State,
)
from camscan.model.observation import Kind, Observation

if TYPE_CHECKING:
    from camscan.model.knowledge import Knowledge
    from camscan.model.site import Asset

_VIDEO = frozenset(r.value for r in VIDEO_ROLES)
_ROLES = frozenset(r.value for r in Role)


def identify(
    observations: Iterable[Observation],
    knowledge: Knowledge,
    *,
    assets: Sequence[Asset] = (),
    join: bool = True,
    matcher: Matcher | None = None,
) -> tuple[Device, ...]:
    """One Device per thing that answered, sorted by device_id; the order of observations is irrelevant.

    With `join` False every device_id is taken as it is: nothing is split and nothing joined.
    """
    return Identifier(knowledge, matcher).identify(observations, assets=assets, join_units=join)


class Identifier:
    """Compiled once, for many calls."""

    def __init__(self, knowledge: Knowledge, matcher: Matcher | None = None) -> None:
        self.matcher = matcher or Matcher(knowledge)
        self.relations = Relations(knowledge)

    def identify(
        self,
        observations: Iterable[Observation],
        *,
        assets: Sequence[Asset] = (),
        join_units: bool = True,
    ) -> tuple[Device, ...]:
        """See the function of the same name."""
        by_unit: dict[tuple[str, str], list[Observation]] = {}
        for observation in observations:
            if observation.kind is Kind.CAPTURE:
                continue  # a record about the capture, no device
            intake = _intake(observation) if join_units else ""
            by_unit.setdefault((intake, observation.device_id), []).append(observation)
        if not join_units:
            found = [self.device(name, group) for (_, name), group in sorted(by_unit.items())]
            return tuple(found)
        devices = with_mappings(
            self._joined(by_unit), (o for group in by_unit.values() for o in group)
        )
        return asset_list.match(devices, assets)

    def device(
        self,
        name: str,
        observations: Sequence[Observation],
        *,
        router_macs: frozenset[str] = frozenset(),
        joins: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        readings: Mapping[str, Reading] | None = None,
    ) -> Device:
        """One device from all its observations.

        `readings`: by observation id, where the caller has read them already.
        """
        ordered = _distinct(observations)
        if readings is None:
            readings = {o.id: self.matcher.read(o) for o in ordered}
        dropped = hollow(ordered, readings)
        evidence = list(self._evidence(ordered, readings, dropped, router_macs))
        why = doubt(ordered, readings, dropped, evidence)
        claims = resolve(name, evidence, self.relations, doubt=why)
        role, camera = role_of(claims)
        told = list(notes)
        if any(o.id in dropped and not o.canary for o in ordered):
            told.append(f"{ANY_PATH}: those answers are no evidence")
        elif page_for_interface(ordered, readings):
            told.append(ANY_PATH)
        if reason := doubted(claims) or why:
            told.append(reason)
        if any(e.local for c in claims for e in c.evidence):
            told.append("decided with the help of local signatures")
        addresses = {o.address for o in ordered if o.address}
        seen = _macs(ordered) - router_macs
        return Device(
            device_id=name,
            addresses=tuple(sorted(addresses)),
            macs=tuple(sorted(seen)),
            is_camera=camera,
            role=role,
            claims=claims,
            observations=tuple(o.id for o in ordered),
            joins=joins,
            notes=tuple(told),
        )

    def _evidence(
        self,
        observations: Sequence[Observation],
        readings: Mapping[str, Reading],
        dropped: frozenset[str],
        router_macs: frozenset[str],
    ) -> Iterator[Evidence]:
        for observation in observations:
            reading = readings[observation.id]
            routed = mac(observation.mac or "") in router_macs
            yield from (
                e
                for e in service_evidence(
                    observation, reading.fields, self.relations, routed=routed
                )
                if observation.id not in dropped or e.attribute is not Attribute.SERVICE_NO_LOGIN
            )
            if observation.id in dropped or observation.canary:
                continue
            for piece in reading.evidence:
                yield piece
                if (more := derived(piece)) is not None:
                    yield more

    def _joined(
        self, by_unit: Mapping[tuple[str, str], Sequence[Observation]]
    ) -> tuple[Device, ...]:
        router_macs = routers(
            (intake, mac(o.mac), o.address)
            for (intake, _), group in by_unit.items()
            for o in group
            if o.mac and o.address and mac(o.mac)
        )
        units: list[Unit] = []
        members: dict[tuple[str, str], tuple[Observation, ...]] = {}
        alone: dict[tuple[str, str], Device] = {}
        for (intake, name), group in sorted(by_unit.items()):
            ordered = _distinct(group)
            readings = {o.id: self.matcher.read(o) for o in ordered}
            for port, part in self._split(ordered, readings).items():
                label = name if port is None else f"{name}#{port}"
                members[intake, label] = part
                passed = router_macs if port is None else router_macs | _macs(part)
                device = self.device(label, part, router_macs=passed, readings=readings)
                alone[intake, label] = device
                units.append(_unit(intake, device, part))
        joined = join(units, router_macs)
        names = _names(joined)
        found = []
        for name, one in zip(names, joined.devices, strict=True):
            joins, notes = _reasons(one), _shared(one, joined)
            places = [(u.intake, u.name) for u in one.units]
            device = alone[places[0]]
            if len(places) > 1 or device.device_id != name:
                # Behind one address with several devices the MAC is that of whoever forwards.
                forwarders = {m for p in places if "#" in p[1] for m in _macs(members[p])}
                device = self.device(
                    name,
                    [o for p in places for o in members[p]],
                    router_macs=router_macs | forwarders,
                )
            found.append(replace(device, joins=joins, notes=(*notes, *device.notes)))
        return tuple(sorted(found, key=lambda d: d.device_id))

    def _split(
        self, ordered: Sequence[Observation], readings: Mapping[str, Reading]
    ) -> dict[int | None, tuple[Observation, ...]]:
        dropped = hollow(ordered, readings)
        evidence = {o.id: readings[o.id].evidence for o in ordered if o.id not in dropped}
        return split(ordered, evidence, self.relations)


def _unit(intake: str, device: Device, observations: Sequence[Observation]) -> Unit:
    times = sorted(o.at for o in observations if o.at)
    maker = device.value(Attribute.MAKER)
    serial = device.value(Attribute.SERIAL)
    return Unit(
        name=device.device_id,
        intake=intake,
        address=next(iter(device.addresses), None),
        seen_macs=frozenset(device.macs),
        serials=frozenset({f"{maker}/{serial}"} if maker and serial else ()),
        stated_macs=frozenset(device.values(Attribute.MAC)) - frozenset(device.macs),
        uuids=frozenset(device.values(Attribute.UUID)),
        certificate_keys=frozenset(device.values(Attribute.CERTIFICATE_KEY)),
        first=times[0] if times else None,
        last=times[-1] if times else None,
    )


def _macs(observations: Iterable[Observation]) -> frozenset[str]:
    return frozenset(mac(o.mac) for o in observations if o.mac) - {""}


def _intake(observation: Observation) -> str:
    before, colon, _ = observation.id.partition(":")
    return before if colon else ""


def _place(observation: Observation) -> tuple[str, int, str]:
    before, _, line = observation.id.rpartition(":")
    return (before, int(line), "") if line.isdecimal() and len(line) < 18 else (before, 0, line)


def _distinct(observations: Iterable[Observation]) -> list[Observation]:
    """In order of their ids; where imported records share an id, the later ones are `id (2)` ..."""
    ordered = sorted(observations, key=lambda o: (_place(o), o.kind, o.port or 0, o.response))
    seen: dict[str, int] = {}
    for n, observation in enumerate(ordered):
        times = seen[observation.id] = seen.get(observation.id, 0) + 1
        if times > 1:
            ordered[n] = replace(observation, id=f"{observation.id} ({times})")
    return ordered


def role_of(claims: Sequence[Claim]) -> tuple[Role | None, bool | None]:
    """The role, and whether it is networked video surveillance: null unless the evidence says."""
    claim = next((c for c in claims if c.attribute is Attribute.ROLE), None)
    if claim is None or claim.level < Level.E2:
        return None, None
    if claim.value is not None:
        known = Role(claim.value) if claim.value in _ROLES else None
        return known, None if known is None else claim.value in _VIDEO
    if claim.state is not State.CONFLICTING or not claim.values:
        return None, None
    # Camera or recorder may be open while surveillance is certain, and likewise the opposite.
    kinds = {value in _VIDEO for value in claim.values}
    if len(kinds) > 1:
        return None, None
    return (Role.VIDEO_DEVICE, True) if kinds == {True} else (None, False)


def _names(joined: Join) -> list[str]:
    """The newest name of each device; where two devices would share one, all but the newest say when."""
    names: list[str] = []
    taken: dict[str, str] = {}
    for one in joined.devices:
        newest = max(one.units, key=lambda u: (u.intake, ":" not in (u.address or u.name), u.name))
        names.append(newest.name)
        taken[newest.name] = max(taken.get(newest.name, ""), newest.intake)
    return [
        name
        if taken[name] == max(u.intake for u in one.units)
        else f"{name}@{max(u.intake for u in one.units)}"
        for name, one in zip(names, joined.devices, strict=True)
    ]


def _reasons(one: Joined) -> tuple[str, ...]:
    split_off = [
        f"{u.name}: several devices answer at one address, told apart by their ports"
        for u in one.units
        if "#" in u.name
    ]
    return (*one.reasons, *sorted(set(split_off)))


def _shared(one: Joined, joined: Join) -> tuple[str, ...]:
    found = [text for u in one.units for text in joined.shared_names.get(u.name, ())]
    return tuple(sorted(set(found)))
