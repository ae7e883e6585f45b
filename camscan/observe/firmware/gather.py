"""Which endpoints does a whole image hold, each once, with its places and its class?"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from camscan.decode.text import clean
from camscan.model.firmware import ImageEndpoint
from camscan.observe.firmware import addresses, names, ppcs, shape
from camscan.observe.firmware.anchors import Anchors
from camscan.observe.firmware.classes import Graded, grade
from camscan.observe.firmware.found import Found
from camscan.observe.firmware.pairs import paired
from camscan.observe.firmware.roles import SOURCE, Role
from camscan.observe.firmware.suffixes import Suffixes
from camscan.observe.firmware.words import Words

MOST = 20_000
"""Endpoints of one image."""
MOST_OF_A_CLASS = 400
"""Informational entries of one class."""
ALSO = 20
_CONTEXT = 200
_BASE64 = re.compile(rb"aHR0c[A-Za-z0-9+/]{8,400}={0,2}")
_URL = re.compile(r"(https?)://([A-Za-z0-9.-]{4,253})(?::(\d{1,5}))?(?:[/?].*)?")
_SECRET = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|psk|credential|auth|(?:access|app|api|private|secret|client|sign)[_-]?key|key|sign)\w{0,12}[\"'\]]?\s{0,3}[:=>,]\s{0,3}[\"']?)([^\s\"'<>,;&]{3,})",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(://[^\s/@:\"'<>]{0,64}:)([^\s/@\"'<>]{1,128})(?=@)")
_TOKEN = re.compile(r"(?<![\w/.-])(?=[A-Za-z0-9+/_-]*\d)[A-Za-z0-9+_-]{24,}={0,2}(?![\w.])")


class Gatherer:
    """Takes files one after the other; gives the endpoints at the end."""

    def __init__(self, suffixes: Suffixes, words: Words) -> None:
        self._suffixes = suffixes
        self._words = words
        self._found: dict[tuple[str, str], ImageEndpoint] = {}
        self._also: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self._blocked: dict[str, str] = {}
        self._classes: Counter[str] = Counter()
        self.dropped = 0
        """Informational entries above MOST_OF_A_CLASS."""

    def take(self, path: str, data: bytes, role: Role, anchors: Anchors) -> bool:
        """Look through one file; False where a limit ended the search before its end."""
        budget = names.Budget()
        for found in names.find(
            data,
            self._suffixes,
            self._words.known,
            skip_words=role in SOURCE,
            budget=budget,
            dots=anchors.names,
        ):
            self._name(path, found, role)
        for found in addresses.find(data, budget, anchors):
            self._add(path, found, grade(found, role, self._words))
        for decoded in ppcs.find(anchors.text, self._suffixes):
            self._decoded(path, decoded)
        if b"aHR0c" in anchors.text:
            for found in _encoded(data, self._suffixes):
                self._add(path, found, grade(found, role, self._words))
        return not budget.exceeded

    def done(self) -> tuple[ImageEndpoint, ...]:
        """Live ones first, then the informational ones, each in order of host and basis."""
        places = {key: tuple(also) for key, also in self._also.items()}
        every = [replace(e, also=places.get(key, ())) for key, e in self._found.items()]
        named = [
            replace(
                e,
                kind="blocked",
                live=False,
                why=f"the firmware itself points this name to its own address ({self._blocked[e.host]})",
            )
            if e.live and e.host in self._blocked
            else e
            for e in every
        ]
        return tuple(
            sorted(
                paired(named, self._suffixes),
                key=lambda e: (not e.live, e.host, e.basis, e.path, e.offset),
            )
        )

    def _name(self, path: str, found: Found, role: Role) -> None:
        known = self._words.known(found.host.lstrip("*."))
        if role is Role.HOSTS or shape.accepted(found, role, known=known):
            self._add(path, found, grade(found, role, self._words))
        elif shape.stands_alone(found) and role not in SOURCE and found.basis == "plain":
            if shape.identifier(found):
                graded = Graded("identifier", live=False, why="a domain written backwards")
            elif shape.source_file(found):
                graded = Graded(
                    "source_name", live=False, why="the name of a source file or library"
                )
            else:
                graded = Graded(
                    "struct_field",
                    live=False,
                    why="a member of a structure, or two words joined by a dot",
                )
            self._add(path, found, graded)

    def _decoded(self, path: str, decoded: ppcs.Decoded) -> None:
        for host in decoded.hosts:
            found = Found(
                host=host, start=decoded.start, length=decoded.length, basis="decoded:ppcs", left=decoded.text,
                address=host.replace(".", "").isdigit(),
            )  # fmt: skip
            kind = addresses.kind_of(found)[0] if found.address else ""
            live = kind not in {"private_address", "multicast_address"}
            why = "server list of the PPCS peer-to-peer platform; compiled into the platform, one program serves many brands"
            self._add(path, found, Graded("p2p" if live else kind, live=live, why=why))

    def _add(self, path: str, found: Found, graded: Graded) -> None:
        key = found.host, found.basis
        if graded.kind == "blocked":
            self._blocked.setdefault(found.host, clean(path))
        earlier = self._found.get(key)
        if earlier is not None:
            also = self._also.setdefault(key, [])
            if graded.live and not earlier.live:
                also.insert(0, (earlier.path, earlier.offset))
                self._found[key] = _endpoint(path, found, graded)
            elif (path, found.start) != (earlier.path, earlier.offset):
                also.append((path, found.start))
            del also[ALSO:]
            return
        if not graded.live:
            self._classes[graded.kind] += 1
            if self._classes[graded.kind] > MOST_OF_A_CLASS and graded.kind != "blocked":
                self.dropped += 1
                return
        if len(self._found) >= MOST:
            self.dropped += 1
            return
        self._found[key] = _endpoint(path, found, graded)


def _endpoint(path: str, found: Found, graded: Graded) -> ImageEndpoint:
    return ImageEndpoint(
        host=clean(found.host),
        kind=graded.kind,
        basis=found.basis,
        path=clean(path),
        offset=found.start,
        length=found.length,
        port=found.port,
        url=_cut(clean(found.url.partition("?")[0]))[:_CONTEXT],
        context=context(found),
        why=graded.why,
        live=graded.live,
    )


def context(found: Found) -> str:
    """The neighbouring text, secrets cut, control characters removed, at most 200 characters."""
    if found.basis.startswith("decoded"):
        return clean(_cut(found.left))[:_CONTEXT]
    mark = "\x00"
    whole = _cut(f"{found.left}{mark}{found.right}")
    left, _, right = whole.partition(mark)
    if len(left) > 70:
        left = left[-70:].partition(" ")[2] or left[-24:]
    return clean(f"{left}{found.host}{right[:80]}")[:_CONTEXT]


def _cut(text: str) -> str:
    text = _USERINFO.sub(lambda m: f"{m[1]}<cut:password:{len(m[2])}>", text)
    text = _SECRET.sub(
        lambda m: m[0] if m[2].startswith(("http", "<cut")) else f"{m[1]}<cut:secret:{len(m[2])}>",
        text,
    )
    return _TOKEN.sub(lambda m: f"<cut:token:{len(m[0])}>", text)


def _encoded(data: bytes | memoryview, suffixes: Suffixes) -> Iterator[Found]:
    """URLs written in base64: `http` is `aHR0c` wherever it begins a text."""
    for number, match in enumerate(_BASE64.finditer(data)):
        if number >= names.ANCHORS:
            return
        letters = bytes(match[0]).rstrip(b"=")
        try:
            plain = base64.b64decode(
                letters[: len(letters) & ~3 if len(letters) % 4 == 1 else None]
                + b"=" * (-len(letters) % 4)
            )
        except (binascii.Error, ValueError):
            continue
        url = _URL.fullmatch(plain.decode("latin-1"))
        if url is None or not suffixes.host(url[2].lower()):
            continue
        yield Found(
            host=url[2].lower(), start=match.start(), length=len(match[0]), basis="decoded:base64", left=clean(url[0])[:160],
            scheme=url[1], port=int(url[3]) if url[3] and int(url[3]) < 65536 else None,
        )  # fmt: skip
