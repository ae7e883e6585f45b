"""How weak is a device technically: factor T, from versions, lists, clear text and open doors?

T is open upwards only where the version is unknown or a comparison could not be made; an unknown support
period does not raise it (facts: scoring 6). Version matches are capped at E2.
"""

from __future__ import annotations

from msgspec import Struct

from camscan.judge.exchanges import reached
from camscan.judge.subject import Subject, cap, claims_of, flag, strongest
from camscan.model.attribution import AdvisoryMatch
from camscan.model.claim import Attribute, Confidence, Level
from camscan.model.finding import Interval

MATCH, UNDECIDED = "match", "undecided"
_MEDIA_SERVICES = ("rtsp", "media", "snapshot", "stream")


class _Seen(Struct, frozen=True):
    level: int
    why: str
    evidence: Level
    confidence: Confidence


def weakness(subject: Subject) -> Interval:
    """Factor T of one device."""
    seen = _seen(subject)
    top = max(seen, key=lambda s: s.level, default=None)
    version = subject.device.claim(Attribute.FIRMWARE) or subject.device.claim(Attribute.BUILD_DATE)
    known = version_known(subject)
    lower = top.level if top is not None else 0
    if not known:
        return Interval(
            factor="T",
            lower=lower,
            upper=3,
            why_lower=top.why if top is not None else "version not known",
            why_upper="version not known: it may lie in the affected range of any published flaw",
            level=top.evidence if top is not None else Level.E0,
            confidence=top.confidence if top is not None else Confidence.LOW,
        )
    upper, above = lower, "version known and compared"
    open_ = undecided(subject)
    if open_:
        upper = max(lower, 3 if any(m.known_exploited for m in open_) else 2)
        above = f"{len(open_)} advisories could not be compared: {open_[0].reason}"
    quiet = version.level if version is not None else Level.E0
    return Interval(
        factor="T",
        lower=lower,
        upper=upper,
        why_lower=top.why if top is not None else "version in no affected range that was compared",
        why_upper=above,
        level=top.evidence if top is not None else quiet,
        confidence=top.confidence
        if top is not None
        else (version.confidence if version is not None else Confidence.LOW),
    )


def version_known(subject: Subject) -> bool:
    device = subject.device
    return bool(device.value(Attribute.FIRMWARE) or device.value(Attribute.BUILD_DATE))


def matched(subject: Subject) -> tuple[AdvisoryMatch, ...]:
    return tuple(m for m in subject.attribution.advisories if m.outcome == MATCH)


def undecided(subject: Subject) -> tuple[AdvisoryMatch, ...]:
    return tuple(m for m in subject.attribution.advisories if m.outcome == UNDECIDED)


def reachable(subject: Subject) -> bool:
    """Whether a mapping from the internet, or a conversation opened from there, was seen."""
    return bool(claims_of(subject.device, Attribute.UPNP_MAPPING) or reached(subject.device))


def media_without_login(subject: Subject) -> tuple[str, ...]:
    """Services that gave media without a login: `rtsp:554`."""
    return tuple(
        c.value
        for c in claims_of(subject.device, Attribute.SERVICE_NO_LOGIN)
        if c.value is not None and c.value.startswith(_MEDIA_SERVICES)
    )


def _seen(subject: Subject) -> list[_Seen]:
    device, found = subject.device, []
    matches = matched(subject)
    open_to_all = reachable(subject)
    bare = media_without_login(subject)
    version = device.claim(Attribute.FIRMWARE) or device.claim(Attribute.BUILD_DATE)
    maker = device.claim(Attribute.MAKER)
    rests = [c for c in (version, maker) if c is not None]
    # Version match without knowledge of patches: E2 at most (facts: scoring 4, known traps).
    evidence = cap(min((c.level for c in rests), default=Level.E0), Level.E2)
    confidence = Confidence.LOW
    if rests and all(c.level in (Level.E3, Level.E4) for c in rests):
        # E2 of a hard-to-forge kind: maker and version rest on two families.
        confidence = Confidence.MODERATE
    exploited = [m for m in matches if m.known_exploited]
    if exploited:
        words = (
            f"version in the affected range of {exploited[0].advisory}, on the known-exploited list"
        )
        found.append(_Seen(3, words, evidence, confidence))
    if matches:
        words = f"version in the affected range of {matches[0].advisory}"
        step = 3 if open_to_all else 2
        if step == 3:
            words += ", and reachable from the internet"
        found.append(_Seen(step, words, evidence, confidence))
    for attribute, step, words in (
        (Attribute.UPNP_MAPPING, 2, "mapping from the internet"),
        (Attribute.TLS_WEAK, 1, "old TLS"),
        (Attribute.SERVICE_CLEAR, 1, "clear text offered"),
    ):
        claims = claims_of(device, attribute)
        if claims:
            values = ", ".join(sorted(c.value or "" for c in claims))
            found.append(_Seen(step, f"{words}: {values}", claims[0].level, claims[0].confidence))
    if met := reached(device):
        words = f"reached from the internet on {', '.join(sorted({f'{e.transport} {e.port}' for e in met}))}"
        found.append(_Seen(2, words, strongest(e.level for e in met), Confidence.MODERATE))
    if bare:
        claims = claims_of(device, Attribute.SERVICE_NO_LOGIN)
        step = 3 if open_to_all else 2
        found.append(
            _Seen(
                step,
                f"media offered without login: {', '.join(bare)}",
                claims[0].level,
                claims[0].confidence,
            ),
        )
    active = device.claim(Attribute.ACTIVATED)
    if active is not None and flag(active) is False:
        # No password is set: management is open to whoever sets one (facts: discovery, SADP).
        found.append(_Seen(2, "device not activated", active.level, active.confidence))
    return found
