"""Which published flaws name the version a device states?

A comparison of texts, never a test of the flaw: the result is a match by version or product, capped at
E2 (facts: scoring 4). What cannot be compared is `undecided` or listed as such, never "no".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache

import re2
from msgspec import Struct

from camscan.decode.versions import build_date, version_tuple
from camscan.model.attribution import AdvisoryMatch
from camscan.model.claim import Attribute, Device
from camscan.model.knowledge import Advisory

MATCH, PRODUCT, NO_MATCH, UNDECIDED = "match", "product", "no_match", "undecided"


class _Facts(Struct, frozen=True):
    """What the device says of itself, as far as advisories ask."""

    model: str | None
    version: tuple[int, ...]
    text: str
    built: date | None


def match(device: Device, advisories: Iterable[Advisory]) -> tuple[AdvisoryMatch, ...]:
    """Every comparable advisory of the device's platform, with its outcome; order of ids."""
    facts = _facts(device)
    return tuple(
        _compare(advisory, facts)
        for advisory in _for(device, advisories)
        if advisory.comparable and not _is_software(advisory)
    )


def uncompared(device: Device, advisories: Iterable[Advisory]) -> tuple[str, ...]:
    """Ids of advisories of the platform whose products cannot be compared by software."""
    return tuple(
        advisory.id
        for advisory in _for(device, advisories)
        if not advisory.comparable and not _is_software(advisory)
    )


def _for(device: Device, advisories: Iterable[Advisory]) -> Sequence[Advisory]:
    platforms = {v for a in (Attribute.PLATFORM, Attribute.MAKER) if (v := device.value(a))}
    brand = (device.value(Attribute.BRAND) or "").lower()
    return [
        advisory
        for advisory in sorted(advisories, key=lambda a: a.id)
        if advisory.platform in platforms
        and (not advisory.brand or _plain(advisory.brand) == _plain(brand))
    ]


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _is_software(advisory: Advisory) -> bool:
    """Management software and apps are listed beside the cameras, but no camera is one of them."""
    return bool(advisory.product)


def _facts(device: Device) -> _Facts:
    text = device.value(Attribute.FIRMWARE) or ""
    stated = device.value(Attribute.BUILD_DATE)
    return _Facts(
        model=device.value(Attribute.MODEL),
        version=version_tuple(text) if text else (),
        text=text,
        built=_day(stated) if stated else build_date(text),
    )


def _compare(advisory: Advisory, facts: _Facts) -> AdvisoryMatch:
    ended = advisory.rule == "eol"

    def say(outcome: str, reason: str) -> AdvisoryMatch:
        return AdvisoryMatch(
            advisory=advisory.id,
            outcome=outcome,
            reason=reason,
            known_exploited=advisory.known_exploited,
            ended=ended and outcome == MATCH,
        )

    if advisory.models:
        if facts.model is None:
            return say(UNDECIDED, "model not known")
        if not any(_pattern(p).fullmatch(facts.model) for p in advisory.models):
            return say(NO_MATCH, f"model {facts.model} is not named")
    if advisory.all_versions:
        return say(MATCH, "every version of the named products")
    if advisory.rule in {"product_only", "eol"}:
        return say(PRODUCT, "product named, versions cannot be compared")
    lower, upper = _day(advisory.value_from), _day(advisory.value)
    if upper is not None:
        return say(*_by_build(advisory, facts, lower, upper))
    return say(*_by_version(advisory, facts))


def _by_build(
    advisory: Advisory, facts: _Facts, lower: date | None, upper: date
) -> tuple[str, str]:
    if facts.built is None:
        return UNDECIDED, "build date not known"
    built = facts.built
    if lower is not None and built < lower:
        return NO_MATCH, f"build {built} is before the first affected build {lower}"
    if advisory.rule == "build_before":
        inside, words = built < upper, f"before {upper}"
    else:
        inside, words = built <= upper, f"not after {upper}"
    return (MATCH if inside else NO_MATCH), f"build {built} is {'' if inside else 'not '}{words}"


def _by_version(advisory: Advisory, facts: _Facts) -> tuple[str, str]:
    if not facts.version:
        return UNDECIDED, "firmware version not known"
    upper, lower = version_tuple(advisory.value), version_tuple(advisory.value_from)
    if not upper:
        return UNDECIDED, f"value {advisory.value!r} of the advisory is no version"
    shown = ".".join(str(n) for n in facts.version)
    if lower and _cut(facts.version, len(lower)) < lower:
        return NO_MATCH, f"version {shown} is before {advisory.value_from}"
    if advisory.rule == "version_lt" or (advisory.rule == "range" and advisory.fixed):
        inside, words = _less(facts.version, upper), f"before {advisory.value}"
    else:
        # "up to 11.5" names a line: 11.5.64 belongs to it.
        inside = _cut(facts.version, len(upper)) <= upper
        words = f"within the line up to {advisory.value}"
    return (MATCH if inside else NO_MATCH), f"version {shown} is {'' if inside else 'not '}{words}"


def _cut(version: tuple[int, ...], length: int) -> tuple[int, ...]:
    return (version + (0,) * length)[:length]


def _less(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    width = max(len(left), len(right))
    return _cut(left, width) < _cut(right, width)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=512)
def _pattern(text: str) -> re2._Regexp:
    return re2.compile(f"(?i){text}")
