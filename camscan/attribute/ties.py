"""Which endpoints of a device tie it to a PRC group or to a registration in mainland China?

A name alone, an address block alone or one register entry alone is E2 (facts: scoring 4, known traps);
two independent ones are E3. Embedded names are no destination. Hong Kong, Macau and Taiwan are outside.
"""

from __future__ import annotations

from camscan.attribute.endpoints import KIND
from camscan.model.attribution import EndpointTie
from camscan.model.claim import Confidence, Device, Endpoint, Level, Mark
from camscan.model.party import Party

CN = "CN"
OPERATOR = "cloud-operator-cn-group"
LOCATED = "endpoint-located-cn"
_DESTINATION = (Mark.CONTACTED, Mark.CONFIGURED, Mark.NAMED)


def ties(device: Device, parties: dict[str, Party]) -> tuple[EndpointTie, ...]:
    """Every tie of every endpoint that was seen or configured, in order of the endpoints."""
    found = []
    for endpoint in device.endpoints:
        mark = next((m for m in _DESTINATION if m in endpoint.marks), None)
        if mark is None:
            continue
        found += _of_operator(endpoint, mark, parties)
        # CDN and anycast addresses stay J3 (facts: scoring 6).
        if not any(source.startswith(KIND) for source in endpoint.sources):
            found += _of_register(endpoint, mark)
    return tuple(found)


def _of_operator(endpoint: Endpoint, mark: Mark, parties: dict[str, Party]) -> list[EndpointTie]:
    by_name = endpoint.service_parent_country == CN
    by_block = endpoint.network_parent_country == CN
    if not (by_name or by_block):
        return []
    operator = parties.get(endpoint.service_operator or "")
    name = operator.name if operator is not None else endpoint.service_operator
    words = []
    if by_name:
        words.append(f"a service operated by {name}")
    if by_block:
        words.append(f"hosted on a network of {endpoint.network_operator}")
    both = by_name and by_block
    return [
        EndpointTie(
            condition=OPERATOR,
            endpoint=endpoint.name or endpoint.address or "",
            words=", ".join(words),
            mark=mark,
            purpose=endpoint.purpose,
            level=Level.E3 if both else Level.E2,
            confidence=Confidence.MODERATE if both else Confidence.LOW,
        )
    ]


def _of_register(endpoint: Endpoint, mark: Mark) -> list[EndpointTie]:
    if endpoint.registry_country != CN:
        return []
    entries = [s for s in endpoint.sources if s.startswith("registry_country: ")]
    differs = any(s.startswith("registry_country of the AS differs") for s in endpoint.sources)
    supplied = any("table supplied by the owner" in s for s in entries)
    two = (len(entries) > 1 or supplied) and not differs
    shown = "; ".join(s.removeprefix("registry_country: ") for s in entries)
    return [
        EndpointTie(
            condition=LOCATED,
            endpoint=endpoint.name or endpoint.address or "",
            words=f"an address registered in mainland China ({shown})",
            mark=mark,
            purpose=endpoint.purpose,
            level=Level.E3 if two else Level.E2,
            confidence=Confidence.MODERATE if two else Confidence.LOW,
        )
    ]
