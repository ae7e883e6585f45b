"""What does a telnet server show before a login (RFC 854, 855)?"""

from __future__ import annotations

import re

from msgspec import Struct

from camscan.decode.collect import Collector
from camscan.decode.text import clean_lines, decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_IAC, _SB, _SE = 255, 250, 240
_VERBS = {251: "WILL", 252: "WONT", 253: "DO", 254: "DONT"}
_OPTIONS = {
    0: "binary",
    1: "echo",
    3: "suppress-go-ahead",
    5: "status",
    6: "timing-mark",
    24: "terminal-type",
    31: "window-size",
    32: "terminal-speed",
    33: "flow-control",
    34: "linemode",
    36: "environment",
    37: "authentication",
    38: "encryption",
    39: "new-environment",
}
_LOGIN = re.compile(r"login:|username:|user name:|password:|account:", re.IGNORECASE)


class TelnetGreeting(Struct, frozen=True):
    """Text without commands, the options in order (`DO echo`), and the line that asks for a login."""

    text: str
    options: tuple[str, ...]
    login: str

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.TELNET]`; options as one value, joined by `,`."""
        out = Collector()
        out.add("banner", self.text)
        out.add("login", self.login)
        out.add("options", ",".join(self.options[:128]))
        return out.done()


def parse(data: bytes) -> TelnetGreeting:
    """Read a greeting; raises DecodeError when there is neither text nor an option."""
    plain = bytearray()
    options: list[str] = []
    position = 0
    data = data[:65_536]
    while position < len(data):
        start = data.find(_IAC, position)
        if start < 0:
            plain += data[position:]
            break
        plain += data[position:start]
        verb = data[start + 1] if start + 1 < len(data) else _SE
        position = start + 2
        if verb in _VERBS and start + 2 < len(data):
            option = data[start + 2]
            options.append(f"{_VERBS[verb]} {_OPTIONS.get(option, str(option))}")
            position += 1
        elif verb == _SB:
            end = data.find(bytes((_IAC, _SE)), position)
            position = end + 2 if end >= 0 else len(data)
        elif verb == _IAC:  # an escaped data byte ff
            plain.append(_IAC)
    text = clean_lines(decode_text(bytes(plain).replace(b"\r\x00", b"\r")))
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines and not options:
        raise DecodeError("telnet greeting without text and options")
    login = next((line for line in reversed(lines) if _LOGIN.search(line[:512])), "")
    return TelnetGreeting("\n".join(lines), tuple(options), login)
