"""What does an ONVIF answer say without a login (ONVIF Core 8; facts: device_apis 4)?"""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from camscan.decode import xml
from camscan.decode.collect import Collector, Wanted
from camscan.decode.wsd import split_scope
from camscan.model.observation import Fields

_INFORMATION = (
    ("manufacturer", "Manufacturer"),
    ("model", "Model"),
    ("firmware", "FirmwareVersion"),
    ("serial", "SerialNumber"),
    ("hardware-id", "HardwareId"),
)
_FAULT = ("faultstring", "faultcode", "Text", "Value")


class OnvifAnswer(Struct, frozen=True):
    """A SOAP envelope; `action` is the element in its body: GetSystemDateAndTimeResponse, Fault."""

    document: xml.XmlDocument
    action: str
    utc_time: str
    faults: tuple[str, ...]

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.ONVIF]` that are not of HTTP."""
        out = Collector(wanted)
        self.document.add_to(out)
        out.add("action", self.action)
        for field, name in _INFORMATION:
            out.add(field, self.document.first(name))
        # Scopes say the same before a login where the device answers GetScopes.
        for scope in self.document.texts("ScopeItem"):
            name, value = split_scope(scope)
            if name == "hardware":
                out.add_once("model", value)
        out.add("utc-time", self.utc_time)
        out.add("fault", *self.faults)
        return out.done()


def parse(data: bytes) -> OnvifAnswer:
    """Read an envelope; raises DecodeError when it holds no XML."""
    document = xml.parse(data)
    action = ""
    for leaf in document.leaves:
        if "Body" in leaf.path:
            after = leaf.path[leaf.path.index("Body") + 1 :]
            action = after[0] if after else ""
            break
    faults: tuple[str, ...] = ()
    if action == "Fault":
        faults = tuple(leaf.text for leaf in document.leaves if leaf.name in _FAULT)
    return OnvifAnswer(document, action, _utc(document), faults)


def _utc(document: xml.XmlDocument) -> str:
    """`2026-05-01T08:09:10Z` of UTCDateTime; empty when a part is missing or no number."""
    parts: dict[str, int] = {}
    for leaf in document.leaves:
        if "UTCDateTime" in leaf.path and leaf.text.isascii() and leaf.text.isdigit():
            parts.setdefault(leaf.name, int(leaf.text[:4]))
    names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
    if any(name not in parts for name in names):
        return ""
    year, month, day, hour, minute, second = (parts[name] for name in names)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"


def get_system_date_and_time(message_id: UUID) -> bytes:
    """The one request that every device answers without a login; it reads the clock."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://www.w3.org/2005/08/addressing">'
        f"<s:Header><a:MessageID>urn:uuid:{message_id}</a:MessageID></s:Header>"
        '<s:Body><GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body>'
        "</s:Envelope>"
    ).encode("ascii")
