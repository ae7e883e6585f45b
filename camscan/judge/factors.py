"""Which levels of J, D, P, C, T, x and m does the evidence leave open for one device?

Facts: scoring 6. Every end carries its reason. J stays open upwards while the data path is not examined;
x and m are declarations of a named person and never set here from anything else.
"""

from __future__ import annotations

from camscan.judge.declared import Declared, declared
from camscan.judge.exchanges import kinds, path_step, shown, unnamed
from camscan.judge.subject import (
    Subject,
    claims_of,
    destinations,
    flag,
    most,
    strongest,
)
from camscan.judge.weakness import weakness
from camscan.model.attribution import EndpointTie
from camscan.model.claim import Attribute, Claim, Confidence, Level, Mark
from camscan.model.finding import Interval

_OPERATOR = "cloud-operator-cn-group"
_J = {_OPERATOR: 3, "endpoint-located-cn": 4}
_CONFIGURED = 2
"""D of a destination that was configured or asked for, without traffic."""
_NO_CAPTURE = "the data path was not examined (no capture)"


def factors(subject: Subject) -> dict[str, Interval]:
    """Factor name -> Interval, for every factor of the table."""
    found = (
        _jurisdiction(subject),
        _data_path(subject),
        _sensitivity(subject),
        _control(subject),
        weakness(subject),
        _prohibition(subject),
        _documents(subject),
    )
    return {interval.factor: interval for interval in found}


def paths(subject: Subject) -> tuple[tuple[int, int], ...]:
    """J and D of each destination by itself, as far as they were seen; empty where no capture shows them.

    A row of the table that names both means one path: a time server in the mainland and telemetry to somewhere else
    are not telemetry to the mainland (facts: scoring 6, J: one value per device and endpoint).
    """
    if not subject.captured or declared(subject.device, "D", subject.site) is not None:
        return ()
    reached = _seen_path(subject)[0]
    line = subject.attribution.chain
    own = line.lower if line.known else 0
    if _component(subject) is not None:
        own = max(own, 1)
    steps: dict[str, int] = {}
    for e in destinations(subject.device, (Mark.CONTACTED,)):
        place = e.name or e.address or ""
        steps[place] = max(steps.get(place, 0), path_step(e))
    tied = (
        (_J[tie.condition], min(steps.get(tie.endpoint, _CONFIGURED), reached))
        for tie in subject.attribution.ties
    )
    # What is known of the maker holds wherever the traffic goes.
    return tuple(dict.fromkeys(((own, reached), *tied)))


def _jurisdiction(subject: Subject) -> Interval:
    line, ties = subject.attribution.chain, subject.attribution.ties
    lower, level, confidence = line.lower, line.level, line.confidence
    if not line.known:
        lower, level, confidence = 0, Level.E0, Confidence.LOW
        why = line.steps[-1] if line.steps else "maker not identified"
    else:
        why = "; ".join(line.steps)
    component = _component(subject)
    if component is not None and lower < 1:
        lower, why = 1, f"component of a PRC group named by the device: {component.value}"
        level, confidence = component.level, component.confidence
    tie = max(ties, key=_tie_rank, default=None)
    if tie is not None and _J[tie.condition] > lower:
        lower, level, confidence = _J[tie.condition], tie.level, tie.confidence
        why = f"{tie.endpoint}: {tie.words} ({tie.mark.value})"
    if not subject.captured:
        upper, above = 4, f"{_NO_CAPTURE}: the endpoint is unknown too"
    elif not line.known:
        upper, above = 4, "maker or operator not identified"
    elif strangers := unnamed(subject.device):
        # Whoever operates them may belong to a PRC group (J3); an address of a register entry outside
        # the mainland is never J4, one without any register entry may be (facts: scoring 6).
        upper = 4 if any(e.address and not e.registry_country for e in strangers) else 3
        upper = max(upper, lower)
        names = sorted({e.name or e.address or "" for e in strangers})
        above = f"contacted parties without a known operator: {shown(names)}"
    else:
        upper, above = max(lower, line.upper), "capture made: highest level that was seen"
        open_ = _of_disputed_seat(subject)
        if open_ and upper < _J[_OPERATOR]:
            upper = _J[_OPERATOR]
            above = f"{open_}: a service of a group whose seat is disputed"
    return Interval(
        factor="J",
        lower=lower,
        upper=upper,
        why_lower=why,
        why_upper=above,
        level=level,
        confidence=confidence,
    )


def _of_disputed_seat(subject: Subject) -> str:
    """A destination whose operator's group seat is disputed: J3 stays possible (facts: vendors, tp-link)."""
    met = destinations(subject.device, (Mark.CONTACTED, Mark.CONFIGURED, Mark.NAMED))
    return next(
        (e.name or e.address or "" for e in met if e.service_parent_country == "disputed"), ""
    )


def _tie_rank(tie: EndpointTie) -> tuple[int, int]:
    return _J[tie.condition], (Confidence.LOW, Confidence.MODERATE, Confidence.HIGH).index(
        tie.confidence,
    )


def _component(subject: Subject) -> Claim | None:
    """A component whose party is of a PRC group (facts: scoring 6, J1)."""
    for claim in claims_of(subject.device, Attribute.COMPONENT):
        party = subject.knowledge.parties.get((claim.value or "").lower())
        if party is not None and party.jurisdiction[0] in {"J1", "J2"}:
            return claim
    return None


def _data_path(subject: Subject) -> Interval:
    said = declared(subject.device, "D", subject.site)
    lower, why, level, confidence = _seen_path(subject)
    if said is not None:
        return Interval(
            factor="D",
            lower=max(lower, said.lower),
            upper=max(lower, said.upper),
            why_lower=why if lower > said.lower else said.text,
            why_upper=said.text,
            level=level if lower > said.lower else Level.E1,
            confidence=confidence if lower > said.lower else Confidence.LOW,
            declared_by=said.by,
        )
    return Interval(
        factor="D",
        lower=lower,
        upper=4,
        why_lower=why,
        why_upper="traffic of the window only" if subject.captured else _NO_CAPTURE,
        level=level,
        confidence=confidence,
    )


def _seen_path(subject: Subject) -> tuple[int, str, Level, Confidence]:
    device = subject.device
    contacted = [e for e in destinations(device, (Mark.CONTACTED,)) if not _own_network(e.purpose)]
    if contacted:
        reached = max(path_step(e) for e in contacted)
        deciding = [e for e in contacted if path_step(e) == reached]
        levels = strongest(
            (
                Level.E2,
                *(e.level for e in deciding),
                *(ev.level for e in deciding for ev in e.evidence),
            )
        )
        what = sorted({k for e in deciding for k in kinds(e)})
        words = f"traffic with {shown(sorted({e.name or e.address or '' for e in deciding}))}"
        words += f" ({', '.join(what)})" if what else " (unclassified)"
        return reached, words, levels, Confidence.MODERATE if what else Confidence.LOW
    enabled = [
        c
        for a in (Attribute.CLOUD_ENABLED, Attribute.P2P_ENABLED)
        for c in claims_of(device, a)
        if flag(c)
    ]
    if enabled:
        words = " and ".join(f"{c.attribute.value} is on" for c in enabled)
        return 2, words, strongest(c.level for c in enabled), most(c.confidence for c in enabled)
    configured = destinations(device, (Mark.CONFIGURED, Mark.NAMED))
    if configured:
        names = ", ".join(sorted({e.name or e.address or "" for e in configured}))
        return 2, f"configured or asked for: {names}", Level.E2, Confidence.LOW
    able = [
        c
        for a in (
            Attribute.CLOUD_SUPPORTED,
            Attribute.P2P_SUPPORTED,
            Attribute.CLOUD_ENABLED,
            Attribute.P2P_ENABLED,
        )
        for c in claims_of(device, a)
        if flag(c) or (a in {Attribute.CLOUD_ENABLED, Attribute.P2P_ENABLED} and flag(c) is False)
    ]
    if able:
        words = ", ".join(f"{c.attribute.value} = {c.value}" for c in able)
        return 1, words, strongest(c.level for c in able), most(c.confidence for c in able)
    return 0, "nothing known of a path out", Level.E0, Confidence.LOW


def _own_network(purpose: str) -> bool:
    return purpose.startswith("own-network")


def _sensitivity(subject: Subject) -> Interval:
    seen, why, level = _seen_sensitivity(subject)
    said = declared(subject.device, "P", subject.site)
    if said is None:
        return Interval(
            factor="P",
            lower=max(1, seen),
            upper=3,
            why_lower=why or "not declared: treated as P1 at the lower end",
            why_upper="not declared: treated as P3 at the upper end",
            level=level,
        )
    return _with_floor("P", said, seen, why)


def _seen_sensitivity(subject: Subject) -> tuple[int, str, Level]:
    """P that active analytics alone give (facts: scoring 6, P: declaration and capability seen)."""
    device = subject.device
    for attribute, step, words in (
        (Attribute.FACE_ACTIVE, 3, "face recognition active"),
        (Attribute.PLATE_ACTIVE, 2, "plate recognition active"),
    ):
        claim = device.claim(attribute)
        if claim is not None and flag(claim):
            return step, words, claim.level
    return 0, "", Level.E0


def _with_floor(factor: str, said: Declared, floor: int, why: str) -> Interval:
    return Interval(
        factor=factor,
        lower=max(said.lower, floor),
        upper=max(said.upper, floor),
        why_lower=why if floor > said.lower else said.text,
        why_upper=why if floor > said.upper else said.text,
        level=Level.E1,
        declared_by=said.by,
    )


def _control(subject: Subject) -> Interval:
    said = declared(subject.device, "C", subject.site)
    if said is None:
        return Interval(
            factor="C",
            lower=0,
            upper=2,
            why_lower="not declared and not tested: no control at one end",
            why_upper="not declared and not tested: full control at the other",
        )
    return _with_floor("C", said, 0, "")


def _prohibition(subject: Subject) -> Interval:
    said = declared(subject.device, "x", subject.site)
    if said is None:
        return Interval(factor="x", lower=0, upper=0, why_lower="legal prohibition: not assessed")
    return _with_floor("x", said, 0, "")


def _documents(subject: Subject) -> Interval:
    said = declared(subject.device, "m", subject.site)
    if said is None:
        return Interval(
            factor="m",
            lower=0,
            upper=1,
            why_lower="missing documents: not declared",
            why_upper="missing documents: not declared",
        )
    return _with_floor("m", said, 0, "")
