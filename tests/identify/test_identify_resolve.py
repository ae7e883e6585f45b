"""Rule 3: what evidence of several families says together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_market import build, evidence, party, relation

from camscan.identify.relations import Relations
from camscan.identify.resolve import UNBELIEVED, expand, resolve
from camscan.model.claim import Attribute, Confidence, Family, Level, State

P, L, C, M = Family.PROTOCOL, Family.LABEL, Family.CERTIFICATE, Family.MAC_BLOCK
RELATIONS = Relations(build())


def claim(attribute, *pieces):
    found = [c for c in resolve("d", pieces, RELATIONS) if c.attribute == attribute]
    assert len(found) <= 1
    return found[0] if found else None


CASES = [
    # name, attribute, evidence, value, level, state
    ("one label", "maker", [("maker", "aquila", L)], "aquila", "E2", "observed"),
    ("label twice is one family", "maker", [("maker", "aquila", L, "E2", "a"), ("maker", "aquila", L, "E2", "b")], "aquila", "E2", "observed"),
    ("label + mac-block: maker stays E2", "maker", [("maker", "aquila", L), ("maker", "aquila", M)], "aquila", "E2", "observed"),
    ("label + mac-block: brand E3", "brand", [("brand", "Nest Egg", L), ("brand", "Nest Egg", M)], "Nest Egg", "E3", "observed"),
    ("label + protocol", "maker", [("maker", "aquila", L), ("maker", "aquila", P)], "aquila", "E3", "observed"),
    ("label + certificate", "platform", [("platform", "aquila", L), ("platform", "aquila", C)], "aquila", "E3", "observed"),
    ("one family never reaches E3", "platform", [("platform", "aquila", P, "E3")], "aquila", "E2", "observed"),
    ("E1 does not corroborate", "model", [("model", "A-100", L), ("model", "A-100", P, "E1")], "A-100", "E2", "observed"),
    ("direct", "activated", [("activated", "no", Family.SETTINGS, "E4")], "no", "E4", "observed"),
    ("platform implies maker", "maker", [("platform", "aquila", L), ("platform", "aquila", P)], "aquila", "E3", "observed"),
    ("platform of many makers implies none", "maker", [("platform", "shared", P)], None, None, None),
    ("brand is weak support", "maker", [("brand", "NESTEGG", L)], "aquila", "E1", "observed"),
    ("brand with two makers is none", "maker", [("brand", "Two Ways", L)], None, None, None),
    ("mac-block alone is no maker", "maker", [("maker", "aquila", M)], None, "E0", "not_observed"),
    ("mac-block alone does not contradict", "maker", [("maker", "aquila", M), ("maker", "bubo", L)], "bubo", "E2", "observed"),
    ("tie is a conflict", "maker", [("maker", "aquila", L), ("maker", "bubo", P)], None, "E2", "conflicting"),
    ("weaker value loses", "maker", [("maker", "aquila", L), ("maker", "aquila", P), ("maker", "bubo", L)], "aquila", "E3", "observed"),
    ("subsidiary agrees with parent", "maker", [("maker", "aquila", L), ("maker", "chick", P)], "chick", "E3", "observed"),
    ("platforms of one group agree", "platform", [("platform", "aquila", L), ("platform", "chick", P)], "chick", "E3", "observed"),
    ("rebrand agrees with the maker's own name", "brand", [("brand", "Aquila", M), ("brand", "Nest Egg", L)], "Nest Egg", "E3", "observed"),
    ("unrelated brands conflict", "brand", [("brand", "Nest Egg", L), ("brand", "Corvus", M)], None, "E2", "conflicting"),
    ("role refines", "role", [("role", "video-device", P), ("role", "camera", L)], "camera", "E3", "observed"),
    ("camera against recorder", "role", [("role", "camera", L), ("role", "recorder", P)], None, "E2", "conflicting"),
    ("firmware with build", "firmware", [("firmware", "V5.4.5", P), ("firmware", "V5.4.5 build 170124", L)], "V5.4.5 build 170124", "E3", "observed"),
    ("firmware with other build", "firmware", [("firmware", "V5.4.5 build 180101", P), ("firmware", "V5.4.5 build 170124", L)], None, "E2", "conflicting"),
    ("other firmware", "firmware", [("firmware", "5.4.5", P), ("firmware", "5.4.50", L)], None, "E2", "conflicting"),
    ("model with suffix", "model", [("model", "AQ-2042", L), ("model", "AQ-2042-I", P)], "AQ-2042-I", "E3", "observed"),
    ("firmware spaced otherwise", "firmware", [("firmware", "V5.5.0build 170725", P), ("firmware", "V5.5.0", L), ("firmware", "5.5.0 Build 170725", L)], "V5.5.0build 170725", "E3", "observed"),
    ("firmware with release", "firmware", [("firmware", "2.0.2 Build 231205 Rel.70513n", P), ("firmware", "2.0.2", L)], "2.0.2 Build 231205 Rel.70513n", "E3", "observed"),
    ("firmware behind the name of its build", "firmware", [("firmware", "BZ.qa95x.v4.3.28.113.2101", P), ("firmware", "4.3.28.113", L)], "BZ.qa95x.v4.3.28.113.2101", "E3", "observed"),
    ("firmware inside a longer number", "firmware", [("firmware", "1.4.3.28", P), ("firmware", "4.3.28", L)], None, "E2", "conflicting"),
    ("firmware of another branch", "firmware", [("firmware", "2.800.00AC003.0.R", P), ("firmware", "2.800.00AC004.0.R", L)], None, "E2", "conflicting"),
    ("build dates in two forms", "build_date", [("build_date", "2017-07-25", P), ("build_date", "20170725", L)], "2017-07-25", "E3", "observed"),
    ("other build date", "build_date", [("build_date", "2017-07-25", P), ("build_date", "2017-07-26", L)], None, "E2", "conflicting"),
    ("model after its series", "model", [("model", "Q340", L), ("model", "Egg Q340", P)], "Egg Q340", "E3", "observed"),
    ("model after its maker", "model", [("model", "AQUILA AQ-2032-I", L), ("model", "AQ-2032-I", P)], "AQ-2032-I", "E3", "observed"),
    ("other model of one series", "model", [("model", "Egg Q340", L), ("model", "Q340 Q350", P)], None, "E2", "conflicting"),
    ("short model inside another", "model", [("model", "Q34", L), ("model", "XQ34", P)], None, "E2", "conflicting"),
    ("a word is no model", "model", [("model", "camera", L), ("model", "Egg camera Q3", P)], None, "E2", "conflicting"),
    ("markup around a model", "model", [("model", "AQ-2032-I", L), ("model", "<script>AQ-2032-I", P)], "AQ-2032-I", "E2", "observed"),
    ("markup against a plain text", "model", [("model", "Q340", L), ("model", "<b>x</b>", P)], "Q340", "E2", "observed"),
    ("formula against a plain text", "firmware", [("firmware", "V1.2.3", L), ("firmware", "=cmd('/C calc')!A0", P)], "V1.2.3", "E2", "observed"),
    ("only markup", "model", [("model", "<b>x</b>", L), ("model", "<i>y</i>", P)], None, "E2", "conflicting"),
    ("channels: a part and the sum", "channels.announced", [("channels.announced", "8", P), ("channels.announced", "16", P)], "16", "E2", "observed"),
    ("parent by protocol, subsidiary by label", "maker", [("maker", "aquila", P), ("maker", "chick", L)], "aquila", "E3", "observed"),
    ("parent by protocol, subsidiary by its MAC block", "maker", [("maker", "aquila", P), ("maker", "chick", M)], "aquila", "E3", "observed"),
    ("parent and subsidiary by label", "maker", [("maker", "aquila", L), ("maker", "chick", L)], "aquila", "E2", "observed"),
    ("subsidiary by certificate", "maker", [("maker", "aquila", P), ("maker", "chick", C)], "chick", "E3", "observed"),
    ("document alone is declared", "model", [("model", "AQ-1", Family.DOCUMENT, "E1")], "AQ-1", "E1", "declared"),
    ("spelling of a party", "maker", [("maker", "AQUILA INC", L)], "aquila", "E2", "observed"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "attribute", "pieces", "value", "level", "state"), CASES)
def test_resolve_table(name, attribute, pieces, value, level, state):
    made = []
    for piece in pieces:
        attr, text, family, *rest = piece
        grade = Level(rest[0]) if rest else Level.E2
        more = {"signature": rest[1]} if len(rest) > 1 else {}
        made.append(evidence(attr, text, family, grade, **more))
    found = claim(attribute, *made)
    if state is None:
        assert found is None, name
        return
    assert found is not None, name
    assert (found.value, found.level, found.state) == (value, Level(level), State(state)), name


def test_conflict_lists_both_values_and_their_evidence():
    found = claim("maker", evidence("maker", "aquila"), evidence("maker", "bubo", P))
    assert found.values == ("aquila", "bubo")
    assert {e.value for e in found.evidence} == {"aquila", "bubo"}
    assert found.confidence is Confidence.LOW


def test_a_hub_does_not_join_two_values_that_contradict():
    """`aquila` is the parent of `chick`; `bubo` has nothing to do with either."""
    found = claim(
        "role",
        evidence("role", "video-device", P),
        evidence("role", "camera", L),
        evidence("role", "recorder", L),
    )
    assert found.state is State.CONFLICTING
    assert {"camera", "recorder"} <= set(found.values)


CONFIDENCE = [
    ([("maker", "aquila", L), ("maker", "aquila", P)], Confidence.HIGH),
    ([("maker", "aquila", L), ("maker", "aquila", P), ("maker", "bubo", L)], Confidence.MODERATE),
    ([("maker", "aquila", C)], Confidence.MODERATE),
    ([("maker", "aquila", P)], Confidence.LOW),
    ([("maker", "aquila", L)], Confidence.LOW),
]


@pytest.mark.parametrize(("pieces", "wanted"), CONFIDENCE)
def test_confidence_words(pieces, wanted):
    assert claim("maker", *(evidence(*p) for p in pieces)).confidence is wanted


def test_labels_of_three_unrelated_makers_are_not_believed():
    pieces = [evidence("platform", p) for p in ("aquila", "bubo", "corvus")]
    pieces += [evidence("platform", "aquila", P), evidence("role", "camera", P)]
    claims = {c.attribute: c for c in resolve("d", pieces, RELATIONS)}
    for attribute in (Attribute.MAKER, Attribute.PLATFORM, Attribute.ROLE):
        assert claims[attribute].value is None
        assert claims[attribute].level is Level.E0
        assert claims[attribute].reason.endswith(UNBELIEVED)


def test_evidence_of_three_unrelated_makers_is_counted_in_every_family_but_the_registry():
    pieces = [evidence("platform", "aquila", P), evidence("maker", "bubo", C)]
    assert claim("maker", *pieces, evidence("maker", "corvus", M)).level is not Level.E0
    found = claim("maker", *pieces, evidence("maker", "corvus", L))
    assert (found.level, found.values) == (Level.E0, ("aquila", "bubo", "corvus"))


def test_brands_count_under_the_name_of_their_maker():
    pieces = [evidence("brand", v) for v in ("Nest Egg", "Aquila")]
    pieces += [evidence("maker", v) for v in ("bubo", "corvus")]
    assert claim("maker", *pieces).values == ("aquila", "bubo", "corvus")


def test_a_brand_of_which_nothing_is_declared_is_no_further_maker():
    pieces = [evidence("platform", "aquila"), evidence("maker", "bubo")]
    found = claim("maker", *pieces, evidence("brand", "Quux"), evidence("brand", "Foo"))
    assert (found.level, found.values) == (Level.E2, ("aquila", "bubo"))


def test_one_signature_counts_once_per_observation():
    """The platform implies the maker that the signature also says."""
    pieces = [evidence(a, "aquila", P, signature="s") for a in ("platform", "maker")]
    pieces.append(evidence("maker", "aquila", P, signature="s", excerpt="second condition"))
    found = claim("maker", *pieces)
    assert [(e.signature, e.observation) for e in found.evidence] == [("s", "1")]
    again = claim("maker", *pieces, evidence("maker", "aquila", P, signature="s", observation="2"))
    assert [e.observation for e in again.evidence] == ["1", "2"]


def test_the_stronger_of_two_equal_pieces_is_kept():
    weak = evidence("maker", "aquila", L, Level.E1, signature="s")
    strong = evidence("maker", "aquila", P, signature="s", note="maker of the platform Aquila")
    for pieces in ((weak, strong), (strong, weak)):
        assert claim("maker", *pieces).evidence == (strong,)


def test_a_brand_on_a_platform_is_not_the_maker():
    """Where labels name the brand's party and the platform's maker, the maker built it."""
    parties = {n: party(n) for n in ("aquila", "zebra")}
    relations = Relations(build(parties=parties, brands=(relation("Zebra", "aquila"),)))
    pieces = [evidence("maker", "zebra"), evidence("platform", "aquila")]
    (maker,) = [c for c in resolve("d", pieces, relations) if c.attribute == "maker"]
    assert maker.value == "aquila"


SUBSIDIARY = (
    evidence("platform", "aquila", P),
    evidence("platform", "aquila", L),
    evidence("brand", "Chick", L),
    evidence("brand", "Chick", M),
    evidence("maker", "chick", L),
    evidence("maker", "chick", M),
)
"""A subsidiary's brand on its parent's platform, as EZVIZ and Imou are."""


@pytest.mark.parametrize("mask", range(1, 64))
def test_a_subsidiary_on_its_parents_platform_is_the_parents_whatever_else_was_heard(mask):
    relations = Relations(build(brands=(relation("Chick", "aquila", kind="own"),)))
    pieces = [piece for n, piece in enumerate(SUBSIDIARY) if mask >> n & 1]
    claims = {c.attribute: c for c in resolve("d", pieces, relations)}
    assert State.CONFLICTING not in {c.state for c in claims.values()}
    if mask & 0b11:
        assert claims[Attribute.MAKER].value == "aquila"
    if mask & 0b1100:
        assert claims[Attribute.BRAND].value == "Chick"
    named = resolve("d", [*pieces, evidence("maker", "chick", C)], relations)
    assert [c.value for c in named if c.attribute is Attribute.MAKER] == ["chick"]


def test_related_labels_are_one_maker():
    pieces = [evidence("maker", v) for v in ("aquila", "chick")] + [evidence("brand", "Nest Egg")]
    assert claim("maker", *pieces).value is not None


def test_many_valued_attributes_never_conflict():
    pieces = [evidence("service.clear", v, P) for v in ("http:80", "rtsp:554")]
    assert [c.value for c in resolve("d", pieces, RELATIONS)] == ["http:80", "rtsp:554"]


def test_implied_evidence_keeps_signature_and_observation():
    (maker,) = (
        e
        for e in expand([evidence("platform", "aquila", P)], RELATIONS)
        if e.attribute is Attribute.MAKER
    )
    assert maker.signature == "s.protocol.aquila"
    assert maker.observation == "1"
    assert maker.family is P


PIECES = st.lists(
    st.builds(
        evidence,
        st.sampled_from(["maker", "platform", "role", "model", "brand", "firmware"]),
        st.sampled_from(
            ["aquila", "bubo", "chick", "camera", "recorder", "video-device", "Nest Egg", "V1.2.3"]
        ),
        st.sampled_from(list(Family)),
        st.sampled_from([Level.E1, Level.E2, Level.E3, Level.E4]),
    ),
    max_size=10,
)


@settings(max_examples=200, deadline=None)
@given(PIECES, st.randoms(use_true_random=False))
def test_order_and_repetition_of_evidence_change_nothing(pieces, random):
    once = resolve("d", pieces, RELATIONS)
    again = [*pieces, *pieces]
    random.shuffle(again)
    assert resolve("d", again, RELATIONS) == once
    for one in once:
        if one.attribute in {Attribute.MAKER, Attribute.PLATFORM} and one.level is Level.E3:
            assert {e.family for e in one.evidence} & {P, C, Family.FIRMWARE}
        assert (one.value is None) == (one.state in {State.CONFLICTING, State.NOT_OBSERVED})
