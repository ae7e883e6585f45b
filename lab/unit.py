"""What is one emulated device: its addresses, names and the text of its placeholders?"""

from __future__ import annotations

import datetime as dt
import random
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from ipaddress import IPv4Address

from lab.persona import Persona

TOKENS = frozenset(
    (
        "ip",
        "real-ip",
        "ip-hex-le",
        "mac",
        "MAC",
        "mac-dashes",
        "MAC-DASHES",
        "mac-plain",
        "MAC-PLAIN",
        "serial",
        "uuid",
        "UUID",
        "model",
        "firmware",
        "build_date",
        "date",
        "iso-date",
        "nonce",
        "length",
        "cseq",
        "path",
        "host",
        "port",
        "gateway",
        "mask",
        "n",
        "st",
        "probe-uuid",
        "new-uuid",
        "bait-reboot",
        "bait-printer",
        "bait-outside",
        "camera",
    )
)
_TOKEN = re.compile(r"\{([A-Za-z][A-Za-z_-]*)(?::(\d+))?\}")
_FIRST_OFFSET_PORT = 1024


@dataclass(slots=True)
class Baits:
    """Addresses a device may point at to tempt a scanner."""

    reboot: str = ""
    printer: str = ""
    outside: str = "http://198.51.100.251/device.xml"
    camera: str = ""
    """Address of that other camera, for a router's table of port mappings."""


@dataclass(slots=True)
class Unit:
    """One emulated device. Several may share an address (`host`) on different ports."""

    number: int
    persona: Persona
    address: str
    mac: str
    segment: str
    gateway: str = ""
    mask: str = "255.255.255.0"
    port_map: Mapping[int, int] = field(default_factory=dict)
    """Port of the persona -> port on this address, where several units share one address."""
    port_offset: int = 0
    baits: Baits = field(default_factory=Baits)
    serial: str = ""
    uuid: str = ""
    foreign: bool = False
    place: str = ""
    asset: str | None = None
    behind: int | None = None
    """Number of the recorder that shows this camera as a channel."""
    reachable: bool = True

    def port(self, number: int) -> int:
        """Port as the client sees it."""
        number = self.port_map.get(number, number)
        return number + self.port_offset if number < _FIRST_OFFSET_PORT else number

    def text(self, template: str, **extra: str) -> str:
        """The template with all placeholders replaced but `{length}`."""
        if "{" not in template:
            return template

        def value(match: re.Match[str]) -> str:
            name, number = match.group(1), match.group(2)
            if name in extra:
                return extra[name]
            return self._value(name, number, match.group(0))

        return _TOKEN.sub(value, template)

    def _value(self, name: str, number: str | None, whole: str) -> str:
        truth = self.persona.truth
        stated = self.persona.quirks.stated_ip or self.address
        if name == "ip":
            return stated
        if name == "real-ip":
            return self.address
        if name == "ip-hex-le":
            return "0x" + IPv4Address(stated).packed[::-1].hex().upper()
        if name in {"mac", "MAC", "mac-dashes", "MAC-DASHES", "mac-plain", "MAC-PLAIN"}:
            form = {"dashes": "-", "plain": ""}.get(name.lower().partition("-")[2], ":")
            text = self.mac.replace(":", form)
            return text.upper() if name.startswith("MAC") else text
        if name == "serial":
            return self.serial
        if name == "uuid":
            return self.uuid
        if name == "UUID":
            return self.uuid.upper()
        if name in {"model", "firmware", "build_date"}:
            return str(getattr(truth, name) or "")
        if name == "date":
            return format_datetime(dt.datetime.now(dt.UTC), usegmt=True)  # noqa: TID251 (the lab's devices have a real clock)
        if name == "iso-date":
            return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251 (as above)
        if name == "nonce":
            return f"{random.getrandbits(256):064x}"[: int(number or 32)]
        if name == "port" and number:
            return str(self.port(int(number)))
        if name == "new-uuid":
            return str(uuid.UUID(int=random.getrandbits(128), version=4))
        if name == "gateway":
            return self.gateway
        if name == "mask":
            return self.mask
        if name == "n":
            return str(self.number)
        if name == "camera":
            return self.baits.camera or self.gateway
        if name.startswith("bait-"):
            return str(getattr(self.baits, name.removeprefix("bait-"), whole))
        return whole


def make_serial(pattern: str, rng: random.Random) -> str:
    """`#` a digit, `@` an upper-case hex digit, `^` an upper-case letter."""
    choices = {"#": "0123456789", "@": "0123456789ABCDEF", "^": "ABCDEFGHJKLMNPQRSTUVWXYZ"}
    return "".join(rng.choice(choices[c]) if c in choices else c for c in pattern)


def make_mac(prefix: str, rng: random.Random, taken: set[str]) -> str:
    """A MAC below the registrant's prefix that nobody has yet."""
    octets = prefix.split(":")
    while True:
        rest = [f"{rng.randrange(256):02x}" for _ in range(6 - len(octets))]
        mac = ":".join((*octets, *rest))
        if mac not in taken:
            taken.add(mac)
            return mac
