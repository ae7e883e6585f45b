"""Which ports does an internet gateway forward, by its own account (UPnP IGD, WANIPConnection 1 and 2)?

Only the reading action GetGenericPortMappingEntry has a builder here; AddPortMapping, DeletePortMapping
and every other action have none (DESIGN rule 10).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from camscan.decode import xml
from camscan.errors import DecodeError

DESCRIPTION_PATHS = (
    "/rootDesc.xml",
    "/igd.xml",
    "/igddesc.xml",
    "/IGDdevicedesc_brlan0.xml",
    "/gatewaydesc.xml",
    "/description.xml",
    "/DeviceDescription.xml",
    "/InternetGatewayDevice.xml",
    "/upnp/IGD.xml",
    "/upnp/BasicDevice.xml",
)
"""Paths of gateway descriptions that may be asked for where an SSDP answer names one of them:
rootDesc.xml is that of miniupnpd, the others are common in gateways (unverified)."""

MAX_MAPPINGS = 16
"""Entries read of one gateway: enough to find a camera, few enough to be gentle."""

END_OF_TABLE = "713"
"""SpecifiedArrayIndexInvalid (WANIPConnection:1, 2.4.14)."""

_SERVICES = ("WANIPConnection", "WANPPPConnection")


class Control(Struct, frozen=True):
    """Where a gateway takes actions: its service type and the path on its own address."""

    service: str
    path: str


class Mapping(Struct, frozen=True):
    """One forwarded port."""

    protocol: str
    external_port: str
    internal_client: str
    internal_port: str
    enabled: bool
    description: str

    def text(self) -> str:
        """`TCP 18554 -> 10.20.0.57:554 (RTSP)`, with `disabled` where it is."""
        about = f" ({self.description})" if self.description else ""
        off = "" if self.enabled else " disabled"
        return f"{self.protocol} {self.external_port} -> {self.internal_client}:{self.internal_port}{about}{off}"


def control(data: bytes) -> Control | None:
    """The port-mapping service of a device description (body bytes), None if it has none.

    A control URL on another host is no path of this device: None.
    """
    service = ""
    for leaf in xml.parse(data).leaves:
        name = leaf.name.lower()
        if name == "servicetype":
            parts = leaf.text.split(":")
            service = leaf.text if len(parts) > 3 and parts[3] in _SERVICES else ""
        elif name == "controlurl" and service:
            try:
                url = urlsplit(leaf.text)
            except ValueError:
                return None
            plain = url.path.startswith("/") and not url.netloc and not url.query
            return Control(service, url.path) if plain and url.path.isprintable() else None
    return None


def mapping_request(service: str, index: int) -> tuple[str, bytes]:
    """(value of the SOAPAction header, body) that reads entry `index` and changes nothing."""
    if not all(c.isalnum() or c in ":-_." for c in service):
        raise ValueError(f"not a service type: {service!r}")
    body = (
        '<?xml version="1.0"?>\r\n'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
        f'<u:GetGenericPortMappingEntry xmlns:u="{service}">'
        f"<NewPortMappingIndex>{index:d}</NewPortMappingIndex>"
        "</u:GetGenericPortMappingEntry></s:Body></s:Envelope>\r\n"
    )
    return f'"{service}#GetGenericPortMappingEntry"', body.encode("ascii")


def mapping(document: xml.XmlDocument) -> Mapping | None:
    """The entry of an answer, None where the answer is something else (error 713 ends the table)."""
    client = document.first("NewInternalClient")
    if client is None:
        return None
    return Mapping(
        protocol=(document.first("NewProtocol") or "").upper()[:8],
        external_port=_port(document.first("NewExternalPort")),
        internal_client=client,
        internal_port=_port(document.first("NewInternalPort")),
        enabled=document.first("NewEnabled") not in {"0", "false"},
        description=document.first("NewPortMappingDescription") or "",
    )


def more(data: bytes) -> bool:
    """Whether the answer to one entry gives reason to ask for the next."""
    try:
        return mapping(xml.parse(data)) is not None
    except DecodeError:
        return False


def _port(text: str | None) -> str:
    return text if text is not None and text.isdecimal() and len(text) <= 5 else "?"
