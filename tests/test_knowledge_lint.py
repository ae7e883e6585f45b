"""Lint: each rule of the house has a record that breaks it."""

from __future__ import annotations

import pytest
from test_knowledge import BASE, DEVICE, PARTY, load, write

from camscan import knowledge
from camscan.knowledge_lint import lint
from camscan.knowledge_traps import HONEYPOT, NEGATIVES


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def problems(tmp_path, changed):
    return [(p.record, p.field, p.text) for p in lint(load(tmp_path, changed))]


def test_the_smallest_knowledge_is_clean(tmp_path):
    assert problems(tmp_path, {}) == []


def device(old, new):
    assert old in DEVICE
    return DEVICE.replace(old, new)


SECOND = (
    DEVICE.replace("aq.http.server", "bu.http.server")
    .replace('id = "aq"', 'id = "bu"')
    .replace('value = "aq"}', 'value = "bu"}')
    .replace('platform = "aq"', 'platform = "bu"')
)

MORE = "".join(
    PARTY.replace('"aq"', f'"{ident}"').replace('"maker"', f'"{kind}"')
    for ident, kind in (("sup", "intermediary"), ("chip", "component"))
)
CASES = [
    ("id form", device("aq.http.server", "aq"), "id", "write <platform>"),
    ("source", device('source = "s"\nas_of = "2026-11"', 'source = "unverified"\nas_of = "2026-11"'), "source", "without a source"),
    ("date", device('as_of = "2026-11"', 'as_of = "lately"'), "as_of", "no date"),
    ("no conditions", device('when = [{field = "server", test = "equals", value = "Aq"}]', "when = []"), "when", "matches everything"),
    ("says nothing", device('says = [{attribute = "platform", value = "aq"}]\n', ""), "says", "says nothing"),
    ("no sample", DEVICE[: DEVICE.index("[[signature.sample]]")] + DEVICE[DEVICE.index("[[signature.near_miss]]") :], "sample", "no positive sample"),
    ("no near miss", DEVICE[: DEVICE.index("[[signature.near_miss]]")], "near_miss", "no near miss"),
    ("unknown field", device('field = "server"', 'field = "sdp.tool"'), "when[0].field", "no field"),
    ("empty text", device('test = "equals", value = "Aq"', 'test = "contains", value = ""'), "when[0].value", "empty text"),
    ("not RE2", device('test = "equals", value = "Aq"', 'test = "regex", value = "(?=a)"'), "when[0].value", "not RE2"),
    ("unless not RE2", device("[[signature.sample]]", 'unless = [{field = "server", test = "regex", value = "(?=a)"}]\n[[signature.sample]]'), "unless[0].value", "not RE2"),
    ("unless unknown field", device("[[signature.sample]]", 'unless = [{field = "sdp.tool", test = "present"}]\n[[signature.sample]]'), "unless[0].field", "no field"),
    ("two groups", device("[[signature.sample]]", 'extract = [{attribute = "model", field = "server", pattern = "(a)(b)"}]\n[[signature.sample]]'), "extract[0].pattern", "one group"),
    ("extract not RE2", device("[[signature.sample]]", 'extract = [{attribute = "model", field = "server", pattern = "(a"}]\n[[signature.sample]]'), "extract[0].pattern", "not RE2"),
    ("extract unmapped role", device("[[signature.sample]]", 'extract = [{attribute = "role", field = "server"}]\n[[signature.sample]]'), "extract[0].values", "map to ids"),
    ("extract not shown", device("[[signature.sample]]", 'extract = [{attribute = "model", field = "server"}]\n[[signature.sample]]'), "sample", "no sample expects"),
    ("unknown role", device('{attribute = "platform", value = "aq"}]', '{attribute = "platform", value = "aq"}, {attribute = "role", value = "camcorder"}]'), "says[1].value", "not known"),
    ("unknown maker", device('{attribute = "platform", value = "aq"}]', '{attribute = "maker", value = "zz"}]'), "says[0].value", "not known"),
    ("unknown brand", device('{attribute = "platform", value = "aq"}]', '{attribute = "brand", value = "zz"}]'), "says[0].value", "not known"),
    ("sample does not match", device("Server: Aq\\r", "Server: Other\\r"), "sample[0]", "does not match its own sample"),
    ("sample other value", device('expect = {platform = "aq"}', 'expect = {platform = "bu"}'), "sample[0]", "expected platform"),
    ("sample does not decode", device('response = "HTTP/1.1 200 OK\\r\\nServer: Aq\\r\\n\\r\\n"', 'response = ""'), "sample[0]", "does not"),
    ("near miss matches", device("Server: Aqx", "Server: Aq"), "near_miss[0]", "matches its near miss"),
    ("bad origin", device('"documented"', '"seen"'), "sample[0].origin", "documented or constructed"),
    ("bad hex", device('origin = "documented"', 'response_hex = "zz"\norigin = "documented"'), "sample[0].response_hex", "hexadecimal"),
    ("bad expect", device("expect = {", 'expect = {colour = "x", '), "sample[0].expect", "no claim attribute"),
    ("honeypot", device('field = "server", test = "equals", value = "Aq"', 'field = "body", test = "contains", value = "ONVIF"'), "when", "honeypot-http"),
    ("generic program", device('test = "equals", value = "Aq"', 'test = "contains", value = "a"'), "when", "generic-boa"),
    ("no device of a supplier", device('{attribute = "platform", value = "aq"}]', '{attribute = "maker", value = "sup"}]'), "says[0].value", "makes no device"),
    ("no device of a chip", device('{attribute = "platform", value = "aq"}]', '{attribute = "maker", value = "chip"}]'), "says[0].value", "makes no device"),
    ("says too much", device('about = "a"', 'about = "a"\nnot_proof_of = "an obvious Backdoor"'), "not_proof_of", "says 'Backdoor'"),
    ("unknown sharing", device('level = "E3"', 'platforms_sharing = ["zz"]\nlevel = "E3"'), "platforms_sharing", "no platform"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "field", "words"), CASES)
def test_each_rule(tmp_path, name, text, field, words):
    beside = {"parties/more.toml": MORE, "vocab/phrases.toml": '"phrases.never" = ["backdoor"]\n'}
    found = problems(tmp_path, {"devices/aq.toml": text, **beside})
    assert any(f == field and words in t for _, f, t in found), (name, found)


def test_another_platforms_sample_must_be_declared(tmp_path):
    found = problems(tmp_path, {"devices/bu.toml": SECOND})
    assert {r for r, _, t in found if "declare platforms_sharing" in t} == {
        "aq.http.server",
        "bu.http.server",
    }
    declared = SECOND.replace('level = "E3"', 'platforms_sharing = ["aq"]\nlevel = "E3"')
    back = DEVICE.replace('level = "E3"', 'platforms_sharing = ["bu"]\nlevel = "E3"')
    assert problems(tmp_path, {"devices/bu.toml": declared, "devices/aq.toml": back}) == []


REFERENCES = [
    ("parties/b.toml", PARTY.replace('"aq"', '"b"') + 'parent = "zz"\n', "parent"),
    ("parties/a.toml", PARTY + 'parent = "aq"\n', "parent"),
    ("brands/b.toml", '[[brand]]\nid = "x"\nbrand = "X"\nmaker = "zz"\nkind = "oem"\nstrength = "strong"\nsource = "s"\nas_of = "2026"\n', "maker"),
    ("brands/b.toml", '[[brand]]\nid = "x"\nbrand = "X"\nmaker = "sup"\nkind = "oem"\nstrength = "strong"\nsource = "s"\nas_of = "2026"\n' , "maker"),
    ("oui/b.toml", '[[block]]\nprefix = "00aa00"\nregistrant = "X"\nparty = "zz"\nsource = "s"\nas_of = "2026"\n', "party"),
    ("oui/b.toml", '[[block]]\nprefix = "00AA"\nregistrant = "X"\nparty = "aq"\nsource = "s"\nas_of = "2026"\n', "prefix"),
    ("endpoints/e.toml", "".join(f'[[endpoint]]\nid = "{i}"\nmatch = "*.a.example"\noperator = "aq"\npurpose = []\nconfidence = "low"\nsource = "s"\nas_of = "2026"\n' for i in "xy"), "match"),
    ("laws/cn.toml", 'nexus = ["zz"]\n', "nexus"),
    ("probes.toml", BASE["probes.toml"] + 'guard = {platform = ["zz"]}\n', "guard.platform"),
    ("probes.toml", BASE["probes.toml"] + 'yields = ["zz"]\n', "yields"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "field"), REFERENCES)
def test_references_lead_somewhere(tmp_path, name, text, field):
    assert field in [f for _, f, _ in problems(tmp_path, {"parties/more.toml": MORE, name: text})]


def test_problems_name_the_file(tmp_path):
    root = write(tmp_path / "s", BASE | {"devices/aq.toml": device("Server: Aqx", "Server: Aq")})
    assert {p.file for p in lint(knowledge.load(root))} == {"devices/aq.toml"}


def test_traps_decode():
    """A trap that no decoder reads would catch nothing."""
    from camscan.decode.registry import decode

    for trap in (*HONEYPOT, *NEGATIVES):
        assert decode(trap.observation), trap.name
