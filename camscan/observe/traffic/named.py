"""What has a namer found in the end, as records that may go to another process?"""

from __future__ import annotations

from msgspec import Struct

from camscan.model.traffic import ClientFact, NameSeen, ServiceSeen
from camscan.observe.traffic.namer import Namer


class Named(Struct, frozen=True, kw_only=True):
    """Everything but counted packets."""

    names: tuple[NameSeen, ...]
    services: tuple[ServiceSeen, ...]
    facts: tuple[ClientFact, ...]
    encrypted_resolvers: tuple[str, ...]
    not_examined: tuple[tuple[str, int], ...]
    dns_visible: bool


def named_by(namer: Namer) -> Named:
    """What it found in the end."""
    namer.end()
    return Named(
        names=namer.names(),
        services=namer.services(),
        facts=namer.facts(),
        encrypted_resolvers=namer.encrypted_resolvers(),
        not_examined=namer.not_examined(),
        dns_visible=namer.dns_visible,
    )
