"""What is a device, in the keys of the exchange format (DESIGN section 5)?

`identify --json` prints one Identity per line; the devices of the JSON report carry the same keys.
"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.claim import Attribute, Confidence, Device, Level, State


class EvidenceKey(Struct, frozen=True):
    signature: str
    family: str
    level: str
    observation: str


class Identity(Struct, frozen=True, kw_only=True):
    """A device by its identity alone."""

    device_id: str
    is_camera: bool | None
    role: str | None
    maker: str | None
    brand: str | None
    platform: str | None
    model: str | None
    firmware: str | None
    confidence: str
    conflicts: tuple[str, ...]
    evidence: tuple[EvidenceKey, ...]


_IDENTITY = (
    Attribute.MAKER,
    Attribute.PLATFORM,
    Attribute.BRAND,
    Attribute.MODEL,
    Attribute.FIRMWARE,
    Attribute.ROLE,
)


def identity(device: Device) -> Identity:
    """The keys of one device; evidence in stable order, each piece once."""
    claims = [c for c in device.claims if c.attribute in _IDENTITY]
    seen = {
        EvidenceKey(e.signature, e.family.value, e.level.value, e.observation)
        for c in claims
        for e in c.evidence
        if e.level > Level.E0
    }
    return Identity(
        device_id=device.device_id,
        is_camera=device.is_camera,
        role=device.role.value if device.role is not None else None,
        maker=device.value(Attribute.MAKER),
        brand=device.value(Attribute.BRAND),
        platform=device.value(Attribute.PLATFORM),
        model=device.value(Attribute.MODEL),
        firmware=device.value(Attribute.FIRMWARE),
        confidence=confidence(device).value,
        conflicts=tuple(
            f"{c.attribute.value}: {' | '.join(c.values)}"
            for c in claims
            if c.state is State.CONFLICTING
        ),
        evidence=tuple(sorted(seen, key=lambda e: (e.signature, e.observation, e.level, e.family))),
    )


def confidence(device: Device) -> Confidence:
    """How sure the maker is; where no maker is known, how sure the role is."""
    for attribute in (Attribute.MAKER, Attribute.ROLE):
        claim = device.claim(attribute)
        if claim is not None and claim.value is not None:
            return claim.confidence
    return Confidence.LOW
