"""What does an FTP greeting say (RFC 959 section 4.2)?"""

from __future__ import annotations

import re

from msgspec import Struct

from camscan.decode.collect import Collector
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_REPLY = re.compile(r"^(\d{3})(?:[ -](.*))?$")


class FtpGreeting(Struct, frozen=True):
    """Reply lines: `code` of the first, texts of all."""

    code: str
    lines: tuple[str, ...]

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.FTP]`; banner is all lines in one."""
        out = Collector()
        out.add("code", self.code)
        out.add("text", *self.lines)
        out.add("banner", " ".join(self.lines))
        return out.done()


def parse(data: bytes) -> FtpGreeting:
    """Read a greeting; a banner without a code is kept too. Raises DecodeError when empty."""
    code = ""
    lines: list[str] = []
    for line in decode_text(data[:16_384]).splitlines()[:128]:
        reply = _REPLY.match(line.strip())
        if reply is not None:
            code = code or reply[1]
        text = (reply[2] or "") if reply is not None else line
        if text.strip():
            lines.append(text.strip())
    if not lines and not code:
        raise DecodeError("empty FTP greeting")
    return FtpGreeting(code, tuple(lines))
