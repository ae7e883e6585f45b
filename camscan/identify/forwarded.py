"""To which devices does an internet gateway forward a port, by its own table?

The gateway says it, the claim is about the device the mapping leads to: the only claim whose evidence
comes from another device's answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from camscan.decode import registry
from camscan.errors import DecodeError
from camscan.model.claim import (
    Attribute,
    Claim,
    Confidence,
    Device,
    Evidence,
    Family,
    Level,
    State,
)
from camscan.model.observation import Kind, Observation

SIGNATURE = "camscan.service.port-mapping"
_VERSION = "1"


def with_mappings(
    devices: Sequence[Device], observations: Iterable[Observation]
) -> tuple[Device, ...]:
    """The devices, those behind a forwarded port with one claim `upnp.mapping` per mapping."""
    by_client: dict[str, dict[str, Evidence]] = {}
    for observation in observations:
        if observation.kind is Kind.UPNP_XML:
            for client, evidence in _mappings(observation):
                by_client.setdefault(client, {}).setdefault(evidence.value, evidence)
    if not by_client:
        return tuple(devices)
    return tuple(_told(device, by_client) for device in devices)


def _mappings(observation: Observation) -> Iterable[tuple[str, Evidence]]:
    try:
        fields = registry.decode(observation)
    except DecodeError:
        return
    clients = fields.get("mapping-client", ())
    for client, text in zip(clients, fields.get("mapping", ()), strict=False):
        if text.endswith(" disabled"):
            continue
        yield (
            client,
            Evidence(
                signature=SIGNATURE,
                version=_VERSION,
                family=Family.PROTOCOL,
                level=Level.E2,
                observation=observation.id,
                attribute=Attribute.UPNP_MAPPING,
                value=text,
                excerpt=text[:200],
                note=f"port table of the gateway {observation.address or observation.device_id}",
            ),
        )


def _told(device: Device, by_client: dict[str, dict[str, Evidence]]) -> Device:
    found = {
        text: evidence
        for address in device.addresses
        for text, evidence in by_client.get(address, {}).items()
        if _leads_here(device, text)
    }
    claims = tuple(
        Claim(
            subject=device.device_id,
            attribute=Attribute.UPNP_MAPPING,
            value=text,
            state=State.OBSERVED,
            level=Level.E2,
            confidence=Confidence.LOW,
            evidence=(found[text],),
        )
        for text in sorted(found)
    )
    return replace(device, claims=(*device.claims, *claims)) if claims else device


def _leads_here(device: Device, text: str) -> bool:
    """Where several devices share an address, the mapping belongs to the one with that port."""
    _, hash_sign, port = device.device_id.partition("#")
    inside = text.partition(" -> ")[2].partition(" ")[0].rpartition(":")[2]
    return not hash_sign or inside == port
