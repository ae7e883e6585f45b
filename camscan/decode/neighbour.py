"""Which hardware address does a neighbour have (RFC 826, RFC 4861)?"""

from __future__ import annotations

import re

from msgspec import Struct

from camscan.decode.collect import collect
from camscan.decode.layout import mac_of_bytes
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_TEXT = re.compile(r"mac=([0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})(?![0-9A-Fa-f:-])")
_ARP_ETHERNET_IPV4 = bytes.fromhex("000108000604")
_ARP_LENGTH = 28


class Neighbour(Struct, frozen=True):
    """A layer-2 source; the registrant of the block is looked up elsewhere."""

    mac: str

    @property
    def is_local(self) -> bool:
        """Whether the address is locally administered, so that its block says nothing."""
        return bool(int(self.mac[:2], 16) & 0x02)

    def fields(self) -> Fields:
        """Fields mac, oui (`aa:bb:cc`) and local of `FIELDS[Kind.NEIGHBOUR]`."""
        return collect(
            (
                ("mac", self.mac),
                ("oui", self.mac[:8]),
                ("local", "true" if self.is_local else "false"),
            )
        )


def parse(data: bytes) -> Neighbour:
    """Read a 28-byte ARP message or `mac=aa:bb:..`; raises DecodeError otherwise."""
    if len(data) >= _ARP_LENGTH and data[:6] == _ARP_ETHERNET_IPV4:
        mac = mac_of_bytes(data[8:14])
        if not mac:
            raise DecodeError("ARP message with a sender address of zeros")
        return Neighbour(mac)
    match = _TEXT.search(decode_text(data[:512]))
    if match is None:
        raise DecodeError("neither an ARP message nor `mac=aa:bb:cc:dd:ee:ff`")
    return Neighbour(match[1].replace("-", ":").lower())
