"""What does the record of one firmware image say (kind `image`)?"""

from __future__ import annotations

import msgspec

from camscan.decode.collect import Collector
from camscan.errors import DecodeError
from camscan.model.firmware import ImageReport
from camscan.model.observation import Fields

_decode = msgspec.json.Decoder(ImageReport).decode


def report(data: bytes) -> ImageReport:
    """The record; DecodeError where the bytes are none."""
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"no record of an image: {error}") from error


def parse(data: bytes) -> Fields:
    """`fact`: `attribute=value`; `component`: `id version`; `endpoint`: live hosts."""
    found = report(data)
    out = Collector()
    out.add("fact", f"sha256={found.sha256}", *(f"{f.attribute}={f.value}" for f in found.facts))
    out.add("component", *(f"{c.component} {c.version or ''}".strip() for c in found.components))
    out.add("endpoint", *(e.host for e in found.endpoints if e.live))
    return out.done()
