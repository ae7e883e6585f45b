"""What the law part must never do, tried over all makers, rules, articles and endpoints of the shipped data."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_city import (
    AS_OF,
    claim,
    device,
    endpoint,
    hikvision,
    no_coverage,
    shipped,
    subject,
    torn,
)

from camscan.attribute.attribution import attribute
from camscan.attribute.endpoints import Columns, attribute_endpoints
from camscan.attribute.parties import ancestry, chain
from camscan.judge.checks.registry import DEVICE_CHECKS, SITE_CHECKS
from camscan.judge.factors import factors
from camscan.judge.judge import judge
from camscan.model.claim import Attribute, Confidence, Level, Mark, State
from camscan.model.knowledge import Network
from camscan.model.lookups import Country, Lookups
from camscan.model.site import Site

A = Attribute
KNOWN = shipped()
NAME = "10.20.0.5"
MAKERS = sorted(p.id for p in KNOWN.parties.values() if p.builds)


def judged(*devices, captured=()):
    filled, _ = attribute_endpoints(devices, KNOWN)
    return judge(
        filled,
        no_coverage(),
        knowledge=KNOWN,
        site=Site(),
        as_of=f"{AS_OF}T00:00:00Z",
        jurisdiction="RS",
        attributions=attribute(filled, KNOWN),
        captured=frozenset(captured),
    )


def span(factor, *claims, **more):
    captured = more.pop("captured", False)
    found = factors(subject(device(NAME, *claims, **more), captured=captured))[factor]
    return found.lower, found.upper


# ------------------------------------------------------------------ articles
BOOLEANS = (
    A.CLOUD_ENABLED,
    A.P2P_ENABLED,
    A.FACE_ACTIVE,
    A.PLATE_ACTIVE,
    A.CLOUD_SUPPORTED,
    A.FACE_RECOGNITION,
)
_claims = st.lists(
    st.builds(
        lambda a, level, confidence: claim(a, "true", level=level, confidence=confidence),
        st.sampled_from(BOOLEANS),
        st.sampled_from([Level.E2, Level.E3]),
        st.sampled_from(list(Confidence)),
    ),
    max_size=4,
    unique_by=lambda c: c.attribute,
)
_makers = st.one_of(
    st.just(()),
    st.builds(
        lambda m, confidence: (claim(A.MAKER, m, confidence=confidence),),
        st.sampled_from([*MAKERS, "macchina_security", "hisilicon", "nobody"]),
        st.sampled_from(list(Confidence)),
    ),
    st.just((torn(A.MAKER, "hikvision", "axis"),)),
)
_ends = st.lists(
    st.builds(
        lambda name, address, mark, country, two: endpoint(
            name, address, mark=mark, registry_country=country,
            sources=("registry_country: a", "registry_country: b") if two else ("registry_country: a",),
        ),
        st.sampled_from([None, "dev.hik-connect.com", "t.example", "x.example.cn"]),
        st.sampled_from([None, "203.0.113.9", "47.254.128.1"]),
        st.sampled_from(list(Mark)),
        st.sampled_from([None, "CN", "HK", "MO", "TW", "DE"]),
        st.booleans(),
    ),
    max_size=2,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(_makers, _claims, _ends, st.booleans())
def test_no_article_without_an_observed_nexus_of_that_very_device(maker, claims, ends, captured):
    ends = tuple(msgspec.structs.replace(e, device_id=NAME) for e in ends)
    one = device(NAME, *maker, *claims, endpoints=ends)
    prc = device("10.20.0.6", *hikvision(), endpoints=())
    result = judged(one, prc, captured=(NAME,) if captured else ())
    firm = {Confidence.MODERATE, Confidence.HIGH}
    observed = {
        f.condition
        for f in result.findings
        if f.subject == NAME
        and f.condition in KNOWN.law_nexus
        and f.state is State.OBSERVED
        and f.confidence in firm
    }
    for finding in result.findings:
        if finding.subject != NAME:
            continue
        for law in finding.laws:
            # beside an observed finding, which the article names, and carried by a nexus it accepts
            triggers = KNOWN.laws[law].triggers
            assert finding.state is State.OBSERVED
            assert finding.condition in triggers
            accepted = [t for t in triggers if t in KNOWN.law_nexus] or list(KNOWN.law_nexus)
            assert observed & set(accepted), (law, finding.id)
    # The camera beside it has a nexus of its own, so the guard above cannot pass by printing nothing.
    assert any(f.laws for f in result.findings if f.subject == "10.20.0.6")
    assert not any(f.laws for f in result.findings if f.subject == "site")


def test_no_article_beside_an_open_function_or_an_old_version_of_a_maker_outside_the_prc():
    for maker in MAKERS:
        party = KNOWN.parties[maker]
        if party.group_seat == "CN":
            continue
        one = device(NAME, claim(A.MAKER, maker), claim(A.P2P_ENABLED, "true"), claim(A.CLOUD_ENABLED, "true"))  # fmt: skip
        found = [f for f in judged(one).findings if f.laws]
        seat = ancestry(maker, KNOWN.parties).seat
        assert (seat == "CN") or found == [], maker


# ------------------------------------------------------------------ rules about named makers
NAMED = [r for r in KNOWN.rules.values() if r.makers]


def test_a_rule_about_named_makers_stands_beside_these_alone():
    assert len(NAMED) >= 8
    for maker in (*MAKERS, None):
        claims = (claim(A.MAKER, maker),) if maker else ()
        printed = {r for f in judged(device(NAME, *claims)).findings for r in f.rules}
        for rule in NAMED:
            if maker in rule.makers and "vendor-identity" in rule.triggers:
                continue
            assert rule.id not in printed or maker in rule.makers, (maker, rule.id)
    low = claim(A.MAKER, "hikvision", level=Level.E2, confidence=Confidence.LOW)
    printed = {r for f in judged(device(NAME, low)).findings for r in f.rules}
    assert not printed & {r.id for r in NAMED}
    sure = {r for f in judged(device(NAME, *hikvision())).findings for r in f.rules}
    assert {
        r.id for r in NAMED if "hikvision" in r.makers and "vendor-identity" in r.triggers
    } <= sure


# ------------------------------------------------------------------ J4
@cache
def columns(country, owner=()):
    lookups = Lookups(registry=Country(lambda _: country, "registers, 2026"))
    return Columns(KNOWN, owner=owner, lookups=lookups)


def j_of(address=None, name=None, *, country="CN", mark=Mark.CONTACTED, owner=()):
    filled = columns(country, owner).fill(endpoint(name, address, mark=mark))
    return span("J", claim(A.MAKER, "axis"), endpoints=(filled,), captured=True)


def test_a_mainland_registration_that_was_contacted_is_j4():
    assert j_of("198.100.1.1") == (4, 4)


@pytest.mark.parametrize("country", ["HK", "MO", "TW", "SG"])
def test_hong_kong_macau_and_taiwan_are_never_j4(country):
    # 3, since an operator nobody knows may belong to a PRC group
    assert j_of("198.100.1.1", country=country) == (0, 3)
    assert j_of("47.254.128.1", country=country)[1] == 3  # a PRC group's block abroad


def test_an_address_without_register_entry_and_operator_leaves_j_open():
    assert j_of("198.100.1.1", country=None) == (0, 4)


CN_NAMES = [e for e in KNOWN.endpoints if e.matchable and (e.cn_listed or e.match.endswith(".cn"))]


def test_a_name_under_cn_or_on_the_china_list_alone_is_never_j4():
    assert len(CN_NAMES) > 40
    for record in CN_NAMES:
        name = record.match.replace("*", "x")
        for mark in Mark:
            assert j_of(None, name, mark=mark)[1] <= 3, record.id
        assert j_of("198.100.1.1", name, country="DE")[1] <= 3
    assert j_of(None, "camera.example.cn") == (0, 3)


MOVABLE = [n for n in KNOWN.networks if n.kind in {"cdn", "resolver"} and n.prefixes]


def test_cdn_and_anycast_addresses_are_never_j4():
    assert len(MOVABLE) >= 10
    for record in MOVABLE:
        first = record.prefixes[0].partition("/")[0]
        assert j_of(first)[1] <= 3, record.id
    own = Network(id="o", name="A cache", prefixes=("203.0.113.0/24",), parent_country="CN", source="s",
                  as_of="2026", kind="cdn", registry_country="CN", owner_supplied=True)  # fmt: skip
    assert j_of("203.0.113.9", owner=(own,)) == (3, 3)
    plain = msgspec.structs.replace(own, kind="cloud")
    assert j_of("203.0.113.9", owner=(plain,)) == (4, 4)


def test_a_name_in_firmware_is_no_destination():
    assert j_of("198.100.1.1", "dev.hik-connect.com", mark=Mark.EMBEDDED) == (0, 0)


def test_an_unexamined_data_path_leaves_j_open_to_j4_for_every_maker():
    for maker in MAKERS:
        assert span("J", claim(A.MAKER, maker))[1] == 4, maker


# ------------------------------------------------------------------ declarations
_any = st.lists(
    st.sampled_from(
        [
            claim(A.MAKER, "hikvision"), claim(A.FACE_ACTIVE, "true"), claim(A.P2P_ENABLED, "true"),
            claim(A.SERVICE_NO_LOGIN, "rtsp:554"), claim(A.UPNP_MAPPING, "80"), claim(A.PLATFORM_LINK, "gb28181"),
            claim(A.TLS_WEAK, "TLSv1"), claim(A.PLATE_ACTIVE, "true"), claim(A.ACTIVATED, "false"),
        ]
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(_any, st.booleans())
def test_prohibition_and_missing_papers_are_never_set_by_software(claims, captured):
    assert span("x", *claims, captured=captured) == (0, 0)
    assert span("m", *claims, captured=captured) == (0, 1)


def test_no_check_has_a_place_where_it_could_set_them():
    assert not [c.condition for c in (*DEVICE_CHECKS, *SITE_CHECKS) if c.factor in {"x", "m"}]


# ------------------------------------------------------------------ parties
def test_the_disputed_seat_of_tp_link_is_an_interval_and_no_article_stands_beside_it():
    assert span("J", claim(A.MAKER, "tp-link"), captured=True) == (0, 2)
    assert span("J", claim(A.MAKER, "tp-link")) == (0, 4)
    far = columns(None).fill(endpoint("n-devs.tplinkcloud.com", mark=Mark.CONTACTED))
    assert far.service_parent_country == "disputed"
    assert span("J", claim(A.MAKER, "tp-link"), endpoints=(far,), captured=True) == (0, 3)
    inside = msgspec.structs.replace(far, marks=(Mark.EMBEDDED,))
    assert span("J", claim(A.MAKER, "tp-link"), endpoints=(inside,), captured=True) == (0, 2)
    result = judged(device(NAME, claim(A.MAKER, "tp-link"), claim(A.P2P_ENABLED, "true")))
    assert not any(f.laws for f in result.findings)
    said = next(f for f in result.findings if f.condition == "vendor-group-cn")
    assert said.state is State.CONFLICTING
    assert "disputed" in said.statement


NO_MAKERS = sorted(p.id for p in KNOWN.parties.values() if not p.builds)


def test_a_supplier_or_a_maker_of_chips_is_never_the_maker_of_a_device():
    assert {"macchina_security", "hisilicon"} <= set(NO_MAKERS)
    for party in NO_MAKERS:
        one = device(NAME, claim(A.MAKER, party), claim(A.FIRMWARE, "1"))
        line = chain(one, KNOWN)
        assert (line.maker, line.known, line.lower, line.upper) == (None, False, 0, 4)
        result = judged(one)
        assert not any(f.laws for f in result.findings)
        assert "vendor-group-cn" not in {
            f.condition for f in result.findings if f.state is State.OBSERVED
        }
        for brand in KNOWN.brands:
            assert brand.maker != party


def test_a_hisilicon_chip_is_a_component_and_never_huawei():
    chip = claim(A.COMPONENT, "HiSilicon")
    assert span("J", claim(A.MAKER, "axis"), chip, captured=True) == (1, 1)
    assert span("J", claim(A.MAKER, "hikvision"), chip, captured=True) == (2, 2)
    assert span("J", claim(A.MAKER, "axis"), claim(A.COMPONENT, "ambarella"), captured=True) == (
        0,
        0,
    )
    result = judged(device(NAME, claim(A.MAKER, "axis"), claim(A.BRAND, "Axis"), chip))
    assert not any(f.laws for f in result.findings)
    for finding in result.findings:
        assert "Huawei" not in finding.statement
        assert not {"US-NDAA-889", "US-ENTITY-2019", "US-FCC-LIST"} & set(finding.rules)
    assert {c.concern: c.supporting for c in result.concerns}["BIRN-8"] == 0
    for record in KNOWN.signatures:
        for says in record.says:
            assert not (says.attribute is A.MAKER and says.value in NO_MAKERS)
