"""Lint of product lines and withdrawn entries: each rule has a record that breaks it."""

from __future__ import annotations

import pytest
from test_knowledge import BASE, PARTY, write

from camscan import knowledge
from camscan.knowledge_lint import lint

LINE = """[[line]]
id = "aq.line.cam"
about = "a"
maker = "aq"
role = "camera"
pattern = '\\b(AQ-[0-9]{3})\\b'
source = "s"
as_of = "2026-11"
sample = [{ text = "Aquila AQ-123", model = "AQ-123" }]
near_miss = [{ text = "AQ-12" }]
"""
SECOND_PARTY = PARTY.replace('"aq"', '"bu"').replace('"Aq"', '"Bu"')
OTHER = LINE.replace("aq.line.cam", "bu.line.cam").replace('maker = "aq"', 'maker = "bu"')
WITHDRAWN = """[[withdrawn]]
id = "aq.http.old"
date = "2026-11-25"
reason = "matched routers too"
source = "s"
as_of = "2026-11-25"
replaced_by = "aq.http.server"
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def problems(tmp_path, text, **more):
    files = (
        BASE
        | {"devices/lines.toml": text}
        | {k.replace("__", "/") + ".toml": v for k, v in more.items()}
    )
    root = write(tmp_path / "signatures", files)
    return [(p.file, p.record, p.field, p.text) for p in lint(knowledge.load(root))]


def line(old, new):
    assert old in LINE
    return LINE.replace(old, new)


def test_a_sound_line_and_a_sound_withdrawal(tmp_path):
    assert problems(tmp_path, LINE + WITHDRAWN) == []


CASES = [
    (line('id = "aq.line.cam"', 'id = "aq.cam"'), "id", "<maker or brand>.line"),
    (line('source = "s"', 'source = "unverified"'), "source", "without a source"),
    (line('as_of = "2026-11"', 'as_of = "soon"'), "as_of", "no date"),
    (line("\\b(AQ-[0-9]{3})\\b", "(AQ-[0-9]{3})"), "pattern", "begin with"),
    (line("\\b(AQ-[0-9]{3})\\b", "\\bAQ-[0-9]{3}\\b"), "pattern", "one group"),
    (line("\\b(AQ-[0-9]{3})\\b", "\\b(AQ-(?=[0-9]))"), "pattern", "not RE2"),
    (line("\\b(AQ-[0-9]{3})\\b", "\\b((AQ-[0-9]{1,900}){1,900})"), "pattern", "not RE2"),
    (line('sample = [{ text = "Aquila AQ-123", model = "AQ-123" }]\n', ""), "sample", "no positive"),
    (line('near_miss = [{ text = "AQ-12" }]\n', ""), "near_miss", "no near miss"),
    (line('maker = "aq"\n', ""), "maker", "names nobody"),
    (line('maker = "aq"', 'maker = "zz"'), "maker", "not known"),
    (line('role = "camera"', 'role = "camcorder"'), "role", "not known"),
    (line('role = "camera"', 'platform = "zz"'), "platform", "not known"),
    (line('role = "camera"', 'brand = "zz"'), "brand", "not known"),
    (line('model = "AQ-123"', 'model = "AQ-12"'), "sample[0]", "expected"),
    (line("Aquila AQ-123", "Aquila AQ-123" + " x" * 90), "sample[0]", "no name"),
    (line('text = "AQ-12"', 'text = "AQ-129"'), "near_miss[0]", "matches its near miss"),
    (line("AQ-[0-9]{3})\\b", "[A-Z][A-Za-z-]+[0-9]*)"), "pattern", "matches the trap generic-goahead"),
    (WITHDRAWN.replace("aq.http.old", "aq.http.server"), "id", "in use"),
    (WITHDRAWN.replace('date = "2026-11-25"', 'date = "2026-11"'), "date", "no day"),
    (WITHDRAWN.replace("matched routers too", " "), "reason", "say why"),
    (WITHDRAWN.replace('replaced_by = "aq.http.server"', 'replaced_by = "zz"'), "replaced_by", "does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field", "words"), CASES)
def test_each_rule(tmp_path, text, field, words):
    found = problems(tmp_path, text)
    assert any(f == field and words in t for _, _, f, t in found), found
    assert {file for file, _, f, t in found if f == field and words in t} == {"devices/lines.toml"}


def test_two_makers_may_not_claim_one_designation(tmp_path):
    found = problems(tmp_path, LINE + OTHER, parties__b=SECOND_PARTY)
    assert {r for _, r, f, t in found if f == "pattern" and "matches the text" in t} == {
        "aq.line.cam",
        "bu.line.cam",
    }


def test_a_line_may_not_match_the_sample_of_another_makers_signature(tmp_path):
    narrow = (
        OTHER.replace("AQ-[0-9]{3}", "Aq").replace("Aquila AQ-123", "Aq").replace("AQ-123", "Aq")
    )
    found = problems(tmp_path, narrow, parties__b=SECOND_PARTY)
    assert any(
        r == "bu.line.cam" and "matches a sample of aq.http.server" in t for _, r, _, t in found
    )


def test_a_local_folder_may_bring_lines_and_no_withdrawals(tmp_path):
    from camscan.errors import KnowledgeError

    root = write(tmp_path / "s", BASE)
    own = write(tmp_path / "l", {"devices/m.toml": LINE.replace("aq.line", "local.aq.line")})
    known = knowledge.load(root, own)
    assert [(x.id, x.local) for x in known.lines] == [("local.aq.line.cam", True)]
    assert lint(known) == ()
    other = write(tmp_path / "l2", {"devices/m.toml": WITHDRAWN})
    with pytest.raises(KnowledgeError, match="may not bring"):
        knowledge.load(root, other)
