"""Which groups of observations are one and the same device, and why?

DESIGN rule 4. A unit is what answered under one name in one intake. Hard keys (serial with maker, MAC
seen as layer-2 source) join units; soft keys (stated MAC, UUID, certificate key, address) join them
only where nothing hard speaks against it. Units that answered at two addresses in one intake were alive
at the same time: a key on both is shared (a factory certificate, a copied image) and joins nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct


class Unit(Struct, frozen=True, kw_only=True):
    """What answered under one name in one intake."""

    name: str
    """device_id, or `device_id#port`."""
    intake: str
    address: str | None = None
    seen_macs: frozenset[str] = frozenset()
    serials: frozenset[str] = frozenset()
    """`<maker>/<serial>`"""
    stated_macs: frozenset[str] = frozenset()
    uuids: frozenset[str] = frozenset()
    certificate_keys: frozenset[str] = frozenset()
    first: str | None = None
    """UTC, ISO 8601; None where the records carry no time."""
    last: str | None = None


class Joined(Struct, frozen=True, kw_only=True):
    """Units that are one device, newest name last, and the reasons."""

    units: tuple[Unit, ...]
    reasons: tuple[str, ...]


class Join(Struct, frozen=True, kw_only=True):
    """The devices, and what a reader must know about keys that joined nothing."""

    devices: tuple[Joined, ...]
    routers: frozenset[str]
    """MACs that source several addresses."""
    shared: tuple[str, ...]
    """Soft and hard keys on two live units, in words."""
    shared_names: Mapping[str, tuple[str, ...]]
    """Unit name -> the words about its shared keys."""


def routers(sightings: Iterable[tuple[str, str, str]]) -> frozenset[str]:
    """MACs that source two or more IPv4 addresses (or four IPv6 ones) within one intake.

    `sightings`: (intake, mac, address). A host has one IPv4 address and up to three of IPv6 (link-local,
    stable and temporary, RFC 8981).
    """
    seen: dict[tuple[str, str, bool], set[str]] = {}
    for intake, mac, address in sightings:
        seen.setdefault((intake, mac, ":" in address), set()).add(address)
    return frozenset(mac for (_, mac, six), found in seen.items() if len(found) > (3 if six else 1))


def join(units: Sequence[Unit], router_macs: frozenset[str] = frozenset()) -> Join:
    """Every unit in exactly one device. The order of `units` does not matter."""
    ordered = sorted(units, key=lambda u: (u.intake, u.name))
    holders = _holders(ordered, router_macs)
    shared = {key for key, names in holders.items() if _live_twice([ordered[n] for n in names])}
    clusters = _Clusters(ordered, router_macs, shared)
    for rank in _RANKS:
        for key in sorted(k for k in holders if k[0] in rank and k not in shared):
            places = holders[key]
            for place in places[1:]:
                clusters.join(places[0], place, key)
    words = sorted(_shared_words(key, [ordered[n].name for n in holders[key]]) for key in shared)
    by_name: dict[str, list[str]] = {}
    for key in sorted(shared):
        names = [ordered[n].name for n in holders[key]]
        for name in names:
            by_name.setdefault(name, []).append(_shared_words(key, names))
    return Join(
        devices=clusters.result(),
        routers=router_macs,
        shared=tuple(words),
        shared_names={name: tuple(dict.fromkeys(found)) for name, found in by_name.items()},
    )


_Key = tuple[str, str]
_RANKS: tuple[frozenset[str], ...] = (
    frozenset({"serial", "MAC seen"}),
    frozenset({"MAC stated", "UUID", "certificate key"}),
    frozenset({"address"}),
)
"""Hard first, then soft, then the address alone."""


def _keys(unit: Unit, router_macs: frozenset[str]) -> Iterator[_Key]:
    for serial in unit.serials:
        yield ("serial", serial)
    for mac in unit.seen_macs - router_macs:
        yield ("MAC seen", mac)
    for mac in (unit.stated_macs | unit.seen_macs) - router_macs:
        yield ("MAC stated", mac)
    for uuid in unit.uuids:
        yield ("UUID", uuid)
    for key in unit.certificate_keys:
        yield ("certificate key", key)
    yield ("address", unit.name)


def _holders(units: Sequence[Unit], router_macs: frozenset[str]) -> dict[_Key, list[int]]:
    found: dict[_Key, list[int]] = {}
    for place, unit in enumerate(units):
        for key in _keys(unit, router_macs):
            found.setdefault(key, []).append(place)
    return {key: places for key, places in found.items() if len(places) > 1}


def _both_alive(left: Unit, right: Unit) -> bool:
    """Two names of one intake, unless they are the IPv4 and the IPv6 address of one MAC."""
    if left.intake != right.intake or left.name == right.name:
        return False
    families = {":" in (u.address or u.name) for u in (left, right)}
    return not (len(families) == 2 and left.seen_macs & right.seen_macs)


def _live_twice(units: Sequence[Unit]) -> bool:
    return any(_both_alive(a, b) for n, a in enumerate(units) for b in units[n + 1 :])


def _shared_words(key: _Key, names: Sequence[str]) -> str:
    found = sorted(set(names))
    listed = ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
    value = key[1] if len(key[1]) <= 24 else f"{key[1][:24]}..."
    return f"{key[0]} {value} is shared by live devices ({listed}) and identifies none of them"


class _Clusters:
    """Units joined so far; refuses what something hard speaks against."""

    def __init__(
        self, units: Sequence[Unit], router_macs: frozenset[str], shared: set[_Key]
    ) -> None:
        self._units = units
        self._routers = router_macs
        self._shared = shared
        self._of = list(range(len(units)))
        self._members: dict[int, list[int]] = {n: [n] for n in range(len(units))}
        self._reasons: dict[int, list[str]] = {n: [] for n in range(len(units))}

    def join(self, one: int, other: int, key: _Key) -> None:
        a, b = self._of[one], self._of[other]
        if a == b:
            return
        left = [self._units[n] for n in self._members[a]]
        right = [self._units[n] for n in self._members[b]]
        if any(_both_alive(x, y) for x in left for y in right):
            return
        if key[0] not in _RANKS[0] and self._contradict(left, right):
            return
        keep, drop = min(a, b), max(a, b)
        for n in self._members[drop]:
            self._of[n] = keep
        self._members[keep] = sorted(self._members[keep] + self._members.pop(drop))
        self._reasons[keep] += self._reasons.pop(drop)
        self._reasons[keep].append(_reason(self._units[one], self._units[other], key))

    def _contradict(self, left: Sequence[Unit], right: Sequence[Unit]) -> bool:
        """Both have a hard key of one sort and none in common."""
        for sort in ("seen_macs", "serials"):
            one = self._hard(left, sort)
            two = self._hard(right, sort)
            if sort == "serials":
                makers = {s.partition("/")[0] for s in one} & {s.partition("/")[0] for s in two}
                one = {s for s in one if s.partition("/")[0] in makers}
                two = {s for s in two if s.partition("/")[0] in makers}
            if one and two and not one & two:
                return True
        return False

    def _hard(self, units: Sequence[Unit], sort: str) -> set[str]:
        name = "serial" if sort == "serials" else "MAC seen"
        found: set[str] = set().union(*(getattr(u, sort) for u in units)) - self._routers
        return {value for value in found if (name, value) not in self._shared}

    def result(self) -> tuple[Joined, ...]:
        devices = []
        for head in sorted(self._members):
            units = tuple(self._units[n] for n in self._members[head])
            devices.append(Joined(units=units, reasons=tuple(sorted(set(self._reasons[head])))))
        return tuple(devices)


def _reason(one: Unit, other: Unit, key: _Key) -> str:
    first, second = sorted((one, other), key=lambda u: (u.intake, u.name))
    places = f"{first.name} ({first.intake}) and {second.name} ({second.intake})"
    if key[0] == "address":
        then, now = first.last or "time not known", second.first or "time not known"
        return (
            f"same address {key[1]} in {first.intake} (last seen {then}) and {second.intake} "
            f"(first seen {now}): a soft key, nothing hard speaks against it"
        )
    sort = "hard" if key[0] in _RANKS[0] else "soft"
    return f"{places} have the same {key[0]} {key[1]} ({sort} key)"
