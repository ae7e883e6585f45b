"""Small made-up devices and knowledge for the tests of attribute and judge. No test in here."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from camscan.attribute.attribution import SITE, attribute
from camscan.judge.subject import Subject
from camscan.model.claim import (
    Attribute,
    Claim,
    Confidence,
    Device,
    Endpoint,
    Level,
    Mark,
    Role,
    State,
)
from camscan.model.finding import Coverage
from camscan.model.knowledge import (
    Advisory,
    Concern,
    ConditionText,
    DecisionTable,
    EndpointName,
    Knowledge,
    Law,
    LawPosition,
    Network,
    Rule,
)
from camscan.model.party import Party
from camscan.model.probe import ProbePlan
from camscan.model.site import Site

SIGNATURES = Path(__file__).resolve().parents[1] / "signatures"
AS_OF = date(2026, 11, 23)


def _records(folder, key, record):
    found = []
    for path in sorted((SIGNATURES / folder).glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        defaults = {k: table[k] for k in ("source", "as_of") if k in table}
        found += [msgspec.convert({**defaults, **r}, record) for r in table.get(key, [])]
    return found


def _by_id(records):
    return {r.id: r for r in records}


@cache
def shipped() -> Knowledge:
    """The shipped data of the floors attribute and judge; signatures and probes are not needed."""
    laws = tomllib.loads((SIGNATURES / "laws" / "cn.toml").read_text(encoding="utf-8"))
    concerns = tomllib.loads((SIGNATURES / "concerns" / "reporting.toml").read_text("utf-8"))
    decision = tomllib.loads((SIGNATURES / "decision.toml").read_text(encoding="utf-8"))
    return Knowledge(
        content_hash="test",
        as_of="2026-11-23",
        signatures=(),
        platforms={},
        brands=(),
        parties=_by_id(_records("parties", "party", Party)),
        mac_blocks=(),
        endpoints=tuple(_records("endpoints", "endpoint", EndpointName)),
        networks=tuple(_records("networks", "network", Network)),
        conditions=_by_id(_records("conditions", "condition", ConditionText)),
        concerns=_by_id(_records("concerns", "concern", Concern)),
        laws=_by_id(_records("laws", "law", Law)),
        rules=_by_id(_records("rules", "rule", Rule)),
        advisories=tuple(_records("advisories", "advisory", Advisory)),
        decision=msgspec.convert(decision, DecisionTable),
        probe_plan=ProbePlan(
            tcp_ports=(), liveness_ports=(), probes=(), denied_ports=(), announcements=()
        ),
        law_nexus=tuple(laws["nexus"]),
        sources=concerns["sources"],
        files={},
        law_positions=tuple(_records("laws", "position", LawPosition)),
    )


def claim(attribute_, value, *, level=Level.E3, confidence=Confidence.HIGH, state=State.OBSERVED):
    return Claim(
        subject="",
        attribute=attribute_,
        value=value,
        state=state,
        level=level,
        confidence=confidence,
    )


def torn(attribute_, *values):
    """A conflicting claim."""
    return Claim(
        subject="",
        attribute=attribute_,
        value=None,
        values=values,
        state=State.CONFLICTING,
        level=Level.E2,
        confidence=Confidence.LOW,
    )


def device(address="10.20.0.5", *claims, role=Role.CAMERA, is_camera=True, endpoints=(), **more):
    return Device(
        device_id=address,
        addresses=(address,),
        is_camera=is_camera,
        role=role,
        claims=tuple(msgspec.structs.replace(c, subject=address) for c in claims),
        endpoints=endpoints,
        **more,
    )


def hikvision(*more, maker_level=Level.E3, firmware="V5.7.15 build 240201", built="2024-02-01"):
    claims = [
        claim(Attribute.MAKER, "hikvision", level=maker_level),
        claim(Attribute.BRAND, "Hikvision"),
        claim(Attribute.PLATFORM, "hikvision"),
        claim(Attribute.MODEL, "DS-2CD2042WD-I"),
    ]
    if firmware:
        claims.append(claim(Attribute.FIRMWARE, firmware))
    if built:
        claims.append(claim(Attribute.BUILD_DATE, built))
    return (*claims, *more)


def endpoint(name=None, address=None, *, mark=Mark.CONFIGURED, **more):
    return Endpoint(
        device_id="10.20.0.5", name=name, address=address, port=None, marks=(mark,), **more
    )


def subject(dev, *, site=None, captured=False, knowledge=None) -> Subject:
    knowledge = knowledge or shipped()
    return Subject(
        device=dev,
        attribution=attribute([dev], knowledge)[dev.device_id],
        knowledge=knowledge,
        site=site or Site(),
        as_of=AS_OF,
        captured=captured,
    )


def no_coverage(**more) -> Coverage:
    return Coverage(addresses_in_scope=0, addresses_answered=0, devices=0, cameras=0, **more)


__all__ = [
    "AS_OF", "SITE", "claim", "device", "endpoint", "hikvision", "no_coverage", "shipped", "subject",
    "torn",
]  # fmt: skip
