"""What does a service send before it is asked anything?"""

from __future__ import annotations

from msgspec import Struct

from camscan.decode.collect import collect
from camscan.decode.text import decode_text
from camscan.errors import DecodeError
from camscan.model.observation import Fields

MAX_HEX = 256
"""Bytes shown as hex."""


class Greeting(Struct, frozen=True):
    """First bytes of a connection, and the port they came from."""

    data: bytes
    port: int | None

    def fields(self) -> Fields:
        """Fields of `FIELDS[Kind.GREETING]`."""
        return collect(
            (
                ("port", self.port),
                ("hex", self.data[:MAX_HEX].hex()),
                ("text", decode_text(self.data)),
                ("length", len(self.data)),
            )
        )


def parse(data: bytes, port: int | None = None) -> Greeting:
    """Keep the bytes; raises DecodeError when there are none."""
    if not data:
        raise DecodeError("empty greeting")
    return Greeting(data, port)
