from __future__ import annotations

import ipaddress

import pytest
from judged_city import claim, device, endpoint, hikvision, shipped, torn

from camscan.attribute.advisories import match, uncompared
from camscan.attribute.attribution import attribute
from camscan.attribute.endpoints import NameTable, attribute_endpoints
from camscan.attribute.laws import laws_beside, rules_beside
from camscan.attribute.networks import NetworkTable, registry_country, special
from camscan.attribute.parties import ancestry, chain
from camscan.model.claim import Attribute, Confidence, Level, Mark
from camscan.model.knowledge import Advisory, EndpointName, Network

A = Attribute

KNOWN = shipped()


# ------------------------------------------------------------------ parties
def test_chain_walks_from_brand_over_maker_to_the_seat_of_the_group():
    line = chain(device("d", claim(A.BRAND, "EZVIZ"), claim(A.MAKER, "ezviz")), KNOWN)
    assert (line.maker, line.group, line.seat, line.lower, line.upper) == (
        "ezviz",
        "hikvision",
        "CN",
        2,
        2,
    )
    assert line.steps[0] == "brand on the label: EZVIZ"
    assert line.steps[1].startswith("maker: Hangzhou EZVIZ")
    assert "(https://" in line.steps[1]
    assert line.steps[2].startswith("parent: Hangzhou Hikvision")
    assert "2026-11" in line.steps[2]
    assert line.position.startswith("Hangzhou Hikvision")


def test_a_disputed_seat_is_shown_as_disputed_and_a_maker_never_exceeds_j2():
    line = chain(device("d", claim(A.MAKER, "tp-link")), KNOWN)
    assert (line.seat, line.lower, line.upper) == ("disputed", 0, 2)
    assert any("seat disputed" in s for s in line.steps)
    for party in KNOWN.parties.values():
        assert set(party.jurisdiction) <= {"J0", "J1", "J2", "J?"}


def test_an_intermediary_is_never_a_maker():
    assert ancestry("macchina_security", KNOWN.parties) is None
    assert chain(device("d", claim(A.MAKER, "macchina_security")), KNOWN).maker is None


def test_parents_in_a_circle_end():
    from msgspec.structs import replace

    a = replace(KNOWN.parties["axis"], id="a", parent="b")
    b = replace(KNOWN.parties["axis"], id="b", parent="a")
    assert [p.id for p in ancestry("a", {"a": a, "b": b}).parties] == ["a", "b"]


def test_conflicting_makers_span_what_all_of_them_allow():
    line = chain(device("d", torn(A.MAKER, "axis", "hikvision")), KNOWN)
    assert (line.maker, line.candidates, line.lower, line.upper) == (
        None,
        ("axis", "hikvision"),
        0,
        2,
    )


# ------------------------------------------------------------------ names
@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ("dev.hik-connect.com", "hikvision"),
        ("DEV.HIK-CONNECT.COM.", "hikvision"),
        ("apiieu.hik-connect.com", "hikvision"),
        ("www.easy4ipcloud.com", "dahua"),
        ("a.b.easy4ipcloud.com", "dahua"),
        ("openapi-fk.easy4ip.com", "imou"),
        ("p2p7.reolink.com", "reolink"),
        ("dispatchse1-st.axis.com", "axis"),
        ("evil-hik-connect.com", None),
        ("hik-connect.com.example.org", None),
        ("nothik-connect.com", None),
        ("com", None),
        ("120.92.92.241", "xiongmai"),
        ("UDP 32100 to any address", None),
    ],
)
def test_names_match_on_label_borders_only(name, operator):
    found = NameTable(KNOWN.endpoints).find(name)
    assert (found.operator if found else None) == operator


def test_exact_beats_pattern_beats_longest_suffix():
    def record(match_, id_):
        return EndpointName(
            id=id_,
            match=match_,
            operator=id_,
            purpose=(),
            confidence="high",
            source="s",
            as_of="2026",
        )

    table = NameTable(
        [record("*.a.example", "short"), record("*.b.a.example", "long"), record("x*.b.a.example", "glob"),
         record("x1.b.a.example", "exact")],
    )  # fmt: skip
    assert table.find("x1.b.a.example").id == "exact"
    assert table.find("x2.b.a.example").id == "glob"
    assert table.find("y.b.a.example").id == "long"
    assert table.find("y.c.a.example").id == "short"


# ------------------------------------------------------------------ addresses
def network(id_, prefix, country="CN", **more):
    return Network(
        id=id_,
        name=id_,
        prefixes=(prefix,),
        parent_country=country,
        source="s",
        as_of="2026",
        **more,
    )


def one(address, *, owner=(), name=None, registry=lambda _: "DE", located=None):
    found = endpoint(name, address)
    devices, endpoints = attribute_endpoints(
        [device("10.20.0.5", endpoints=(found,))],
        KNOWN,
        owner=owner,
        registry=registry,
        located=located,
    )
    assert devices[0].endpoints == endpoints
    return endpoints[0]


def test_longest_prefix_wins_in_both_families():
    table = NetworkTable(
        [
            network("wide", "1.12.0.0/14"),
            network("near", "1.12.0.0/20"),
            network("six", "2400:3200::/32"),
        ]
    )
    assert table.find(ipaddress.ip_address("1.12.0.9")).id == "near"
    assert table.find(ipaddress.ip_address("1.13.0.9")).id == "wide"
    assert table.find(ipaddress.ip_address("2400:3200::1")).id == "six"
    assert table.find(ipaddress.ip_address("9.9.9.9")) is None


def test_registry_operator_and_parent_are_separate_columns_with_sources():
    found = one("47.254.128.1", name="dev.hik-connect.com")
    assert found.service_operator == "hikvision"
    assert found.service_parent_country == "CN"
    assert found.network_operator == "Alibaba Cloud, international"
    assert found.network_parent_country == "CN"
    assert found.registry_country == "DE"
    assert found.located_country is None
    columns = {s.partition(":")[0] for s in found.sources}
    assert {"service_operator", "service_parent_country", "network_operator",
            "network_parent_country", "registry_country"} <= columns  # fmt: skip
    assert one("47.254.128.1", located=lambda _: "SG").located_country == "SG"


def test_the_owners_table_outranks_the_special_purpose_exclusion():
    owner = (network("town table", "203.0.113.0/24", registry_country="CN", owner_supplied=True),)
    found = one("203.0.113.9", owner=owner)
    assert (found.network_operator, found.registry_country) == ("town table", "CN")
    assert any("table supplied by the owner" in s for s in found.sources)
    bare = one("203.0.113.9")
    assert bare.network_operator is bare.registry_country is None
    assert any("special-purpose" in s for s in bare.sources)


def test_special_purpose_addresses_and_texts_are_nobodys():
    for text in ("10.0.0.1", "127.0.0.1", "192.0.2.1", "239.1.1.1", "fe80::1", "::1"):
        assert special(ipaddress.ip_address(text))
    assert one("not an address").registry_country is None
    assert one(None, name="unknown.example").service_operator is None


def test_the_registry_is_a_look_up_in_shipped_data():
    assert registry_country("8.8.8.8") == "US"


# ------------------------------------------------------------------ advisories
def advisory(**more):
    return Advisory(
        **{"id": "CVE-0", "platform": "p", "title": "t", "rule": "build_before", "source": "s",
           "as_of": "2026", "comparable": True, **more},
    )  # fmt: skip


def outcome(advisory_, *, model="M1", firmware="", built="", brand=""):
    claims = [claim(A.PLATFORM, "p")]
    for attribute_, value in (
        (A.MODEL, model), (A.FIRMWARE, firmware), (A.BUILD_DATE, built), (A.BRAND, brand),
    ):  # fmt: skip
        if value:
            claims.append(claim(attribute_, value))
    found = match(device("d", *claims), [advisory_])
    return found[0].outcome if found else None


@pytest.mark.parametrize(
    ("record", "facts", "expected"),
    [
        ({"value": "2021-06-28"}, {"built": "2021-06-27"}, "match"),
        ({"value": "2021-06-28"}, {"built": "2021-06-28"}, "no_match"),
        ({"value": "2021-06-28"}, {"firmware": "V5.4 build 210101"}, "match"),
        ({"value": "2021-06-28"}, {"firmware": "V5.4"}, "undecided"),
        ({"rule": "build_le", "value": "2021-06-28"}, {"built": "2021-06-28"}, "match"),
        ({"rule": "range", "value_from": "2014-07-21", "value": "2016-05-30"}, {"built": "2014-07-20"}, "no_match"),
        ({"rule": "range", "value_from": "2014-07-21", "value": "2016-05-30"}, {"built": "2016-05-30"}, "match"),
        ({"rule": "version_lt", "value": "5.3.0"}, {"firmware": "5.2.9"}, "match"),
        ({"rule": "version_lt", "value": "5.3.0"}, {"firmware": "5.3"}, "no_match"),
        ({"rule": "version_le", "value": "3.06"}, {"firmware": "3.06"}, "match"),
        ({"rule": "range", "value_from": "10.5", "value": "11.5"}, {"firmware": "11.5.64"}, "match"),
        ({"rule": "range", "value_from": "10.5", "value": "11.5"}, {"firmware": "11.6.1"}, "no_match"),
        ({"rule": "range", "value_from": "10.5", "value": "11.5"}, {"firmware": "9.80"}, "no_match"),
        ({"rule": "range", "value_from": "5.0", "value": "5.2.6", "fixed": "5.2.6"}, {"firmware": "5.2.6"}, "no_match"),
        ({"rule": "version_lt", "value": "5.3.0"}, {}, "undecided"),
        ({"rule": "version_lt", "value": "letters"}, {"firmware": "5"}, "undecided"),
        ({"rule": "product_only"}, {"firmware": "1"}, "product"),
        ({"rule": "eol"}, {"firmware": "1"}, "product"),
        ({"rule": "eol", "all_versions": True}, {}, "match"),
        ({"models": ("M1",), "value": "2021-06-28"}, {"model": "", "built": "2020-01-01"}, "undecided"),
        ({"models": ("M1",), "value": "2021-06-28"}, {"model": "M12", "built": "2020-01-01"}, "no_match"),
        ({"models": ("m1",), "value": "2021-06-28"}, {"built": "2020-01-01"}, "match"),
        ({"platform": "q", "value": "2021-06-28"}, {"built": "2020-01-01"}, None),
        ({"comparable": False}, {"built": "2020-01-01"}, None),
        ({"product": "a program"}, {"built": "2020-01-01"}, None),
        ({"brand": "cp_plus", "value": "2021-06-28"}, {"built": "2020-01-01"}, None),
        ({"brand": "cp_plus", "value": "2021-06-28"}, {"built": "2020-01-01", "brand": "CP Plus"}, "match"),
    ],
)  # fmt: skip
def test_how_versions_are_compared(record, facts, expected):
    assert outcome(advisory(**record), **facts) == expected


def test_shipped_ranges_name_an_old_camera_and_not_a_new_one():
    old = device("d", *hikvision(firmware="V5.4.5 build 160101", built="2016-01-01"))
    found = {m.advisory for m in match(old, KNOWN.advisories) if m.outcome == "match"}
    assert "CVE-2021-36260" in found
    new = device("d", *hikvision(firmware="V5.8.0 build 251001", built="2025-10-01"))
    assert not [m for m in match(new, KNOWN.advisories) if m.outcome != "no_match"]
    assert uncompared(new, KNOWN.advisories)
    assert not match(device("d"), KNOWN.advisories)


def test_every_shipped_comparison_can_be_evaluated():
    import re2

    for record in KNOWN.advisories:
        for model in record.models:
            assert re2.compile(model) is not None
        if record.comparable:
            assert record.models or record.value or record.all_versions, record.id
        if record.known_exploited:
            assert record.known_exploited_as_of


# ------------------------------------------------------------------ laws
KINDS = KNOWN.law_nexus


def test_no_article_without_a_nexus_and_other_triggers_never_suffice():
    assert laws_beside((), KNOWN.laws, KINDS) == ()
    maker = dict(laws_beside(("vendor-group-cn",), KNOWN.laws, KINDS))
    assert "CN-NIL-7" in maker["vendor-group-cn"]
    assert "CN-RMSV-7" in maker["vuln-known"]  # narrowed by the finding, carried by the nexus
    assert "p2p-enabled" not in maker  # CN-CSL-28 needs an operator or an address, not a maker
    assert "endpoint-located-cn" not in maker
    assert "CN-DSL-35" not in maker["vendor-group-cn"]
    place = dict(laws_beside(("endpoint-located-cn",), KNOWN.laws, KINDS))
    assert "CN-DSL-35" in place["endpoint-located-cn"]
    assert "vendor-group-cn" not in place
    never = {i for i, law in KNOWN.laws.items() if not law.triggers}
    printed = {i for c in (maker, place) for ids in c.values() for i in ids}
    assert never & printed == set()


def test_low_confidence_is_no_nexus():
    sure = device("a", claim(A.MAKER, "hikvision"))
    weak = device("b", claim(A.MAKER, "hikvision", level=Level.E2, confidence=Confidence.LOW))
    unread = device("c", claim(A.MAKER, "tiandy"))
    found = attribute([sure, weak, unread], KNOWN)
    assert [found[k].nexus for k in "abc"] == [("vendor-group-cn",), (), ()]
    assert found["b"].laws == ()
    assert "US-NDAA-889" not in found["b"].rules_for("vendor-identity")


def test_one_register_entry_is_no_nexus_and_two_are():
    def located(*sources):
        far = endpoint(
            "t.example", "203.0.113.9", mark=Mark.CONTACTED, registry_country="CN", sources=sources
        )
        return attribute([device("d", endpoints=(far,))], KNOWN)["d"]

    assert located("registry_country: a").nexus == ()
    assert located("registry_country: a", "registry_country: b").nexus == ("endpoint-located-cn",)
    differs = "registry_country of the AS differs: US"
    assert located("registry_country: a", "registry_country: b", differs).nexus == ()


def test_cdn_addresses_never_carry_a_mainland_registration():
    cdn = next(n for n in KNOWN.networks if n.kind == "cdn" and n.operator)
    far = endpoint("t.example", "203.0.113.9", registry_country="CN",
                   network_operator=KNOWN.parties[cdn.operator].name)  # fmt: skip
    assert attribute([device("d", endpoints=(far,))], KNOWN)["d"].ties == ()


def test_rules_with_makers_stand_beside_them_alone_and_capability_is_not_biometric():
    assert "EU-EP-2021" in dict(rules_beside("hikvision", KNOWN.rules))["vendor-identity"]
    assert "EU-EP-2021" not in dict(rules_beside("dahua", KNOWN.rules))["vendor-identity"]
    assert "US-NDAA-889" not in dict(rules_beside(None, KNOWN.rules)).get("vendor-identity", ())
    assert "RS-ZZPL-17" not in dict(rules_beside(None, KNOWN.rules))["attribute-analytics"]
