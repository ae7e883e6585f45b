"""Does a device say it is an internet gateway, and where is its port table read?

Pure. The description is asked only at the gateway's own address and at a listed path
(DESIGN rule 10: an address learnt from a device is followed only to that device).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from camscan.decode import registry
from camscan.decode.igd import DESCRIPTION_PATHS
from camscan.errors import DecodeError
from camscan.model.observation import Attempt, Kind, Observation
from camscan.model.probe import Exchange, Job

PROBE = "igd-mappings"
_GATEWAY = "urn:schemas-upnp-org:device:InternetGatewayDevice:"


def gateway_job(
    observations: Sequence[Observation], attempts: Iterable[Attempt], denied: frozenset[int]
) -> Job | None:
    """The one job that reads a gateway's port table, None where there is no reason or it was asked."""
    if any(o.job == PROBE for o in observations) or any(a.test == PROBE for a in attempts):
        return None
    for observation in observations:
        if observation.kind is not Kind.SSDP or observation.address is None:
            continue
        try:
            fields = registry.decode(observation)
        except DecodeError:
            continue
        names = (*fields.get("st", ()), *fields.get("nt", ()), *fields.get("usn", ()))
        if not any(_GATEWAY in name for name in names):
            continue
        for location in fields.get("location", ()):
            place = _place(location, observation.address)
            if place is not None and place[0] not in denied:
                port, path = place
                return Job(
                    probe=PROBE,
                    kind=Kind.UPNP_XML,
                    exchange=Exchange.IGD_MAPPINGS,
                    port=port,
                    path=path,
                )
    return None


def _place(location: str, address: str) -> tuple[int, str] | None:
    """(port, path) of a location at the device's own address and a listed path."""
    try:
        url = urlsplit(location)
        port = url.port or 80
    except ValueError:
        return None
    own = url.scheme == "http" and url.hostname == address and not url.query
    return (port, url.path) if own and url.path in DESCRIPTION_PATHS else None
