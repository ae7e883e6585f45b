"""Which ONVIF answers differ only in the time of day?

The answer to GetSystemDateAndTime is different every second and the same otherwise. Its digits reach
whole texts too (`body`, `path`), so what signatures find in those is looked at every time.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from camscan.decode import xml
from camscan.errors import DecodeError
from camscan.identify.match import Matcher
from camscan.identify.resolve import IDENTITY
from camscan.identify.told import Finds
from camscan.model.knowledge import Signature, Test
from camscan.model.observation import Kind

_BEGIN, _END = b"UTCDateTime>", b"DateTime>"
_NUMBER = re.compile(rb">[0-9]{1,2}(?=<)")
_DIGITS = frozenset({*(str(n) for n in range(10)), *(f"{n:02}" for n in range(100))})
"""All that `_NUMBER` leaves out."""
_UNITS = frozenset({"Hour", "Minute", "Second", "Year", "Month", "Day"})
_TEXT = re.compile(rb"[ -~\t\n]*")
_MAX = 32_000
_PATHS = 1024
_LONGEST = 512
"""Characters of a path that is looked at."""
_WHOLE = frozenset({"body", "path"})
"""Fields that hold the digits among other things."""
_PACKED = re.compile(rb"^(?:transfer|content)-encoding:|text/plain", re.IGNORECASE | re.MULTILINE)
"""A body that is not what stands there, or is read line by line."""


class Clock:
    """For the signatures of one Matcher."""

    def __init__(self, matcher: Matcher, finds: Finds) -> None:
        self._finds = finds
        self._proven: dict[str, bool] = {}
        asked = matcher.asked(Kind.ONVIF)
        conditions = [c for s in matcher.signatures_for(Kind.ONVIF) for c in s.when]
        tests = {c.test for c in conditions if c.field == "utc-time"}
        digest = "body-sha256" in asked
        self._possible = not digest and tests <= {Test.PRESENT} and not finds.reads("utc-time")

    def of(self, body: bytes) -> Hashable:
        """The body without the digits of its clock, and the conditions that hold for all of it."""
        begin = body.find(_BEGIN)
        if begin < 0 or not self._possible:
            return body
        end = body.rfind(_END)
        left = body[:begin] + _NUMBER.sub(b">0", body[begin:end]) + body[end:]
        return left, self._finds.every("body", body.decode("latin-1"))

    def alike(self, head: bytes, body: bytes, holding: Sequence[Signature]) -> bool:
        """Whether the digits make no difference but in the conditions that are looked at every time."""
        begin = body.find(_BEGIN)
        if begin < 0 or not self._possible:
            return True
        if _PACKED.search(head) or len(body) > _MAX or not _TEXT.fullmatch(body) or b"<!" in body:
            return False
        if any(e.attribute in IDENTITY and e.field in _WHOLE for s in holding for e in s.extract):
            return False
        try:
            document = xml.parse(body)
        except DecodeError:
            return False
        digits = [leaf for leaf in document.leaves if leaf.text in _DIGITS and _timed(leaf)]
        left_out = len(_NUMBER.findall(body[begin : body.rfind(_END)]))
        return (
            document.well_formed
            and len(digits) == left_out
            and all(self._any_digits("/".join(leaf.path)) for leaf in digits)
        )

    def _any_digits(self, path: str) -> bool:
        """Whether the field `path` meets the same conditions whatever the digits are."""
        if len(path) > _LONGEST:
            return False
        known = self._proven.get(path)
        if known is None:
            told = {self._finds.every("path", f"{path}={digits}") for digits in _DIGITS}
            known = len(told) == 1
            if len(self._proven) < _PATHS:
                self._proven[path] = known
        return known


def _timed(leaf: xml.Leaf) -> bool:
    return leaf.name in _UNITS and any(name.endswith("DateTime") for name in leaf.path)
