"""Which program and version does an SSH identification string name (RFC 4253 section 4.2)?"""

from __future__ import annotations

import re

from msgspec import Struct

from camscan.decode.collect import collect
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

_IDENT = re.compile(r"^SSH-([^-\s]{1,16})-([^\s]{0,256})(?:[ \t]{1,8}(.{0,256}))?$")


class SshIdentification(Struct, frozen=True):
    """`SSH-2.0-dropbear_2019.78 comment`."""

    protocol: str
    software: str
    comment: str
    line: str

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.SSH]`."""
        return collect(
            (
                ("protocol", self.protocol),
                ("software", self.software),
                ("comment", self.comment),
                ("banner", self.line),
            )
        )


def parse(data: bytes) -> SshIdentification:
    """Read the first line that begins with `SSH-`; raises DecodeError when there is none."""
    for raw in data[:8192].replace(b"\r", b"\n").split(b"\n")[:64]:
        line = decode_text(raw).strip("\x00 ")
        match = _IDENT.match(line)
        if match is not None:
            return SshIdentification(match[1], match[2], (match[3] or "").strip(), line)
    raise DecodeError("no SSH identification string (`SSH-2.0-...`)")
