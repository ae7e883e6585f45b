"""When do two texts of one attribute state the same value?"""

from __future__ import annotations

import re

from camscan.decode.versions import build_date, version_tuple
from camscan.model.claim import Attribute, Role

_HEX_PAIR = re.compile(r"[0-9a-f]{12}")
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_NOT_WORD = re.compile(r"[^0-9a-z]+")
_MIN_PART = 5
"""Characters below which one text inside another says nothing."""

NARROWER: tuple[tuple[str, frozenset[str]], ...] = (
    (
        Role.VIDEO_DEVICE,
        frozenset(
            {
                Role.CAMERA,
                Role.RECORDER,
                Role.ENCODER,
                Role.DOORBELL,
                Role.INTERCOM,
                Role.VIDEO_SERVER,
            }
        ),
    ),
    # A doorbell is a camera with a button; an encoder is a video server with fewer inputs.
    (Role.CAMERA, frozenset({Role.DOORBELL})),
    (Role.INTERCOM, frozenset({Role.DOORBELL})),
    (Role.VIDEO_SERVER, frozenset({Role.ENCODER, Role.RECORDER})),
)
"""Wider role -> roles that are a case of it."""


def mac(text: str) -> str:
    """`aa:bb:cc:dd:ee:ff`, or empty if it is no unicast MAC a device could own."""
    digits = re.sub(r"[^0-9a-f]", "", text.casefold())
    if not _HEX_PAIR.fullmatch(digits) or digits in {"0" * 12, "f" * 12}:
        return ""
    if int(digits[:2], 16) & 1:
        return ""  # group address
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def uuid(text: str) -> str:
    """Lower case with dashes; other texts lower case without `urn:uuid:`; empty for the nil UUID."""
    plain = text.casefold().strip().removeprefix("urn:").removeprefix("uuid:")
    found = _UUID.search(plain)
    if found is None:
        return plain
    digits = found.group().replace("-", "")
    if not digits.strip("0"):
        return ""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def normal(attribute: Attribute, text: str) -> str:
    """The text in the one form in which values of this attribute are compared and printed."""
    if attribute is Attribute.MAC:
        return mac(text)
    if attribute is Attribute.UUID:
        return uuid(text)
    return text.strip()


def same(attribute: Attribute, left: str, right: str) -> bool:
    """Whether two values of one attribute can both be true of one device; symmetric.

    Relations between parties and brands are not looked at here: see relations.py.
    """
    if left == right:
        return True
    match attribute:
        case Attribute.ROLE:
            return any(
                (left == wide and right in narrow) or (right == wide and left in narrow)
                for wide, narrow in NARROWER
            )
        case Attribute.MODEL | Attribute.SERIAL:
            return _one_in_other(left, right)
        case Attribute.FIRMWARE:
            return _same_firmware(left, right)
        case Attribute.DEVICE_NAME:
            return True  # a free text per protocol; owners rename only some of them
        case _:
            return left.casefold() == right.casefold()


def detail(value: str) -> tuple[int, str]:
    """Sort key: the value that says more comes last."""
    return (len(_NOT_WORD.sub("", value.casefold())), value)


def narrower(left: str, right: str) -> str:
    """Of two roles that agree, the one that says more."""
    return right if any(left == wide and right in narrow for wide, narrow in NARROWER) else left


def _one_in_other(left: str, right: str) -> bool:
    a, b = (_NOT_WORD.sub("", t.casefold()) for t in (left, right))
    if a == b and a:
        return True
    short, long = sorted((a, b), key=len)
    return len(short) >= _MIN_PART and (long.startswith(short) or long.endswith(short))


def _same_firmware(left: str, right: str) -> bool:
    """`V5.4.5` and `V5.4.5 build 170124` agree; `5.4.5` and `5.4.50` do not."""
    a, b = version_tuple(left), version_tuple(right)
    if not a or not b:
        return _one_in_other(left, right)
    built_left, built_right = build_date(left), build_date(right)
    if built_left and built_right and built_left != built_right:
        return False
    shared = min(len(a), len(b))
    return shared > 1 and a[:shared] == b[:shared]
