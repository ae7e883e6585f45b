"""What does a Hikvision SADP answer say, and how is it asked for (facts: discovery 2)?"""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from camscan.decode import search_ports, xml
from camscan.decode.collect import Collector, Wanted
from camscan.decode.versions import build_date
from camscan.errors import DecodeError
from camscan.model.observation import Fields

PORT = search_ports.SADP
GROUP = "239.255.255.250"

# Names differ in case and number between firmware lines, so they are compared in lower case.
ELEMENTS = {
    "uuid": "uuid",
    "types": "types",
    "devicetype": "device-type",
    "devicedescription": "device-description",
    "devicesn": "device-sn",
    "commandport": "command-port",
    "httpport": "http-port",
    "mac": "mac",
    "ipv4address": "ipv4-address",
    "ipv4gateway": "ipv4-gateway",
    "dhcp": "dhcp",
    "analogchannelnum": "analog-channels",
    "digitalchannelnum": "digital-channels",
    "softwareversion": "software-version",
    "dspversion": "dsp-version",
    "boottime": "boot-time",
    "activated": "activated",
    "supporthcplatform": "hc-platform-support",
    "hcplatformenable": "hc-platform-enable",
    "oeminfo": "oem-info",
    "detailoemcode": "oem-code",
    "oemcode": "oem-code",
    "ezvizcode": "ezviz-code",
}


class SadpAnswer(Struct, frozen=True):
    """A ProbeMatch: `items` are its elements as `(name, text)` in document order."""

    root: str
    items: tuple[tuple[str, str], ...]

    def fields(self, wanted: Wanted = None) -> Fields:
        """Fields of `FIELDS[Kind.SADP]`; MACs as `aa:bb:cc:dd:ee:ff`."""
        out = Collector(wanted)
        whole = out.wants("field")
        out.add("root", self.root)
        for name, text in self.items:
            if whole:
                out.add("field", f"{name}={text}")
            field = ELEMENTS.get(name.lower())
            if field == "mac":
                text = text.replace("-", ":").lower()
            if field is not None:
                out.add(field, text)
            if field == "software-version" and out.wants("build-date"):
                built = build_date(text)
                out.add("build-date", built.isoformat() if built else None)
        return out.done()


def parse(data: bytes) -> SadpAnswer:
    """Read an answer; raises DecodeError when it holds no XML."""
    document = xml.parse(data)
    items = tuple((leaf.name, leaf.text) for leaf in document.leaves if len(leaf.path) > 1)
    if not items:
        raise DecodeError(f"SADP answer without elements: root is {document.root!r}")
    return SadpAnswer(root=document.root, items=items)


def search_message(uuid: UUID) -> bytes:
    """The inquiry; any UUID, upper case, comes back in the answer."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Probe><Uuid>{str(uuid).upper()}</Uuid><Types>inquiry</Types></Probe>"
    ).encode("ascii")
