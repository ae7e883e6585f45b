"""What is a device, in the keys of the exchange format (DESIGN section 5)?"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.claim import Attribute, Confidence, Device, State


class EvidenceKey(Struct, frozen=True):
    signature: str
    family: str
    level: str
    observation: str


class Identity(Struct, frozen=True, kw_only=True):
    """One line of `identify --json`; the same keys stand in the report's devices."""

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


_SHOWN = (
    Attribute.ROLE,
    Attribute.MAKER,
    Attribute.BRAND,
    Attribute.PLATFORM,
    Attribute.MODEL,
    Attribute.FIRMWARE,
)


def identity(device: Device) -> Identity:
    """The keys of one device; evidence in stable order, each (signature, observation) once."""
    evidence = {
        (e.signature, e.observation): EvidenceKey(
            e.signature,
            e.family.value,
            e.level.value,
            e.observation,
        )
        for claim in device.claims
        if claim.attribute in _SHOWN
        for e in claim.evidence
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
            for c in device.claims
            if c.state is State.CONFLICTING
        ),
        evidence=tuple(evidence[key] for key in sorted(evidence)),
    )


def confidence(device: Device) -> Confidence:
    """How sure the maker is; where no maker is known, how sure the role is."""
    for attribute in (Attribute.MAKER, Attribute.ROLE):
        claim = device.claim(attribute)
        if claim is not None and claim.value is not None:
            return claim.confidence
    return Confidence.LOW
