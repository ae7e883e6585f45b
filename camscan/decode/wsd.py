"""What does a WS-Discovery or Uniview answer say, and how is it asked for?

Sources: WS-Discovery 2005/04; ONVIF Core 7.3; facts: discovery 1, 5 and 8.
"""

from __future__ import annotations

from urllib.parse import unquote
from uuid import UUID

from msgspec import Struct

from camscan.decode import search_ports, xml
from camscan.decode.collect import Collector, Wanted
from camscan.decode.http import url_host
from camscan.decode.message import split_message
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = search_ports.WSD
GROUP = "239.255.255.250"
GROUP6 = "ff02::c"

_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_UNIVIEW = "http://www.uniview.com/Ver10/Device/wsdl"
SCOPE_FIELDS = {
    "name": "scope.name",
    "hardware": "scope.hardware",
    "location": "scope.location",
    "profile": "scope.profile",
    "type": "scope.type",
    "manufacturer": "scope.manufacturer",
    "version": "scope.version",
    "serial": "scope.serial",
    "macaddr": "scope.macaddr",
    "mac": "scope.macaddr",
    "model": "scope.model",
}


class WsdAnswer(Struct, frozen=True):
    """A ProbeMatch, Hello or UniviewProbeMatch; `form` is `wsd` or `uniview`."""

    document: xml.XmlDocument
    form: str
    action: str
    types: tuple[str, ...]
    scopes: tuple[str, ...]
    xaddrs: tuple[str, ...]
    endpoint: str

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.WSD]`."""
        out = Collector(wanted)
        self.document.add_to(out)
        out.add("action", self.action)
        out.add("types", *self.types)
        for scope in self.scopes:
            out.add("scope", scope)
            name, value = split_scope(scope)
            if name in SCOPE_FIELDS:
                out.add(SCOPE_FIELDS[name], value)
        for xaddr in self.xaddrs:
            out.add("xaddr", xaddr)
            if out.wants("xaddr-host"):
                out.add_once("xaddr-host", url_host(xaddr))
        out.add("endpoint", self.endpoint)
        out.add("namespace-prefixes", *self.document.prefixes)
        out.add("form", self.form)
        return out.done()


def parse(data: bytes) -> WsdAnswer:
    """Read an answer; raises DecodeError when it holds no XML."""
    if data[:5].upper() == b"HTTP/":
        data = split_message(data).body
    document = xml.parse(data)
    action = document.first("Action") or ""
    texts = " ".join(document.texts("Scopes"))
    names = {name for leaf in document.leaves for name in leaf.path}
    uniview = "UniviewProbe" in action or any(name.startswith("UniviewProbe") for name in names)
    if document.root == "html":
        raise DecodeError("not a WS-Discovery answer: the root element is html")
    return WsdAnswer(
        document=document,
        form="uniview" if uniview else "wsd",
        action=action,
        types=tuple(" ".join(document.texts("Types")).split()),
        scopes=tuple(texts.split()),
        xaddrs=tuple(" ".join(document.texts("XAddrs")).split()),
        endpoint=_endpoint(document),
    )


def _endpoint(document: xml.XmlDocument) -> str:
    for leaf in document.leaves:
        if leaf.name == "Address" and "EndpointReference" in leaf.path:
            return leaf.text
    return ""


def split_scope(scope: str) -> tuple[str, str]:
    """`("location", "city/hangzhou")` of an ONVIF scope, names lower case, values unquoted."""
    _, marker, rest = scope.partition("://")
    if not marker:
        return "", ""
    path = rest.partition("/")[2]
    name, _, value = path.partition("/")
    return name.lower(), unquote(value)


def search_message(message_id: UUID) -> bytes:
    """Probe for network video transmitters (facts: discovery 1)."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        f' xmlns:d="{_DISCOVERY}"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
        f"<e:Header><w:MessageID>uuid:{message_id}</w:MessageID>"
        "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
        f"<w:Action>{_DISCOVERY}/Probe</w:Action></e:Header>"
        "<e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body>"
        "</e:Envelope>"
    ).encode("ascii")


def uniview_search_messages(first: UUID, second: UUID) -> tuple[bytes, bytes]:
    """The older and the newer Uniview search (facts: discovery 5)."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"'
        ' xmlns:tns="{namespace}"><e:Header><w:MessageID>urn:uuid:{id}</w:MessageID>'
        "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
        "<w:Action>{action}</w:Action></e:Header><e:Body><tns:UniviewProbe>"
        "<tns:Types>dn:NetworkVideoTransmitter</tns:Types>"
        "</tns:UniviewProbe></e:Body></e:Envelope>"
    )
    older = head.format(namespace=_DISCOVERY, id=first, action=f"{_DISCOVERY}/Probe")
    newer = head.format(namespace=_UNIVIEW, id=second, action=f"{_UNIVIEW}/UniviewProbe")
    return older.encode("ascii"), newer.encode("ascii")
