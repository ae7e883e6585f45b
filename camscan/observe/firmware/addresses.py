"""Where in these bytes do IPv4 and IPv6 addresses stand, and which quads of numbers are something else?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from camscan.observe.firmware.anchors import Anchors, matches
from camscan.observe.firmware.found import Found, surroundings, url_parts
from camscan.observe.firmware.names import ANCHORS, REPEATS, Budget

_QUAD = re.compile(rb"\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\d)")
_SIX = re.compile(rb"2[0-9a-fA-F]{3}:[0-9a-fA-F:]{2,35}")
_DIGITS = b"0123456789"
_VERSION = re.compile(
    r"(?:\bv(?:er(?:sion)?s?)?|version|firmware|\bfw|release|\brev(?:ision)?|build|sdk|gcc|lib\w*|driver|chrome|safari|edge|opera|msie|mozilla|android|software|appver|sysver|\bsw)"
    r"[\w\"'\]]{0,24}[\s:=\"'>/_(,-]{0,8}$",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(
    r"(?:(?<![a-z])ip|addr|address|host|server|svr|srv|dns|ntp|gateway|gw|master|domain|url|peer|remote|broker|relay|stun|(?<![a-z])turn|nameserver|proxy|connect|ping|route)"
    r"[\w\"'\].-]{0,20}[\s:=\"'>,(\[@-]{0,8}$",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"([\d.]*\.[\d.]+)[ ,-]$|[MmLlHhVvCcSsQqTtAaZz]-?[\d.]+[ ,]?$")
_AFTER = re.compile(r"[ ,-]-?([\d.]*\.[\d.]*\d)")
_WHOLE = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}\.?")
_MASK = re.compile(r"255\.\d+\.\d+\.\d+|0\.\d+\.\d+\.\d+|127\.\d+\.\d+\.\d+")


def find(data: bytes | memoryview, budget: Budget, anchors: Anchors) -> Iterator[Found]:
    """Every text that is an address by its form, in order of kind and place."""
    repeats: dict[str, int] = {}
    for number, match in enumerate(matches(_QUAD, data, anchors.quads)):
        if number > ANCHORS:
            budget.exceeded = True
            return
        before = bytes(data[max(0, match.start() - 4) : match.start()])
        head = before[len(before.rstrip(_DIGITS)) :]
        if not 1 <= len(head) <= 3:
            continue
        text = (
            (head + match[0]).decode("ascii")
            if isinstance(data, bytes)
            else (head + bytes(match[0])).decode("ascii")
        )
        if _MASK.fullmatch(text) or any(
            int(n) > 255 or (len(n) > 1 and n[0] == "0") for n in text.split(".")
        ):
            continue
        repeats[text] = repeats.get(text, 0) + 1
        if (
            repeats[text] <= REPEATS
            and (found := _at(data, match.start() - len(head), text)) is not None
        ):
            yield found
    for number, match in enumerate(matches(_SIX, data, anchors.sixes)):
        if number > ANCHORS:
            budget.exceeded = True
            return
        text = (
            bytes(match[0]).decode("ascii").rstrip(":")
            if not bytes(match[0]).endswith(b"::")
            else bytes(match[0]).decode("ascii")
        )
        if text.count(":") < 3 or ("::" not in text and text.count(":") != 7):
            continue
        try:
            address = ipaddress.IPv6Address(text)
        except ValueError:
            continue
        repeats[text] = repeats.get(text, 0) + 1
        if (
            repeats[text] <= REPEATS
            and (found := _at(data, match.start(), text, str(address))) is not None
        ):
            yield found


def _at(data: bytes | memoryview, start: int, text: str, host: str = "") -> Found | None:
    left, right, far_left, far_right = surroundings(data, start, start + len(text))
    # A letter, a dot or a stroke on either side: part of a longer number or of a word.
    if left[-1:].isalnum() or left[-1:] in {".", "_"} or right[:1].isalnum() or right[:1] == "_":
        return None
    if (
        re.match(r"\.\d|[-]\w|~\d", right)
        or (left[-1:] == "-" and not left.endswith(" -"))
        or left[-1:] > "\x7f"
    ):
        return None
    if _drawing(left, right):
        return None
    scheme, port, path = url_parts(left, right)
    return Found(
        host=host or text, start=start, length=len(text), left=left, right=right, far_left=far_left, far_right=far_right,
        scheme=scheme, port=port, path=path, address=True,
    )  # fmt: skip


def _drawing(left: str, right: str) -> bool:
    """Between numbers of a drawing's path `3.51.98.32` is four of them, not an address."""
    before, after = _BEFORE.search(left[-24:]), _AFTER.match(right)
    if before is not None:
        return before[1] is None or not _WHOLE.fullmatch(before[1])
    return after is not None and not _WHOLE.fullmatch(after[1])


def kind_of(found: Found) -> tuple[str, str]:
    """(class, why) of what is no public host address; ("", "") for one that may be."""
    try:
        address = ipaddress.ip_address(found.host)
    except ValueError:
        return "version_number", "no address"
    parts = [int(n) for n in found.host.split(".")] if address.version == 4 else []
    if parts and parts[0] in {1, 2} and parts[1] < 6 and _object_identifier(found, parts):
        return "object_identifier", "four numbers of an X.509 object identifier"
    if not found.scheme and parts and _version(found, parts):
        return "version_number", "four numbers in the place of a version"
    if address.is_multicast:
        return "multicast_address", "a group address"
    if not address.is_global:
        return "private_address", "an address of private or special use (RFC 6890)"
    if (
        parts
        and (parts[3] in {0, 255} and parts[0] < 224)
        and not found.scheme
        and found.port is None
    ):
        return "network_address", "ends as networks and broadcast addresses do"
    return "", ""


def _version(found: Found, parts: list[int]) -> bool:
    left = found.left[-48:]
    if _ADDRESSED.search(left):
        return False
    if _VERSION.search(left):
        return True
    if found.port is not None:
        return False
    return _small(parts) and not _company(found)


def _small(parts: list[int]) -> bool:
    """Three numbers below 20: versions are counted up, addresses are not (`4.9.6.156`)."""
    return sum(n < 20 for n in parts) >= 3


def _company(found: Found) -> bool:
    """Whether addresses of another form, or names, stand in the same string."""
    near = f"{found.left[-64:]} {found.right[:64]}"
    if re.search(r"\w\.(?:com|net|org|cn)\b", near):
        return True
    quads = re.findall(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\d.])", near)
    return any(not _small([int(n) for n in quad]) for quad in quads)


def _object_identifier(found: Found, parts: list[int]) -> bool:
    near = found.far_left[-64:] + " " + found.far_right[:64]
    if re.search(r"(?<![\d.])[012]\.\d{1,2}\.\d{1,6}\.\d{1,6}\.\d", near):
        return True
    return (
        parts[:2] in ([2, 5], [1, 3])
        and found.port is None
        and not _ADDRESSED.search(found.left[-48:])
    )
