"""What is printed of a device when millions are named one after the other?

The same line as `identity(Identifier.device(...))`, byte for byte, made from what repeats. A fleet
consists of few different things that answers say and few combinations of them: what one answer says of
a device's identity is remembered by its bytes, what a combination resolves to by its members. Sound
because resolving looks at which signature said what and how strongly, never at which observation or
which excerpt it was (agree.py), and one signature says one value once per observation (resolve.py).
Where more than identity counts (canary answers, port lists, shared record ids) the long way is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from camscan.decode.recent import Recent
from camscan.errors import DecodeError
from camscan.identify.devices import Identifier, role_of
from camscan.identify.resolve import IDENTITY, resolve
from camscan.identify.sameness import Sameness
from camscan.identify.services import registrant_evidence
from camscan.model.claim import Device, Evidence
from camscan.model.identity import Identity, identity
from camscan.model.knowledge import Signature
from camscan.model.observation import Kind, Observation

_IDENTITY = frozenset(IDENTITY)
_LONG_WAY = frozenset({Kind.PORTS, Kind.NEIGHBOUR})
"""Kinds that say something by more than signatures."""
_ASKED = frozenset(
    {
        Kind.HTTP,
        Kind.ISAPI,
        Kind.ONVIF,
        Kind.UPNP_XML,
        Kind.TITLE,
        Kind.SERVER_HEADER,
        Kind.WWWAUTH,
        Kind.RTSP,
    }
)
"""Kinds whose decoder looks at the request."""
_PORTED = frozenset({Kind.VENDOR_DISC, Kind.GREETING})
"""Kinds whose decoder looks at the port."""
_ANSWER_ROOM = 48 << 20
_SAID_ROOM = 16 << 20
_GROUP_ROOM = 16 << 20
_MANY = 256
"""Different things a device may say for its combination to be remembered."""

_encode = msgspec.json.encode
_P = TypeVar("_P", int, str)


class _Said(Struct, frozen=True, gc=False):
    """What one answer says of identity: pieces without observation, version and excerpt."""

    number: int
    pieces: tuple[Evidence, ...]


_NOTHING = _Said(0, ())
_ALONE = _Said(-1, ())
"""Stands for the answers of which the same is left and that are not alike."""


class _Part(Struct, frozen=True, gc=False):
    """One evidence key of a resolved combination, as it is printed around the observation."""

    said: int
    signature: str
    level: str
    family: str
    head: bytes
    """`{"signature":...,"observation":`"""


class _Resolved(Struct, frozen=True, gc=False):
    head: bytes
    """From `"is_camera"` to the bracket of the evidence."""
    parts: tuple[_Part, ...]


class _Plan(Struct, frozen=True, gc=False):
    """The line of devices whose answers, in order, say the same."""

    form: bytes
    """With `%b` for the device id and for every id of an observation, all as JSON."""
    places: tuple[int, ...]
    """Which of the observations that said something each of them is."""


class Namer:
    """Names devices; keep one, it gets faster."""

    def __init__(self, identifier: Identifier) -> None:
        self._identifier = identifier
        self._matcher = identifier.matcher
        self._answers: Recent[tuple[object, ...], _Said] = Recent(_ANSWER_ROOM)
        self._said: Recent[tuple[object, ...], _Said] = Recent(_SAID_ROOM)
        self._macs: Recent[str, _Said] = Recent(_SAID_ROOM)
        self._groups: Recent[tuple[int, ...], _Resolved] = Recent(_GROUP_ROOM)
        self._plans: Recent[tuple[int, ...], _Plan] = Recent(_GROUP_ROOM)
        self._sameness = Sameness(self._matcher)
        self._ways = {k: (self._sameness.reader(k), k in _ASKED, k in _PORTED) for k in Kind}
        self._numbers = 1

    def line(self, name: str, observations: Sequence[Observation]) -> bytes:
        """One JSON object without line feed: the device's Identity."""
        said: list[_Said] = []
        ids: list[str] = []
        places: list[int] = []
        last, ascending = "", True
        for seen in observations:
            if seen.canary or seen.kind in _LONG_WAY:
                return self._the_long_way(name, observations)
            ident = seen.id
            if ident <= last:
                ascending = False
            last = ident
            one = self._answer(seen)
            if one.number:
                said.append(one)
                places.append(len(ids))
                ids.append(ident)
            if seen.mac:
                one = self._registrant(seen.mac)
                if one.number:
                    said.append(one)
                    if not ids or ids[-1] != ident:
                        ids.append(ident)
                    places.append(len(ids) - 1)
        if ascending:
            plan = self._planned(said, places)
            return plan.form % (_encode(name), *[_encode(ids[n]) for n in plan.places])
        if len({o.id for o in observations}) < len(observations):
            return self._the_long_way(name, observations)
        resolved = self._resolve({one.number: one for one in said})
        sources = [(one.number, ids[n]) for one, n in zip(said, places, strict=True)]
        evidence = _evidence(resolved.parts, sources)
        return b'{"device_id":%b,%b%b]}' % (
            _encode(name),
            resolved.head,
            b",".join([b"%b%b}" % (head, _encode(ident)) for head, ident in evidence]),
        )

    def identity(self, name: str, observations: Sequence[Observation]) -> Identity:
        """The same as a value."""
        return msgspec.json.decode(self.line(name, observations), type=Identity)

    def _the_long_way(self, name: str, observations: Sequence[Observation]) -> bytes:
        return _encode(identity(self._identifier.device(name, observations)))

    def _planned(self, said: list[_Said], places: list[int]) -> _Plan:
        """Of observations in the order of their ids, by their places in it."""
        numbers = [one.number for one in said]
        key = (*numbers, *places)
        known = self._plans.get(key)
        if known is None:
            resolved = self._resolve({one.number: one for one in said})
            evidence = _evidence(resolved.parts, list(zip(numbers, places, strict=True)))
            heads = b",".join([b"%b%%b}" % head.replace(b"%", b"%%") for head, _ in evidence])
            head = resolved.head.replace(b"%", b"%%")
            form = b'{"device_id":%%b,%b%b]}' % (head, heads)
            known = _Plan(form, tuple([n for _, n in evidence]))
            if len(key) <= _MANY:
                self._plans.put(key, known, 300 + len(form) + 16 * len(key))
        return known

    def _answer(self, seen: Observation) -> _Said:
        kind = seen.kind
        of, asked, ported = self._ways[kind]
        key = (
            kind,
            of(seen.response),
            seen.request if asked else None,
            seen.port if ported else None,
            "fragment" in seen.flags,
        )
        known = self._answers.get(key)
        if known is None:
            known, holding = self._read(seen)
            if not self._sameness.alike(kind, seen.response, holding):
                known = _ALONE
            self._answers.put(key, known, len(seen.response) + 200)
        if known is _ALONE:
            return self._alone(seen, (kind, seen.response, *key[2:]))
        return known

    def _alone(self, seen: Observation, key: tuple[object, ...]) -> _Said:
        """Of an answer that only its very bytes are like."""
        known = self._answers.get(key)
        if known is None:
            known, _ = self._read(seen)
            self._answers.put(key, known, len(seen.response) + 200)
        return known

    def _read(self, seen: Observation) -> tuple[_Said, Sequence[Signature]]:
        """What it says, and the signatures that hold."""
        try:
            fields = self._matcher.identity_fields(seen)
        except DecodeError:
            return _NOTHING, ()
        holding = self._matcher.holding(seen, fields)
        lines = self._matcher.lines.named(seen.kind, fields)
        if not holding and not lines:
            return _NOTHING, ()
        key: list[object] = [seen.kind, lines]
        weight = 200
        for signature in holding:
            key.append(signature.id)
            for extract in signature.extract:
                if extract.attribute in _IDENTITY:
                    values = self._matcher.values(extract, fields)
                    key.append(values)
                    weight += 100 + sum(map(len, values))
        whole = tuple(key)
        known = self._said.get(whole)
        if known is None:
            known = self._number(self._matcher.said(seen, fields))
            self._said.put(whole, known, weight + 600 * len(known.pieces))
        return known, holding

    def _registrant(self, mac: str) -> _Said:
        known = self._macs.get(mac)
        if known is None:
            known = self._number(registrant_evidence(mac, self._identifier.relations))
            self._macs.put(mac, known, 400 + 600 * len(known.pieces))
        return known

    def _number(self, pieces: Sequence[Evidence]) -> _Said:
        kept = {
            replace(p, observation="", version="", excerpt="")
            for p in pieces
            if p.attribute in _IDENTITY
        }
        if not kept:
            return _NOTHING
        self._numbers += 1
        return _Said(self._numbers, tuple(kept))

    def _resolve(self, said: dict[int, _Said]) -> _Resolved:
        key = tuple(sorted(said))
        known = self._groups.get(key)
        if known is not None:
            return known
        evidence = [
            replace(piece, observation=str(number))
            for number, one in said.items()
            for piece in one.pieces
        ]
        claims = resolve("", evidence, self._identifier.relations)
        role, camera = role_of(claims)
        device = Device(device_id="", claims=claims, is_camera=camera, role=role)
        printed = identity(device)
        head = _encode(replace(printed, evidence=()))
        parts = tuple(
            _Part(
                said=int(e.observation),
                signature=e.signature,
                level=e.level,
                family=e.family,
                head=_encode(e)[: -len(_encode(e.observation)) - 1],
            )
            for e in printed.evidence
        )
        # `{"device_id":"",` before and `]}` behind are the caller's.
        found = _Resolved(head[len(b'{"device_id":"",') : -2], parts)
        if len(key) <= _MANY:
            self._groups.put(key, found, 1000 + 400 * len(parts) + 40 * len(key))
        return found


def _evidence(parts: tuple[_Part, ...], sources: list[tuple[int, _P]]) -> list[tuple[bytes, _P]]:
    """The keys of all observations, in the order of model/identity.py, each once.

    `sources`: (number, observation by its id or place in the order of ids).
    """
    by_said: dict[int, list[_P]] = {}
    for number, observation in sources:
        by_said.setdefault(number, []).append(observation)
    found = [
        (part.signature, observation, part.level, part.family, part.head)
        for part in parts
        for observation in by_said[part.said]
    ]
    found.sort()
    return [(head, observation) for _, observation, _, _, head in found]
