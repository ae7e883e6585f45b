"""Every concern row, condition by condition, in every state it can reach.

First the roll-up alone with invented findings, for all rows; then the rows of the report end to end, from
claims and endpoints of invented devices to the word that is printed.
"""

from __future__ import annotations

from itertools import product

import msgspec
import pytest
from judged_city import claim, device, endpoint, hikvision, no_coverage, shipped, torn

from camscan.attribute.attribution import attribute
from camscan.judge.concerns import links, roll_up
from camscan.judge.judge import judge
from camscan.model.claim import Attribute, Confidence, Level, Mark, Role, State
from camscan.model.finding import Finding
from camscan.model.site import Asset, Document, Site

A = Attribute
KNOWN = shipped()
WORDS = ("supported", "weakly supported", "not supported under stated coverage", "open", "outside what a network can show")  # fmt: skip
SUPPORTED, WEAK, NOT, OPEN, OUTSIDE = WORDS
LOOKED = {c.id: c for c in KNOWN.concerns.values() if c.testable in {"network", "partly"}}
IDENTITY = {"vendor-identity"}
ORIGIN = {"BIRN-2"}
"""Rows whose claim is that devices come from named makers, and nothing else."""


def alone(concern, condition):
    """Whether an observed condition supports the claim by itself."""
    if condition == "update-channel":
        return False
    return condition != "vendor-identity" or concern.id in ORIGIN


def found(concern, condition, state, *, confidence=Confidence.MODERATE, subject="10.0.0.1"):
    makers = concern.makers[:1] or ("axis",)
    return Finding(
        id=f"{condition}@{subject}",
        condition=condition,
        subject=subject,
        state=state,
        level=Level.E3,
        confidence=confidence,
        statement="s.",
        concerns=links(condition, state, makers, [concern]),
    )


def result(concern, findings, judged=1):
    rows = roll_up(findings, KNOWN, judged)
    assert [r.concern for r in rows] == sorted(
        KNOWN.concerns, key=lambda k: (k.rpartition("-")[0], int(k.rpartition("-")[2]))
    )
    return next(r for r in rows if r.concern == concern.id)


PAIRS = [(c, name) for c in LOOKED.values() for name in c.supports]


@pytest.mark.parametrize(("concern", "condition"), PAIRS, ids=lambda v: getattr(v, "id", v))
def test_one_observed_condition_supports_and_a_weak_one_weakly(concern, condition):
    firm = result(concern, [found(concern, condition, State.OBSERVED)])
    weak = result(concern, [found(concern, condition, State.OBSERVED, confidence=Confidence.LOW)])
    if alone(concern, condition):
        assert (firm.word, weak.word) == (SUPPORTED, WEAK)
        assert (firm.supporting, firm.examined, firm.present) == (1, 1, 1)
    else:
        assert firm.word == weak.word == OPEN
        assert firm.supporting == 0
    assert (condition, "observed") in firm.conditions
    assert (condition, 1, 1) in firm.counts


@pytest.mark.parametrize(("concern", "condition"), PAIRS, ids=lambda v: getattr(v, "id", v))
@pytest.mark.parametrize("state", [State.NOT_OBSERVED, State.DECLARED, State.CONFLICTING])
def test_what_was_not_settled_leaves_the_row_open(concern, condition, state):
    others = [found(concern, c, State.OBSERVED_NOT) for c in concern.supports if c != condition]
    row = result(concern, [*others, found(concern, condition, state)])
    if alone(concern, condition):
        assert row.word == OPEN
    assert row.word in {OPEN, NOT}
    assert (condition, state.value) in row.conditions
    answered = state is State.CONFLICTING
    assert (condition, int(answered), 1) in row.counts


@pytest.mark.parametrize("concern", LOOKED.values(), ids=lambda c: c.id)
def test_all_tests_negative_on_every_device_is_not_supported_and_one_unexamined_device_is_open(
    concern,
):
    both = ("10.0.0.1", "10.0.0.2")
    none = [
        found(concern, c, State.OBSERVED_NOT, subject=s) for c in concern.supports for s in both
    ]
    tests = [c for c in concern.supports if alone(concern, c)]
    row = result(concern, none, 2)
    assert row.word == (NOT if tests else OPEN)
    if not tests:
        return
    assert (row.examined, row.present) == (2, 2)
    gone = [
        found(concern, f.condition, State.NOT_OBSERVED, subject=f.subject)
        if (f.condition, f.subject) == (tests[0], both[1])
        else f
        for f in none
    ]
    left = result(concern, gone, 2)
    assert left.word == OPEN
    assert (tests[0], 1, 2) in left.counts


@pytest.mark.parametrize("concern", LOOKED.values(), ids=lambda c: c.id)
def test_nothing_looked_at_is_open_and_a_precondition_supports_nothing(concern):
    assert result(concern, []).word == OPEN
    for name in concern.precondition:
        row = result(concern, [found(concern, name, State.OBSERVED)])
        assert (row.word, row.supporting, row.examined) == (OPEN, 0, 0)
        assert (name, "observed") in row.conditions


@pytest.mark.parametrize(
    "concern",
    [c for c in KNOWN.concerns.values() if c.id not in LOOKED],
    ids=lambda c: c.id,
)
def test_what_documents_or_nobody_here_can_decide_stays_outside(concern):
    for state, confidence in product(State, Confidence):
        findings = [found(concern, c, state, confidence=confidence) for c in concern.supports]
        assert result(concern, findings).word == OUTSIDE
    assert {"BIRN-5", "BIRN-11", "BIRN-12", "BIRN-14", "BIRN-16"} <= set(KNOWN.concerns) - set(
        LOOKED
    )


def test_an_answer_for_the_site_covers_every_device_and_is_not_one_device_more():
    row = KNOWN.concerns["BIRN-1"]
    site = found(row, "inventory-delta", State.OBSERVED, subject="site")
    face = [found(row, "face-capability", State.OBSERVED_NOT, subject=f"d{n}") for n in range(3)]
    assert (result(row, [site], 5).examined, result(row, [site], 5).supporting) == (5, 1)
    both = result(row, [site, *face], 5)
    assert (both.examined, both.present, both.supporting) == (3, 5, 1)


# ------------------------------------------------------------------ end to end
def at(place, *claims, **more):
    name = f"10.20.0.{place}"
    ends = tuple(msgspec.structs.replace(e, device_id=name) for e in more.pop("endpoints", ()))
    return device(name, *claims, endpoints=ends, **more)


def judged(devices, *, site=None, captured=False):
    devices = tuple(devices)
    answer = judge(
        devices,
        no_coverage(),
        knowledge=KNOWN,
        site=site or Site(),
        as_of="2026-11-23T20:00:00Z",
        jurisdiction="RS",
        attributions=attribute(devices, KNOWN),
        captured=frozenset(d.device_id for d in devices) if captured else frozenset(),
    )
    return {c.concern: c for c in answer.concerns}


def row(name, *devices, **more):
    found_ = judged(devices, **more)[name]
    return (
        found_.word,
        dict(found_.conditions),
        (found_.supporting, found_.examined, found_.present),
    )


LOW = {"level": Level.E2, "confidence": Confidence.LOW}
CN = {"registry_country": "CN", "sources": ("registry_country: a", "registry_country: b")}


def axis(place, *claims, **more):
    return at(place, claim(A.MAKER, "axis"), claim(A.BRAND, "Axis"), *claims, **more)


FACES = {
    "yes": (claim(A.FACE_RECOGNITION, "true"),),
    "weak": (claim(A.FACE_RECOGNITION, "true", **LOW),),
    "no": (claim(A.FACE_RECOGNITION, "false"), claim(A.FACE_ACTIVE, "false"), claim(A.ATTRIBUTE_ANALYTICS, "false")),
    "part": (claim(A.FACE_RECOGNITION, "false"), claim(A.FACE_ACTIVE, "false")),
    "torn": (torn(A.FACE_RECOGNITION, "true", "false"),),
    "detection": (claim(A.FACE_DETECTION, "true"),),
    "silent": (),
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "word", "state"),
    [
        ("yes", SUPPORTED, "observed"),
        ("weak", WEAK, "observed"),
        ("no", NOT, "observed_not"),
        ("part", OPEN, "observed_not"),
        ("torn", OPEN, "conflicting"),
        ("detection", OPEN, "not_observed"),  # a face found is no face recognised
        ("silent", OPEN, "not_observed"),
    ],
)
def test_face_recognition(case, word, state):
    got, conditions, counts = row("BIRN-6", axis(1, *FACES[case]))
    assert (got, conditions["face-capability"]) == (word, state)
    assert counts[2] == 1
    assert row("SHARE-2", axis(1, *FACES[case]))[0] in {word, NOT}


def test_face_recognition_of_one_device_of_three_counts_one():
    got = row("BIRN-6", axis(1, *FACES["yes"]), axis(2, *FACES["no"]), axis(3))
    assert (got[0], got[2]) == (SUPPORTED, (1, 2, 3))


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ((claim(A.PLATE, "true"),), SUPPORTED),
        ((claim(A.PLATE_ACTIVE, "true", **LOW),), WEAK),
        ((claim(A.PLATE, "false"), claim(A.PLATE_ACTIVE, "false")), NOT),
        ((claim(A.PLATE, "false"),), OPEN),
        ((), OPEN),
    ],
)
def test_plate_recognition(claims, word):
    assert row("BIRN-7", axis(1, *claims))[0] == word


def test_concentration_on_named_makers():
    low = claim(A.MAKER, "dahua", **LOW)
    assert row("BIRN-2", at(1, *hikvision()))[0::2] == (SUPPORTED, (1, 1, 1))
    assert row("BIRN-2", at(1, low))[0] == WEAK
    assert row("BIRN-2", axis(1), axis(2))[0::2] == (NOT, (0, 2, 2))
    assert row("BIRN-2", axis(1), at(2, claim(A.MAKER, "uniview")))[0::2] == (OPEN, (0, 2, 2))
    assert row("BIRN-2", axis(1), at(2, claim(A.P2P_ENABLED, "true")))[0] == OPEN  # maker unknown
    relabelled = at(1, claim(A.MAKER, "axis"), claim(A.BRAND, "Other"))
    assert row("BIRN-2", relabelled)[0] == OPEN  # another name on the label: looked at, not settled
    assert row("BIRN-2", at(1, claim(A.MAKER, "axis", **LOW), claim(A.BRAND, "Axis")))[0] == OPEN
    assert row("BIRN-2", at(1, torn(A.MAKER, "axis", "hikvision")))[0] == OPEN
    assert row("BIRN-2")[0] == OPEN


def test_supply_through_an_intermediary_needs_a_label_or_papers_and_never_names_the_supplier():
    rebrand = at(1, claim(A.MAKER, "hikvision"), claim(A.BRAND, "Annke"))
    weak = at(1, claim(A.MAKER, "hikvision", **LOW), claim(A.BRAND, "Annke"))
    assert row("BIRN-3", rebrand)[0] == SUPPORTED
    assert row("BIRN-3", weak)[0] == WEAK
    word, conditions, _ = row("BIRN-3", axis(1))
    assert (word, conditions["rebrand-oem"]) == (OPEN, "observed_not")
    papers = Site(
        documents=(Document(condition="doc-procurement", present=True, by="buyer", date="2026-01-01", text="contract 7"),)
    )  # fmt: skip
    word, conditions, _ = row("BIRN-3", axis(1), site=papers)
    assert (word, conditions["doc-procurement"]) == (OPEN, "declared")


def mainland(mark, **more):
    return endpoint("t.example", "203.0.113.9", mark=mark, purpose="relay", **more)


@pytest.mark.parametrize(
    ("ends", "captured", "word", "state"),
    [
        ((mainland(Mark.CONTACTED, **CN),), True, SUPPORTED, "observed"),
        ((mainland(Mark.CONFIGURED, **CN),), False, SUPPORTED, "observed"),
        ((mainland(Mark.CONTACTED, registry_country="CN", sources=("registry_country: a",)),), True, WEAK, "observed"),
        ((mainland(Mark.EMBEDDED, **CN),), False, OPEN, "not_observed"),
        ((mainland(Mark.CONTACTED, registry_country="HK", sources=CN["sources"]),), True, OPEN, "not_observed"),
        ((), True, OPEN, "not_observed"),  # a silent window bounds, it does not exclude
        ((), False, OPEN, "not_observed"),
    ],
)  # fmt: skip
def test_data_under_chinese_law(ends, captured, word, state):
    got, conditions, _ = row("BIRN-4", axis(1, endpoints=ends), captured=captured)
    assert (got, conditions["endpoint-located-cn"]) == (word, state)


def test_data_under_chinese_law_is_not_supported_by_a_maker_or_an_open_function_alone():
    maker = at(1, *hikvision(claim(A.P2P_ENABLED, "true"), claim(A.CLOUD_ENABLED, "true")))
    word, conditions, counts = row("BIRN-4", maker)
    assert (word, counts) == (OPEN, (0, 0, 1))
    assert (conditions["vendor-group-cn"], conditions["p2p-enabled"]) == ("observed", "observed")


def test_default_time_and_name_services_in_the_prc_support_weakly():
    asks = endpoint("ntp.aliyun.com", mark=Mark.NAMED, purpose="ntp", service_parent_country="CN")
    word, conditions, _ = row("BIRN-4", axis(1, endpoints=(asks,)), captured=True)
    assert (word, conditions["default-infra-cn"]) == (WEAK, "observed")


def test_one_supplier_for_the_whole_system():
    def stack(*makers):
        recorder = at(1, claim(A.MAKER, makers[0]), role=Role.RECORDER)
        return (recorder, *(at(n, claim(A.MAKER, m)) for n, m in enumerate(makers[1:], 2)))

    word, conditions, _ = row("BIRN-8", *stack("huawei", "huawei"))
    assert (word, conditions["single-vendor-stack"]) == (SUPPORTED, "observed")
    word, conditions, _ = row("BIRN-8", *stack("huawei", "axis"))
    assert (word, conditions["single-vendor-stack"]) == (OPEN, "observed_not")
    # A camera of the named maker alone is no system, and another maker's system is not this claim.
    assert row("BIRN-8", at(1, claim(A.MAKER, "huawei")))[0] == OPEN
    assert row("BIRN-8", *stack("dahua", "dahua"))[0] == OPEN
    assert row("SHARE-5", *stack("dahua", "dahua"))[0] == SUPPORTED
    assert row("SHARE-5", *stack("dahua", "axis"))[0] == NOT
    weak = [msgspec.structs.replace(d, claims=(claim(A.MAKER, "dahua", **LOW),)) for d in stack("dahua", "dahua")]  # fmt: skip
    assert row("SHARE-5", *weak)[0] == WEAK


OLD = hikvision(firmware="V5.4.5 build 170401", built="2017-04-01")


def test_security_of_the_design():
    assert row("BIRN-10", at(1, *OLD))[0] == SUPPORTED
    weak = tuple(msgspec.structs.replace(c, **LOW) for c in OLD)
    assert row("BIRN-10", at(1, *weak))[0] == WEAK
    word, conditions, _ = row("BIRN-10", axis(1))
    assert word == OPEN
    assert set(conditions.values()) == {"not_observed"}
    channel = endpoint("firmware.hikvision.com", mark=Mark.CONTACTED, purpose="update")
    word, conditions, _ = row("BIRN-10", axis(1, endpoints=(channel,)), captured=True)
    assert (word, conditions["update-channel"]) == (OPEN, "observed")


def test_flaws_of_other_makers_do_not_feed_a_row_about_named_ones():
    other = at(1, claim(A.MAKER, "axis"), claim(A.PLATFORM, "axis"), claim(A.MODEL, "AXIS P1455"),
               claim(A.FIRMWARE, "9.80.1"))  # fmt: skip
    assert row("RFERL-4", at(1, *OLD))[0] == SUPPORTED
    assert row("RFERL-4", other)[0] == OPEN


def test_procurement_opacity_is_never_decided_by_packets():
    for site in (
        Site(),
        Site(documents=(Document(condition="doc-procurement", present=False, by="b", date="d"),)),
    ):
        for cameras in ((), (at(1, *OLD),)):
            assert row("BIRN-5", *cameras, site=site)[0] == OUTSIDE


def test_devices_found_against_the_list():
    listed = at(1, *hikvision(), listed_as="C1")
    whole = Site(assets=(Asset(id="C1"),))
    assert row("SHARE-3", listed, site=whole)[0::2] == (NOT, (0, 1, 1))
    assert row("SHARE-3", listed, at(2, *hikvision()), site=whole)[0::2] == (SUPPORTED, (1, 2, 2))
    assert row("SHARE-3", listed)[0] == OPEN


def test_a_link_to_a_platform_supports_the_rows_that_ask_for_one():
    tied = axis(1, claim(A.PLATFORM_LINK, "gb28181 10.9.9.9"))
    for name in ("BIRN-9", "RFERL-1", "SHARE-1"):
        assert row(name, tied)[0] == SUPPORTED
        assert row(name, axis(1))[0] == OPEN


def test_every_row_of_the_facts_was_driven_and_no_word_is_made_up():
    results = judged((at(1, *OLD), axis(2, *FACES["no"])))
    assert set(results) == set(KNOWN.concerns)
    assert {r.word for r in results.values()} <= set(WORDS)
    for r in results.values():
        assert 0 <= r.supporting <= max(r.examined, 1)
        assert r.examined <= r.present == 2
