"""The page on what is known of the market names records that exist, or says why there is none."""

from __future__ import annotations

import re

from programs import ROOT

from camscan import knowledge

PAGE = (ROOT / "docs" / "coverage-of-facts.md").read_text("utf-8")
KNOWN = knowledge.load()
RECORDS = (
    {s.id for s in KNOWN.signatures}
    | {line.id for line in KNOWN.lines}
    | {b.id for b in KNOWN.brands}
    | set(KNOWN.parties)
    | set(KNOWN.platforms)
)
NAMED = {n for n in re.findall(r"`([^`]+)`", PAGE) if " " not in n and "/" not in n}


def rows(heading):
    """Cells of the table rows below a heading."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = [
        [c.strip() for c in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ]
    return [
        r
        for r in found
        if not set("".join(r)) <= {"-"} and r[-1] != "if none, why" and r[-1] != "if not, why"
    ]


def test_every_record_on_the_page_exists():
    assert NAMED
    assert sorted(NAMED - RECORDS) == []


def test_a_row_without_a_record_says_why():
    silent = [
        r
        for h in ("Tells of the platforms", "Platforms")
        for r in rows(h)
        if r[-2] == "-" and not r[-1]
    ]
    makers = [r for r in rows("Makers") if r[2] == "-" and r[3] == "-" and not r[4]]
    assert (silent, makers) == ([], [])


def test_every_platform_and_every_brand_of_the_tables_is_on_the_page():
    assert sorted(set(KNOWN.platforms) - NAMED) == []
    # relations that others add are welcome; those of the fact sheet must not get lost
    assert len({b.id for b in KNOWN.brands} & NAMED) >= 260


def test_the_page_claims_no_kind_of_answer_that_no_record_reads():
    kinds = {}
    for signature in KNOWN.signatures:
        named = {x.value for x in signature.says} | {
            v for e in signature.extract for v in e.values.values()
        }
        makers = named | {KNOWN.platforms[n].maker for n in named if n in KNOWN.platforms}
        for maker in makers:
            kinds.setdefault(maker, set()).add(signature.kind.value)
    for row in rows("Makers"):
        maker = row[1].strip("`")
        told = set() if row[2] == "-" else set(row[2].split(", "))
        assert told <= kinds.get(maker, set()), maker
