"""Does a name end as names of the public DNS end, and how much does that ending say?

The rules are the ICANN section of the Public Suffix List (public_suffixes.txt, MPL-2.0). An ending such
as `.com` hardly stands in code by chance; `.top` is also a member of a structure and `.cc` a source file.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from msgspec import Struct

STRONG, COUNTRY, WORD, FILE = 3, 2, 1, 0
"""What an ending says of a name that stands alone: a host, likely a host, a word, a kind of file."""

_STRONG = frozenset(str.split("com net org cn edu gov mil biz eu uk jp kr tw hk ru ua nz au za"))
_FILE = frozenset(
    str.split(
        "sh py pl so cc in md rs ml mm ps ai mk zip mov pm la do as ac st tf gs js java swift bz gz map doc "
        "ms lt ag cab data dat bin app page prof mp cat ltd wiki kr-"
    )
)
_WORDLIKE = frozenset(
    str.split(
        "id is it to me no my be by at am im so us do go am mu mo ma sc sm tm nu ne pa py ps re se si sk sl su "
        "td tc tg tr va vc ve vg vi ws cd cf cg ci ck cm cr cv cx dm ec er et fk fm fo ga gd ge gf gg gi gl gm "
        "gn gp gq gt gu gw gy hm hn hr ht io iq je jm jo ke kg kh ki km kn kp kw ky kz lb lc lk lr ls ly mc mg mh "
        "mn mq mr mt mv mw mz na nc nf ng ni np nr om pf pg pn pr pw qa rw sb sd sg sh sr ss sv sy sz th tj tk tl "
        "tn tt tz ug uy uz vu wf ye zm zw aq aw ax az ba bb bd bf bh bi bj bm bn bo bs bt bv bw al an ao ad af"
    )
)
"""Two letters that stand behind a dot in scripts and symbol names more often than in host names."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


class Suffixes(Struct, frozen=True):
    rules: frozenset[str]
    wild: frozenset[str]
    """`ck` of the rule `*.ck`."""
    exceptions: frozenset[str]
    endings: frozenset[bytes]
    """Last labels of all rules, lower case."""

    def suffix(self, name: str) -> str | None:
        """The public suffix of a lower-case name: `com.cn` of `www.example.com.cn`; None if it has none."""
        labels = name.split(".")
        found: str | None = None
        for start in range(len(labels) - 1, -1, -1):
            tail = ".".join(labels[start:])
            if tail in self.exceptions:
                return ".".join(labels[start + 1 :])
            rest = ".".join(labels[start + 1 :])
            if tail in self.rules or (rest in self.wild):
                found = tail
            elif found is not None and start < len(labels) - 3:
                break
        return found

    def registrable(self, name: str) -> str | None:
        """The name somebody registered: `example.com.cn` of `www.example.com.cn`."""
        suffix = self.suffix(name)
        if suffix is None or suffix == name:
            return None
        before = name[: -len(suffix) - 1].rpartition(".")[2]
        return f"{before}.{suffix}" if before else None

    def host(self, name: str) -> bool:
        """Whether a lower-case name is a host name below a public suffix."""
        if len(name) > 253 or ".." in name:
            return False
        if not all(_NAME.fullmatch(label) for label in name.split(".")):
            return False
        registrable = self.registrable(name)
        return registrable is not None and "_" not in registrable


def strength(ending: str) -> int:
    """STRONG, COUNTRY, WORD or FILE for a last label in lower case."""
    if ending in _STRONG:
        return STRONG
    if ending in _FILE:
        return FILE
    if len(ending) == 2 and ending not in _WORDLIKE:
        return COUNTRY
    if ending in {"tv", "us", "sg", "th", "io", "vn", "cz", "hu", "br"}:
        return COUNTRY
    return WORD


@lru_cache(maxsize=1)
def load() -> Suffixes:
    """The list that is shipped with camscan."""
    text = (files("camscan.observe.firmware") / "public_suffixes.txt").read_text(encoding="ascii")
    rules, wild, exceptions = set(), set(), set()
    for line in text.splitlines():
        if not line or line.startswith("//"):
            continue
        if line.startswith("*."):
            wild.add(line[2:])
        elif line.startswith("!"):
            exceptions.add(line[1:])
        else:
            rules.add(line)
    endings = {rule.rpartition(".")[2].encode() for rule in (*rules, *wild)}
    return Suffixes(frozenset(rules), frozenset(wild), frozenset(exceptions), frozenset(endings))
