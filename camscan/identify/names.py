"""Does a text begin with the name of a maker or brand that signatures/ holds?

Names are compared as they are declared there (brand, spellings, spellings of a maker), whole words,
without regard to case; the longest wins. Nothing is guessed from similar spelling.
"""

from __future__ import annotations

import re

from camscan.model.knowledge import Knowledge

_WORD = re.compile(r"[^\s_/,.;:()|\"'<>=-]+")
_FORMS = frozenset(
    [
        "ab",
        "ag",
        "as",
        "bv",
        "china",
        "co",
        "communications",
        "company",
        "corp",
        "corporation",
        "digital",
        "electronic",
        "electronics",
        "gmbh",
        "group",
        "inc",
        "international",
        "intl",
        "limited",
        "llc",
        "ltd",
        "oy",
        "sa",
        "security",
        "spa",
        "srl",
        "system",
        "systems",
        "tech",
        "technologies",
        "technology",
    ]
)
"""Words that stand behind a name in the name of a company and make no other company of it."""
_MOST_WORDS = 6
_GREETING = re.compile(
    r"\W*(?:(?:welcome to|web viewer for|live view|log ?in to|connected to)\b\W*)?(?:the\b\W*)?",
    re.IGNORECASE,
)
"""Words of politeness in front of a name."""
_LOOKED_AT = 160
"""Characters of a text that are looked at: a name stands at its beginning."""
_SHORTEST = 2
_NO_NAMES = frozenset(
    {"camera", "ip camera", "network camera", "network", "video", "web", "private", "general", "ip"}
)
"""Words that stand in front of a product word and name nobody."""


class KnownNames:
    """Look-up over one Knowledge; makers only, no operators, intermediaries or software."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        self._first: set[str] = set()
        """First words of names: most texts begin with none of them."""
        self._shared = {w.casefold() for w in knowledge.vocabulary.get("ambiguous_name", ())}
        for relation in knowledge.brands:
            for text in (relation.brand, *relation.spellings):
                self._add(text, relation.brand)
        for word in knowledge.vocabulary.get("brand", ()):
            self._add(word, word)
        for party in sorted(knowledge.parties.values(), key=lambda p: p.id):
            if "maker" in party.kind:
                texts = party.spellings or (party.name.partition(" (")[0], party.id)
                for text in texts:
                    self._add(text, texts[0])

    def _add(self, text: str, printed: str) -> None:
        words = tuple(w.casefold() for w in _WORD.findall(text))
        plain = " ".join(words)
        unfit = plain in _NO_NAMES or plain in self._shared or len(plain) < _SHORTEST
        if 0 < len(words) <= _MOST_WORDS and not unfit:
            self._names.setdefault(words, printed)
            self._first.add(words[0])

    def find(self, text: str) -> str:
        """The name as printed in signatures/, empty if the text begins with none."""
        return self._beginning(_words(_GREETING.sub("", text[:_LOOKED_AT], count=1)))[0]

    def organisation(self, text: str) -> str:
        """The name if the text is it, alone or as a company is named; empty for any other company.

        `Speco Technologies` is Speco; `Dahua Scale Factory` makes weighing scales.
        """
        words = _words(text)
        name, used = self._beginning(words)
        return name if all(word in _FORMS for word in words[used:]) else ""

    def shortened(self, text: str) -> str:
        """The name without the words of a company's form; empty where there are none to take off."""
        words = _words(text)
        name, used = self._beginning(words)
        return name if used < len(words) and all(word in _FORMS for word in words[used:]) else ""

    def _beginning(self, words: list[str]) -> tuple[str, int]:
        if not words or words[0] not in self._first:
            return "", 0
        for count in range(min(len(words), _MOST_WORDS), 0, -1):
            if (found := self._names.get(tuple(words[:count]))) is not None:
                return found, count
        return "", 0


def _words(text: str) -> list[str]:
    return [w.casefold() for w in _WORD.findall(text[:_LOOKED_AT])]
