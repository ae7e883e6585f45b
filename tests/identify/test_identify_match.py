"""Matching: every test kind, shared kinds, fragments, extraction, hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_market import build, http, signature
from msgspec.structs import replace

from camscan.errors import DecodeError, KnowledgeError
from camscan.identify.match import EXCERPT, Matcher
from camscan.model.claim import Attribute, Family
from camscan.model.knowledge import Condition, Extract, Signature, Test
from camscan.model.observation import Kind, Observation


@pytest.fixture(scope="module")
def knowledge():
    return build()


def matcher(*signatures: Signature, fields=None):
    known = build(signatures=signatures)
    return Matcher(known, (lambda _: fields)) if fields is not None else Matcher(known)


def seen(kind=Kind.HTTP, **more):
    base = {"id": "1", "device_id": "d", "kind": kind, "response": b"x"} | more
    return Observation(**base)


TESTS = [
    ("equals", "Boa", {"server": ("Boa",)}, True),
    ("equals", "Boa", {"server": ("boa",)}, False),
    ("equals", "Boa", {"server": ("x", "Boa")}, True),
    ("iequals", "Boa", {"server": ("bOA",)}, True),
    ("iequals", "Boa", {"server": ("boa2",)}, False),
    ("prefix", "A.b", {"server": ("A.bc",)}, True),
    ("prefix", "A.b", {"server": ("Axbc",)}, False),
    ("prefix", "A.b", {"server": ("zA.b",)}, False),
    ("contains", "(x", {"server": ("a(xb",)}, True),
    ("contains", "(x", {"server": ("axb",)}, False),
    ("regex", r"^v\d+$", {"server": ("v12",)}, True),
    ("regex", r"^v\d+$", {"server": ("v12\nrest",)}, False),
    ("present", "", {"server": ("",)}, True),
    ("present", "", {"title": ("x",)}, False),
]


@pytest.mark.parametrize(("test", "value", "fields", "holds"), TESTS)
def test_each_comparison(test, value, fields, holds):
    one = signature(
        "a.http.b",
        Kind.HTTP,
        Family.LABEL,
        [("server", test, value)],
        [(Attribute.MAKER, "aquila")],
    )
    assert bool(matcher(one, fields=fields).evidence(seen())) is holds


def test_it_is_silent_where_an_unless_holds():
    when = [("server", "equals", "a")]
    unless = (
        Condition(field="title", test=Test.CONTAINS, value="shop"),
        Condition(field="server", test=Test.PREFIX, value="ab"),
    )
    says = [(Attribute.MAKER, "aquila")]
    one = signature("a.http.b", Kind.HTTP, Family.LABEL, when, says, unless=unless)
    assert matcher(one, fields={"server": ("a",), "title": ("live",)}).evidence(seen())
    assert matcher(one, fields={"server": ("a",)}).evidence(seen())
    assert not matcher(one, fields={"server": ("a",), "title": ("a shop",)}).evidence(seen())
    assert not matcher(one, fields={"server": ("a", "abc")}).evidence(seen())


def test_all_conditions_must_hold_and_repeats_count_once():
    when = [("server", "equals", "a"), ("server", "equals", "a"), ("title", "contains", "b")]
    one = signature("a.http.b", Kind.HTTP, Family.LABEL, when, [(Attribute.MAKER, "aquila")])
    assert matcher(one, fields={"server": ("a",), "title": ("abc",)}).evidence(seen())
    assert not matcher(one, fields={"server": ("a",)}).evidence(seen())
    assert not matcher(one, fields={"title": ("abc",)}).evidence(seen())


def test_every_matching_signature_speaks(knowledge):
    found = Matcher(knowledge).evidence(
        http("7", headers=("X-Aq: 1", "Server: Aquila-Web/2 model=AQ-9"))
    )
    assert {e.signature for e in found} == {"aquila.http.server", "aquila.http.order"}
    assert {e.observation for e in found} == {"7"}
    assert ("model", "AQ-9") in {(e.attribute.value, e.value) for e in found}
    assert all(e.version == "v" and len(e.excerpt) <= EXCERPT for e in found)


def test_a_cached_answer_names_its_own_observation(knowledge):
    one = Matcher(knowledge)
    for ident in ("1", "2", "1"):
        found = one.evidence(http(ident, headers=("Server: Aquila-Web/2",)))
        assert {e.observation for e in found} == {ident}


@pytest.mark.parametrize(
    "kind", [Kind.TITLE, Kind.SERVER_HEADER, Kind.WWWAUTH, Kind.ISAPI, Kind.ONVIF]
)
def test_http_signatures_read_the_kinds_that_carry_http(knowledge, kind):
    fields = {"server": ("Aquila-Web/2",), "header-names": ("X-Aq,Server,Content-Length",)}
    found = {e.signature for e in Matcher(knowledge, lambda _: fields).evidence(seen(kind))}
    whole = kind in {Kind.ISAPI, Kind.ONVIF}
    assert ("aquila.http.order" in found) is whole
    assert "aquila.http.server" in found


def test_layout_of_a_fragment_is_not_evidence(knowledge):
    whole = http("1", headers=("X-Aq: 1", "Server: q"))
    assert Matcher(knowledge).evidence(whole)
    assert not Matcher(knowledge).evidence(replace(whole, flags=("fragment",)))


def test_bytes_that_do_not_decode_say_nothing():
    def refuse(_):
        raise DecodeError("bad start line")

    one = Matcher(build(), refuse)
    assert one.evidence(seen()) == ()
    assert one.read(seen()).error == "bad start line"


def test_kinds_without_signatures_are_not_decoded():
    def never(_):
        raise AssertionError

    assert Matcher(build(), never).evidence(seen(Kind.SSH)) == ()


EXTRACTS = [
    (Extract(attribute=Attribute.MODEL, field="title"), "X1", "X1"),
    (Extract(attribute=Attribute.MODEL, field="title", pattern=r"m=(\w+)"), "a m=Q7 b", "Q7"),
    (Extract(attribute=Attribute.MODEL, field="title", pattern=r"m=(\w+)"), "none", None),
    (Extract(attribute=Attribute.ROLE, field="title", values={"1": "camera"}), "1", "camera"),
    (Extract(attribute=Attribute.ROLE, field="title", values={"1": "camera"}), "2", "2"),
    (Extract(attribute=Attribute.ROLE, field="title", values={"1": "camera"}, strict=True), "2", None),
    (Extract(attribute=Attribute.MAC, field="title"), "00-AA-00-01-02-03", "00:aa:00:01:02:03"),
    (Extract(attribute=Attribute.MAC, field="title"), "not a mac", None),
    (Extract(attribute=Attribute.MODEL, field="title"), "  \x1b[2J\u202eX1 ", "X1"),
]  # fmt: skip


@pytest.mark.parametrize(("extract", "text", "value"), EXTRACTS)
def test_extraction(extract, text, value):
    one = signature(
        "a.http.b", Kind.HTTP, Family.LABEL, [("title", "present", "")], extract=[extract]
    )
    found = matcher(one, fields={"title": (text,)}).evidence(seen())
    assert [e.value for e in found] == ([] if value is None else [value])


@pytest.mark.parametrize("where", ["when", "extract"])
def test_a_broken_pattern_is_a_knowledge_error(where):
    good = signature("a.http.b", Kind.HTTP, Family.LABEL, [("title", "present", "")])
    if where == "when":
        bad = replace(good, when=(Condition(field="title", test=Test.REGEX, value="(a"),))
    else:
        bad = replace(
            good, extract=(Extract(attribute=Attribute.MODEL, field="title", pattern="(a"),)
        )
    with pytest.raises(KnowledgeError):
        matcher(bad)


def test_linear_time_on_a_pattern_that_hangs_backtracking_engines():
    one = signature(
        "a.http.b",
        Kind.HTTP,
        Family.LABEL,
        [("body", "regex", r"(a+)+$")],
        [(Attribute.MAKER, "aquila")],
    )
    assert not matcher(one, fields={"body": ("a" * 30000 + "b",)}).evidence(seen())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(list(Kind)))
def test_hostile_bytes_give_fields_or_the_reason_why_not(data, kind):
    one = seen(kind, response=data)
    reading = Matcher(_KNOWN).read(one)
    assert not (reading.error and reading.evidence)
    assert {e.observation for e in reading.evidence} <= {one.id}


_KNOWN = build()
