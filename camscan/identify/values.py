"""When do two texts of one attribute state the same value?"""

from __future__ import annotations

import functools
import re

from camscan.decode.versions import build_date, version_tuple
from camscan.model.claim import Attribute, Role

_HEX_PAIR = re.compile(r"[0-9a-f]{12}")
_NOT_HEX = re.compile(r"[^0-9a-f]")
_MAC_TEXT = 64
"""Characters of the longest text that is looked at for a MAC."""
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_PRODUCED = re.compile(r"(?<=[A-Z0-9)])20\d{6}[A-Z]{2,6}\d{6,}$")
"""Day of production, market and number behind a model: together a serial number (`DS-2CD2143G2-I20240318AAWRF44212124`)."""
_NOT_WORD = re.compile(r"[^0-9a-z]+")
_MIN_PART = 5
"""Characters below which one text inside another says nothing."""
_MIN_NUMBERS = 3
"""Parts of a version from which it is recognised behind a name."""
_TOKEN = re.compile(r"\d+|[a-z]+")
_FILLERS = frozenset({"build", "rel", "release", "date", "version", "ver", "v"})
"""Words that firmware texts put between version and build."""
_MARKUP = re.compile(r"[<>`{}$|\\\"]|^[=+@]|['(].*[')]|://")
"""What no maker prints in a model, version or serial number, and an attacker does."""

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
    return _mac(text) if len(text) <= _MAC_TEXT else ""


@functools.lru_cache(maxsize=4096)
def _mac(text: str) -> str:
    digits = _NOT_HEX.sub("", text.casefold())
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
    if attribute is Attribute.BUILD_DATE and (built := build_date(text)) is not None:
        return built.isoformat()
    if attribute is Attribute.MODEL:
        return _PRODUCED.sub("", text.strip())
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
        case Attribute.CHANNELS_ANNOUNCED:
            # One interface counts the analogue inputs, one the network channels, one their sum.
            return left.isdecimal() and right.isdecimal()
        case Attribute.DEVICE_NAME:
            return True  # a free text per protocol; owners rename only some of them
        case _:
            return left.casefold() == right.casefold()


def detail(value: str) -> tuple[int, int, int, str]:
    """Sort key: the value that says more comes last, a larger number after a smaller one.

    Of two spellings the one with more capitals: host names say `dcs-935l` where the maker prints `DCS-935L`.
    """
    number = int(value) if value.isdecimal() and len(value) < 9 else 0
    capitals = sum(map(str.isupper, value))
    return (len(_NOT_WORD.sub("", value.casefold())), number, capitals, value)


def plain(value: str) -> bool:
    """Whether a text could be a name or number that a maker prints: no markup, no formula."""
    return _MARKUP.search(value) is None


def narrower(left: str, right: str) -> str:
    """Of two roles that agree, the one that says more."""
    return right if any(left == wide and right in narrow for wide, narrow in NARROWER) else left


def prefix_words(longer: str, shorter: str) -> str:
    """The words before `shorter` where `longer` is exactly words and `shorter`: `VIGI` of `VIGI C340`.

    Empty where it is not so, or where the words are no names (they hold a digit).
    """
    one, two = longer.casefold().split(), shorter.casefold().split()
    before = one[: len(one) - len(two)]
    named = before and two and one[len(before) :] == two and any(c.isdigit() for c in shorter)
    if not named or any(c.isdigit() for word in before for c in word):
        return ""
    return " ".join(longer.split()[: len(before)])


def _one_in_other(left: str, right: str) -> bool:
    a, b = (_NOT_WORD.sub("", t.casefold()) for t in (left, right))
    if a == b and a:
        return True
    if not (plain(left) and plain(right)):
        return False
    if prefix_words(left, right) or prefix_words(right, left):
        return True
    short, long = sorted((a, b), key=len)
    return len(short) >= _MIN_PART and (long.startswith(short) or long.endswith(short))


def _same_firmware(left: str, right: str) -> bool:
    """`V5.4.5` and `V5.4.5 build 170124` agree; `5.4.5` and `5.4.50` do not."""
    if not (plain(left) and plain(right)):
        return False
    a, b = version_tuple(left), version_tuple(right)
    if not a or not b:
        return _one_in_other(left, right)
    built_left, built_right = build_date(left), build_date(right)
    shared = min(len(a), len(b))
    if built_left and built_right:
        return built_left == built_right and a[:shared] == b[:shared]
    short, long = sorted((_version_tokens(left), _version_tokens(right)), key=len)
    if len(short) > 1 and long[: len(short)] == short:
        return True
    # `BZ.qca956x.v4.3.28` carries the name of the build in front of 4.3.28.
    return len(short) >= _MIN_NUMBERS and any(
        long[n : n + len(short)] == short and not long[n - 1].isdigit()
        for n in range(1, len(long) - len(short) + 1)
    )


def _version_tokens(text: str) -> list[str]:
    """`V5.4.5build 170124` -> 5, 4, 5, 170124."""
    found = [t.lstrip("0") or "0" for t in _TOKEN.findall(text.casefold())]
    return [t for t in found if t not in _FILLERS]
