"""Does a text say more than a report may say in its own name?

The list is data (signatures/vocab/phrases.toml; facts: scoring 9). Lint runs it over every text of signatures/
that is printed in camscan's own words; a quoted claim, a title or a company's own position is not that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import re2

from camscan.model.knowledge import Knowledge

Fault = tuple[str, str, str, str]
"""(table, record id, field, what is wrong)"""
Words = Mapping[str, tuple[str, ...]]

NEVER, NAMES, STATUTES = "phrases.never", "phrases.names", "phrases.statutes"
_LEGAL = frozenset({"law", "rule"})
"""Tables that tell what an act says, and may use its terms."""
_FIELDS: tuple[tuple[str, Callable[[Knowledge], Iterable[object]], tuple[str, ...]], ...] = (
    ("signature", lambda k: k.signatures, ("about", "not_proof_of")),
    ("service", lambda k: k.services, ("name", "about", "not_proof_of")),
    ("component", lambda k: k.firmware.components, ("name", "note")),
    ("imprint", lambda k: k.firmware.imprints, ("about", "not_proof_of")),
    ("flaw", lambda k: [f for c in k.firmware.components for f in c.flaw], ("title",)),
    ("platform", lambda k: k.platforms.values(), ("note",)),
    ("brand", lambda k: k.brands, ("note",)),
    ("party", lambda k: k.parties.values(), ("ownership", "note", "seat_note", "state_share", "disputed", "network_shows")),
    ("endpoint", lambda k: k.endpoints, ("note", "hosting")),
    ("network", lambda k: k.networks, ("note",)),
    ("condition", lambda k: k.conditions.values(), ("title", "shows", "does_not_show", "next_test")),
    ("advisory", lambda k: k.advisories, ("title", "impact", "note")),
    ("law", lambda k: k.laws.values(), ("addressee", "paraphrase", "proves", "does_not_prove", "note")),
    ("rule", lambda k: k.rules.values(), ("covered", "paraphrase", "note")),
    ("concern", lambda k: k.concerns.values(), ("cannot_decide", "caution")),
)  # fmt: skip
"""Table, its records, and the fields camscan prints as its own words."""


def finder(words: Words, *, legal: bool = False) -> Callable[[str], tuple[str, ...]]:
    """Text -> the phrases it must not hold, in order; empty where it passes.

    `legal`: the text tells what an act says, whose own terms are not counted.
    """
    never = words.get(NEVER, ())
    names = (*words.get(NAMES, ()), *(words.get(STATUTES, ()) if legal else ()))
    if not never:
        return lambda _: ()
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    bad = re2.compile(rf"\b(?:{'|'.join(never)})\b", options)
    known = re2.compile(rf"\b(?:{'|'.join(names)})\b", options) if names else None

    def find(text: str) -> tuple[str, ...]:
        own = known.sub(" ", text) if known is not None else text
        return tuple(match.group(0) for match in bad.finditer(own))

    return find


def phrase_faults(knowledge: Knowledge) -> Iterator[Fault]:
    """Every text of signatures/ in which a phrase stands that no report may print."""
    for table, records, fields in _FIELDS:
        find = finder(knowledge.vocabulary, legal=table in _LEGAL)
        for record in records(knowledge):
            for field in fields:
                for phrase in find(str(getattr(record, field, "") or "")):
                    yield (table, str(getattr(record, "id", "")), field, f"says {phrase!r}")
