"""What do all makers' own search answers have in common?"""

from __future__ import annotations

from msgspec import Struct

from camscan.decode.collect import Collector
from camscan.decode.layout import mac_of_text
from camscan.model.observation import Fields


class SearchAnswer(Struct, frozen=True, kw_only=True):
    """An answer of one of the small search protocols; `items` are its parts as `(name, text)`."""

    protocol: str
    model: str = ""
    name: str = ""
    mac: str = ""
    ipv4: str = ""
    serial: str = ""
    firmware: str = ""
    dns: tuple[str, ...] = ()
    uid: str = ""
    port: int | None = None
    items: tuple[tuple[str, str], ...] = ()

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.VENDOR_DISC]`."""
        out = Collector()
        out.add("protocol", self.protocol)
        out.add("model", self.model)
        out.add("name", self.name)
        out.add("mac", mac_of_text(self.mac))
        out.add("ipv4-address", self.ipv4)
        out.add("serial", self.serial)
        out.add("firmware", self.firmware)
        out.add("dns", *self.dns)
        out.add("uid", self.uid)
        out.add("port", self.port)
        out.add("field", *(f"{name}={text}" for name, text in self.items if text))
        return out.done()
