"""What does a UPnP device description, or an answer of a gateway, say (UPnP 2.0 section 2.3)?"""

from __future__ import annotations

from msgspec import Struct

from camscan.decode import igd, xml
from camscan.decode.collect import Collector, Wanted
from camscan.model.observation import Fields

_FIELDS = {
    "devicetype": "device-type",
    "friendlyname": "friendly-name",
    "manufacturer": "manufacturer",
    "manufacturerurl": "manufacturer-url",
    "modelname": "model-name",
    "modelnumber": "model-number",
    "modeldescription": "model-description",
    "serialnumber": "serial",
    "udn": "udn",
    "presentationurl": "presentation-url",
}


class DeviceDescription(Struct, frozen=True):
    """A description; values of the root device come first, embedded devices after it."""

    document: xml.XmlDocument

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.UPNP_XML]` that are not of HTTP."""
        out = Collector(wanted)
        self.document.add_to(out)
        for leaf in self.document.leaves:
            field = _FIELDS.get(leaf.name.lower())
            if field is not None:
                out.add(field, leaf.text)
        forwarded = igd.mapping(self.document)
        if forwarded is not None:
            out.add("mapping", forwarded.text())
            out.add("mapping-client", forwarded.internal_client)
        return out.done()


def parse(data: bytes) -> DeviceDescription:
    """Read a description; raises DecodeError when it holds no XML."""
    return DeviceDescription(xml.parse(data))
