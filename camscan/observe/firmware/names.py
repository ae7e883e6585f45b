"""Where in these bytes do texts stand that are built like host names?

Anchored on the dot before a last label of the public DNS, then looking back (facts: firmware 6). What a
text means is decided elsewhere; here neighbours that run together are parted, and templates keep their
variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from camscan.observe.firmware.anchors import matches
from camscan.observe.firmware.found import Found, surroundings, url_parts
from camscan.observe.firmware.shape import service_name
from camscan.observe.firmware.suffixes import STRONG, Suffixes, strength

_ANCHOR = re.compile(
    rb"\.(?:[A-Za-z]{2,24}(?![A-Za-z0-9_-])|\x00[A-Za-z0-9]\x00[A-Za-z0-9]|(?:com|net|org|cn)(?=[a-z]))"
)
_HOST = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
_TEXT = re.compile(rb"[\x20-\x7e]*")
_LONGEST = 255
ANCHORS = 1_500_000
"""Dots looked at in one file."""
CANDIDATES = 200_000
"""Texts with the ending of a host that are looked at in one file."""
REPEATS = 24
"""Times the same text is looked at in one file."""
_VERB = re.compile(
    r"(?:POST|GET|PUT|HEAD|DELETE|PATCH|CONNECT|OPTIONS|HOST|Host|HTTP|HTTPS|URL)(?=[a-z0-9])"
)
_VARIABLE = frozenset({b"%", b"}", b">", b"$", b"*", b"\\"})
"""What stands right before a name that may begin with a variable or an escape."""
_CONVERSION = re.compile(r"[-+0-9.*]{0,6}(?:l{1,2}|h{1,2}|z)?[sdiuxXc]")
_ESCAPE_HEX = re.compile(r"(?:2[fF]|3[aAdD]|40|26|20|22)")
_GLUED = ("com", "net", "org", "cn", "gov", "edu", "io", "tw", "hk", "jp", "us", "eu", "de", "ru")

_SEAM = re.compile(rf"\.(?:{'|'.join(_GLUED)})[^.]", re.IGNORECASE)

Known = Callable[[str], bool]
"""Whether signatures/ name a host or a name above it."""


class Budget:
    """Counts what was looked at, so that no file costs more than it may."""

    def __init__(self) -> None:
        self.seen = 0
        self.candidates = 0
        self.exceeded = False


def find(
    data: bytes | memoryview,
    suffixes: Suffixes,
    known: Known,
    *,
    skip_words: bool,
    budget: Budget,
    dots: list[int] | None = None,
) -> Iterator[Found]:
    """Every text of the shape, in order. `skip_words`: leave out endings that are words of code.

    `dots`: the only places to look at, from anchors; None for all bytes.
    """
    repeats: dict[bytes, int] = {}
    wide_end = -1
    for match in matches(_ANCHOR, data, dots):
        budget.seen += 1
        if budget.seen > ANCHORS:
            budget.exceeded = True
            return
        dot, end = match.span()
        ending = bytes(data[dot + 1 : end])
        if ending[:1] == b"\0":
            if dot >= wide_end and (wide := _wide_run(data, dot)) is not None:
                wide_end = wide[1]
                yield from _wide(data, wide, suffixes, known)
            continue
        lower = ending.lower()
        if lower not in suffixes.endings or ending not in {lower, ending.upper()}:
            continue
        if (
            skip_words
            and strength(lower.decode()) < STRONG
            and bytes(data[end : end + 1]) not in {b'"', b"'", b"`", b"/", b":"}
        ):
            continue
        tail = bytes(data[end : end + 2])
        if tail[:1] == b"." and tail[1:2].isalnum():
            continue
        window = bytes(data[max(0, dot - _LONGEST) : dot])
        run = window[len(window.rstrip(_HOST)) :]
        if not run or len(run) >= _LONGEST:
            continue
        text = run + b"." + ending
        repeats[text] = repeats.get(text, 0) + 1
        if repeats[text] > REPEATS:
            continue
        budget.candidates += 1
        if budget.candidates > CANDIDATES:
            budget.exceeded = True
            return
        glued = tail[:1].isalpha()
        yield from _parts(
            data,
            window,
            dot - len(run),
            text.decode("ascii"),
            suffixes=suffixes,
            known=known,
            cut=glued,
        )


def _parts(
    data: bytes | memoryview,
    window: bytes,
    start: int,
    text: str,
    *,
    suffixes: Suffixes,
    known: Known,
    cut: bool,
    step: int = 1,
) -> Iterator[Found]:
    template, start, text = _template(window, start, text, step)
    if template and text.startswith("%swww."):
        template, start, text = False, start + 2 * step, text[2:]
    if not template:
        if match := _VERB.match(text):
            text = text[match.end() :]
            start += match.end() * step
            verb = True
        else:
            verb = False
        pieces = list(_split(text, suffixes, known))
        for place, piece in pieces:
            host = piece.lower()
            if not suffixes.host(host):
                continue
            if cut and not (known(host) and len(piece) % 4 == 0):
                continue
            yield _found(
                data,
                start + place * step,
                piece,
                host,
                template=False,
                split=cut or verb or len(pieces) > 1,
                step=step,
            )
        return
    fixed = re.split(r"[%${}<>*\[\]]", text)[-1].lower()
    fixed = fixed.partition(".")[2]
    if not suffixes.host(fixed) or cut:
        return
    host = f"*{text}".lower() if text.startswith(".") else text
    if not text.startswith("."):
        cutting = len(text) - len(fixed)
        host = text[:cutting] + fixed
    yield _found(data, start, text, host, template=True, split=False, step=step)


def _found(
    data: bytes | memoryview,
    start: int,
    text: str,
    host: str,
    *,
    template: bool,
    split: bool,
    step: int,
) -> Found:
    length = len(text) * step
    left, right, far_left, far_right = surroundings(data, start, start + length, step)
    scheme, port, path = url_parts(left, right)
    return Found(
        host=host, start=start, length=length, basis="plain" if step == 1 else "utf16", left=left, right=right,
        far_left=far_left, far_right=far_right, scheme=scheme, port=port, path=path, template=template, split=split,
    )  # fmt: skip


def _template(window: bytes, start: int, text: str, step: int) -> tuple[bool, int, str]:
    """Whether variables belong to the name, and where it begins with them."""
    run = len(text.rpartition(".")[0])
    if text[0] not in "-_." and window[-run - 1 : -run] not in _VARIABLE:
        return False, start, text
    plain = text.lstrip("-_")
    start += (len(text) - len(plain)) * step
    text = plain
    # `window` ends where the last dot stands; what lies before the text in it:
    last = text.rpartition(".")[0]
    before = window[: len(window) - len(last)].decode("latin-1")
    if text.startswith("."):
        text = text.lstrip(".") if text.startswith("..") else text
        if not text.startswith("."):
            return False, start + (len(plain) - len(text)) * step, text
    while before:
        previous = before[-1]
        if previous == "%":
            if _ESCAPE_HEX.match(text) and not text.startswith("2d"):
                return False, start + 2 * step, text[2:]
            if not (match := _CONVERSION.match(text)) or match.end() >= len(text):
                break
            grown = 1
        elif previous == "}" and text[0] in ".-":
            opened = before[-48:].rfind("{")
            if opened < 0:
                break
            grown = len(before[-48:]) - opened
            grown += len(before) > grown and before[-grown - 1] in "$#"
        elif (
            previous == ">"
            and text[0] in ".-"
            and (match := re.search(r"<[A-Za-z_]{1,24}>$", before))
        ):
            if (
                match.start() == 0
                or before[match.start() - 1] in " \t\n\r>"
                or text.startswith(".")
            ):
                break
            grown = len(match[0])
        elif (previous == "$" and re.match(r"[A-Za-z_]\w{0,30}[.-]", text)) or (
            previous == "*" and text[0] == "."
        ):
            grown = 1
        else:
            break
        text = before[-grown:] + text
        start -= grown * step
        before = before[:-grown]
        more = before[len(before.rstrip(_HOST.decode())) :]
        text, start, before = (
            more + text,
            start - len(more) * step,
            before[: len(before) - len(more)],
        )
    if re.search(r"[%$*{<]", text) or text.startswith("."):
        return True, start, text
    if before.endswith("\\") and text[0] in "nrtbfv" and len(text) > 4:
        return False, start + step, text[1:]
    return False, start, text


def _split(text: str, suffixes: Suffixes, known: Known) -> Iterator[tuple[int, str]]:
    """The names in a run; fixed-width slots that are full have nothing between them."""
    place = 0
    while (end := _seam(text[place:], suffixes, known)) is not None:
        yield place, text[place : place + end]
        place += end
    yield place, text[place:]


def _seam(text: str, suffixes: Suffixes, known: Known) -> int | None:
    if _SEAM.search(text) is None:
        return None
    dot = text.find(".")
    while 0 <= dot < len(text) - 1:
        label = text[dot + 1 :].partition(".")[0]
        for ending in _GLUED:
            if len(label) > len(ending) and label.lower().startswith(ending):
                end = dot + 1 + len(ending)
                if _two(text[:end].lower(), text[end:].lower(), suffixes, known):
                    return end
        dot = text.find(".", dot + 1)
    return None


def _two(left: str, right: str, suffixes: Suffixes, known: Known) -> bool:
    """Whether two names run together here, rather than one label that begins like an ending."""
    if right.startswith(("-", "_", ".")) or not suffixes.host(left):
        return False
    rest = list(_split(right, suffixes, known))
    if not suffixes.host(rest[0][1]):
        return False
    first = rest[0][1]
    if known(left) and known(first):
        return True
    long = left.count(".") >= 2 and first.count(".") >= 2
    slot = len(left) >= 12 and len(left) % 4 == 0
    opens = service_name(first)
    return long and (
        (slot and (opens or len(left) >= 16 or known(left) or known(first)))
        or (known(left) and opens)
        or first.startswith("www.")
    )


def _wide_run(data: bytes | memoryview, dot: int) -> tuple[int, int] | None:
    """(first letter, end) of the text of two bytes a letter that holds this dot."""
    first = max(dot % 2, dot - 2 * _LONGEST)
    first += (dot - first) % 2
    before = bytes(data[first:dot:2])
    gaps = bytes(data[first + 1 : dot : 2])
    count = len(gaps) - len(gaps.rstrip(b"\0"))
    printable = _TEXT.match(before[::-1])
    count = min(count, len(printable[0]) if printable else 0)
    after = bytes(data[dot : dot + 2 * _LONGEST : 2])
    gaps = bytes(data[dot + 1 : dot + 2 * _LONGEST : 2])
    printable = _TEXT.match(after)
    more = min(len(gaps) - len(gaps.lstrip(b"\0")) + 1, len(printable[0]) if printable else 0)
    if count < 2 or more < 3:
        return None
    return dot - 2 * count, dot + 2 * more


def _wide(
    data: bytes | memoryview, run: tuple[int, int], suffixes: Suffixes, known: Known
) -> Iterator[Found]:
    first, end = run
    narrow = bytes(data[first:end:2])
    big_endian = first % 2 == 1
    for found in find(narrow, suffixes, known, skip_words=False, budget=Budget()):
        start = first + 2 * found.start - (1 if big_endian else 0)
        yield Found(
            host=found.host, start=start, length=2 * found.length, basis="utf16", left=found.left, right=found.right,
            far_left=found.far_left, far_right=found.far_right, scheme=found.scheme, port=found.port, path=found.path,
            template=found.template, split=found.split,
        )  # fmt: skip
