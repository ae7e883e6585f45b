"""Who stands behind the names in an image, and what is published about its components and its version?

Comparison of texts, never a test of a flaw. A version match says nothing of patches the builder of the image made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from camscan.attribute.advisories import match
from camscan.attribute.endpoints import NameTable
from camscan.attribute.parties import ancestry
from camscan.model.claim import Attribute, Claim, Confidence, Device, Level, State
from camscan.model.firmware import ExaminedImage, ImageComponent, ImageEndpoint
from camscan.model.imprint import Component, Flaw
from camscan.model.knowledge import Knowledge


def attribute_image(image: ExaminedImage, knowledge: Knowledge) -> ExaminedImage:
    """The image with operators, parents, ends of support and matching advisories. Pure."""
    names = NameTable(knowledge.endpoints)
    components = {c.id: c for c in knowledge.firmware.components}
    report = image.report
    return replace(
        image,
        report=replace(
            report,
            endpoints=tuple(_operated(e, names, knowledge) for e in report.endpoints),
            components=tuple(_dated(c, components) for c in report.components),
        ),
        advisories=tuple(_advisories(image, knowledge)),
    )


def _operated(endpoint: ImageEndpoint, names: NameTable, knowledge: Knowledge) -> ImageEndpoint:
    record = names.find(endpoint.host.lstrip("*."))
    if record is None:
        return endpoint
    found = ancestry(record.operator, knowledge.parties)
    return replace(
        endpoint, operator=record.operator, parent_country=found.seat if found is not None else None
    )


def _dated(component: ImageComponent, known: dict[str, Component]) -> ImageComponent:
    record = known.get(component.component)
    if record is None:
        return component
    flaws = [
        f for f in record.flaw if component.version is not None and affected(component.version, f)
    ]
    lines = [
        s
        for s in record.support
        if component.version is not None and in_line(component.version, s.line)
    ]
    ended = [max(lines, key=lambda s: len(s.line))] if lines else []
    exploited = sorted(f.known_exploited for f in flaws if f.known_exploited)
    return replace(
        component,
        support_ended=ended[0].ended if ended else "",
        advisories=tuple(f"{_cve(f)}{': ' + f.title if f.title else ''}" for f in flaws),
        known_exploited=exploited[0] if exploited else "",
        unverified=any(s.verification == "unverified" for s in ended)
        or any(f.verification == "unverified" for f in flaws),
    )


def affected(version: str, flaw: Flaw) -> bool:
    """Whether a version lies in the range a flaw names; letters count (`1.0.1e` is before `1.0.1g`)."""
    mine = _key(version)
    if not mine:
        return False
    if flaw.first and mine < _key(flaw.first):
        return False
    if flaw.below:
        # `2.8` alone may be any patch of its line: undecided, not matched.
        return mine < _key(flaw.below) and not _shorter(version, flaw.below)
    if flaw.last:
        return mine[: len(_key(flaw.last))] <= _key(flaw.last)
    return False


def in_line(version: str, line: str) -> bool:
    """Whether `1.0.1e` is of the line `1.0.1`: numbers alone, letters are releases of it."""
    mine, own = _numbers(version), _numbers(line)
    return mine[: len(own)] == own


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(number for number, _ in _key(version))


def _shorter(version: str, bound: str) -> bool:
    """Whether the version names a whole line in which the bound lies."""
    mine, other = _key(version), _key(bound)
    return len(mine) < len(other) and other[: len(mine)] == mine


def _key(version: str) -> tuple[tuple[int, str], ...]:
    """Numbers, and letters behind the number they follow: `1.0.1e` -> (1,""), (0,""), (1,"e")."""
    parts = re.findall(r"(\d{1,9})([a-z]{0,3})", version.lower().replace("-", "."))
    return tuple(
        (int(number), "" if letters in {"p", "rc"} else letters) for number, letters in parts
    )


def _cve(flaw: Flaw) -> str:
    return flaw.id.partition(".")[0]


def _advisories(image: ExaminedImage, knowledge: Knowledge) -> Iterable[tuple[str, str, str]]:
    """Published flaws of the maker's products, compared as for a device of this model and version."""
    identity = image.identity
    stated = (
        (Attribute.MAKER, identity.maker),
        (Attribute.PLATFORM, identity.platform),
        (Attribute.MODEL, identity.model),
        (Attribute.FIRMWARE, identity.version),
        (
            Attribute.BUILD_DATE,
            identity.build_date if identity.build_date_from == "stated by the image" else None,
        ),
    )
    claims = tuple(
        Claim(
            subject=image.subject,
            attribute=a,
            value=v,
            state=State.OBSERVED,
            level=Level.E2,
            confidence=Confidence.LOW,
        )
        for a, v in stated
        if v
    )
    device = Device(device_id=image.subject, claims=claims)
    return (
        (m.advisory, m.outcome, m.reason)
        for m in match(device, knowledge.advisories)
        if m.outcome in {"match", "product"}
    )
