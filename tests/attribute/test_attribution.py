from __future__ import annotations

import ipaddress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_city import claim, device, endpoint, hikvision, shipped, torn

from camscan.attribute.advisories import match, uncompared
from camscan.attribute.attribution import attribute
from camscan.attribute.endpoints import Columns, NameTable, attribute_endpoints
from camscan.attribute.laws import laws_beside, rules_beside
from camscan.attribute.networks import NetworkTable, special
from camscan.attribute.parties import ancestry, chain
from camscan.model.claim import Attribute, Confidence, Level, Mark
from camscan.model.knowledge import Advisory, EndpointName, Network
from camscan.model.lookups import AutonomousSystem, Country, Lookups
from camscan.special_ranges import SPECIAL_RANGES

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
        ("a.hik-connect.com.evil.example", None),
        ("hik-connect.com", "hikvision"),
        ("hikconnect.com", None),
        ("kalay.net.cn", "throughtek"),
        ("m9.kalay.net.cn", "throughtek"),
        ("evil-kalay.net.cn", None),
        ("net.cn", None),
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


def one(address, *, owner=(), name=None, registry="DE", located=None, asn=None, knowledge=KNOWN):
    found = endpoint(name, address)
    looked = Lookups(
        registry=Country(lambda _: registry, "registers, 2026"),
        located=Country(lambda _: located, "places, 2026") if located else None,
        asn=AutonomousSystem(lambda _: asn, "systems, 2026") if asn else None,
    )
    devices, endpoints = attribute_endpoints(
        [device("10.20.0.5", endpoints=(found,))], knowledge, owner=owner, lookups=looked
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
    assert one("47.254.128.1", located="SG").located_country == "SG"


def test_the_owners_table_outranks_the_special_purpose_exclusion():
    owner = (network("town table", "203.0.113.0/24", registry_country="CN", owner_supplied=True),)
    found = one("203.0.113.9", owner=owner)
    assert (found.network_operator, found.registry_country) == ("town table", "CN")
    assert any("table supplied by the owner" in s for s in found.sources)
    bare = one("203.0.113.9")
    assert bare.network_operator is bare.registry_country is None
    assert any("TEST-NET-3 (RFC 5737), by IANA's special-purpose table" in s for s in bare.sources)


def test_special_purpose_addresses_and_texts_are_nobodys():
    for text in ("10.0.0.1", "127.0.0.1", "192.0.2.1", "239.1.1.1", "fe80::1", "::1"):
        assert special(ipaddress.ip_address(text))
    assert one("not an address").registry_country is None
    assert one(None, name="unknown.example").service_operator is None


def test_columns_that_differ_are_said_to_differ_and_none_is_corrected():
    found = one("47.254.128.1", name="dev.hik-connect.com", located="SG")
    assert (found.registry_country, found.located_country) == ("DE", "SG")
    assert (
        "columns differ: registered in DE, located in SG, network's parent in CN, service's parent in CN"
        in found.sources
    )
    alike = one("47.254.128.1", registry="CN", located="CN")
    assert not any(s.startswith("columns differ") for s in alike.sources)


def test_a_supplier_of_technology_is_told_and_is_no_parent():
    block = next(n for n in KNOWN.networks if n.operator == "net-open-telekom-cloud" and n.prefixes)
    found = one(block.prefixes[0].partition("/")[0])
    assert found.network_parent_country == "DE"
    assert any(s.startswith("technology supplier, not a parent: Huawei") for s in found.sources)


def test_the_as_of_the_users_database_counts_only_where_no_prefix_does():
    by_as = one("198.100.1.1", asn=(24940, "HETZNER-AS"))
    assert (by_as.network_operator, by_as.network_parent_country) == ("Hetzner", "DE")
    assert by_as.sources[0].startswith("network_operator: AS24940 HETZNER-AS by systems, 2026; ")
    unknown = one("198.100.1.1", asn=(64512, "SOMEBODY"))
    assert (unknown.network_operator, unknown.network_parent_country) == ("AS64512 SOMEBODY", None)
    both = one("47.254.128.1", asn=(24940, "HETZNER-AS"))
    assert both.network_operator == "Alibaba Cloud, international"
    assert "network_operator by AS differs: AS24940 HETZNER-AS by systems, 2026" in both.sources
    same = one("47.254.128.1", asn=(45102, "ALIBABA"))
    assert not any("differs" in s for s in same.sources if "by AS" in s)
    assert one("198.100.1.1").network_operator is None


def test_what_an_endpoint_already_holds_stays_and_marks_never_change():
    columns = Columns(KNOWN)
    for mark in Mark:
        before = endpoint("dev.hik-connect.com", mark=mark, purpose="given")
        after = columns.fill(before)
        assert (after.marks, after.purpose, after.service_operator) == (
            (mark,),
            "given",
            "hikvision",
        )
    bare = endpoint(None, "120.92.92.241")
    assert columns.fill(bare).service_operator == "xiongmai"


def prefixes(version):
    bits = 32 if version == 4 else 128
    return st.builds(
        lambda number, length: ipaddress.ip_network(
            ((number >> (bits - length)) << (bits - length), length)
        ),
        st.integers(0, 2**bits - 1),
        st.integers(0, bits),
    )


@given(st.lists(st.one_of(prefixes(4), prefixes(6)), max_size=12), st.data())
def test_bisection_finds_what_asking_every_prefix_finds(blocks, data):
    table = NetworkTable([network(str(b), str(b)) for b in blocks])
    edges = [a for b in blocks for a in (b.network_address, b.broadcast_address)]
    asked = [
        *edges,
        *(a + 1 for a in edges if int(a) + 1 < 2**a.max_prefixlen),
        *(a - 1 for a in edges if int(a)),
        ipaddress.ip_address(data.draw(st.integers(0, 2**32 - 1))),
    ]
    for address in asked:
        inside = [b for b in blocks if b.version == address.version and address in b]
        best = max(inside, key=lambda b: b.prefixlen, default=None)
        found = table.find(address)
        assert (found.id if found else None) == (str(best) if best is not None else None)


def test_every_special_range_is_found_by_its_narrowest_row():
    for row in SPECIAL_RANGES:
        block = ipaddress.ip_network(row.cidr)
        for edge in (block.network_address, block.broadcast_address):
            narrowest = min(
                (r for r in SPECIAL_RANGES if edge.version == ipaddress.ip_network(r.cidr).version
                 and edge in ipaddress.ip_network(r.cidr)),
                key=lambda r: ipaddress.ip_network(r.cidr).num_addresses,
            )  # fmt: skip
            assert special(edge) is narrowest
    assert special(ipaddress.ip_address("8.8.8.8")) is None
    assert special(ipaddress.ip_address("2400:3200::1")) is None


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
    cdn = next(n for n in KNOWN.networks if n.kind == "cdn" and n.prefixes)
    far = endpoint("t.example", cdn.prefixes[0].partition("/")[0])
    looked = Lookups(registry=Country(lambda _: "CN", "registers, 2026"))
    filled, _ = attribute_endpoints([device("d", endpoints=(far,))], KNOWN, lookups=looked)
    assert filled[0].endpoints[0].registry_country == "CN"
    ties = attribute(filled, KNOWN)["d"].ties
    assert {t.condition for t in ties} <= {"cloud-operator-cn-group"}
    bare = msgspec.structs.replace(filled[0].endpoints[0], sources=("registry_country: a",))
    ties = attribute([device("d", endpoints=(bare,))], KNOWN)["d"].ties
    assert "endpoint-located-cn" in {t.condition for t in ties}


def test_rules_with_makers_stand_beside_them_alone_and_capability_is_not_biometric():
    assert "EU-EP-2021" in dict(rules_beside("hikvision", KNOWN.rules))["vendor-identity"]
    assert "EU-EP-2021" not in dict(rules_beside("dahua", KNOWN.rules))["vendor-identity"]
    assert "US-NDAA-889" not in dict(rules_beside(None, KNOWN.rules)).get("vendor-identity", ())
    assert "RS-ZZPL-17" not in dict(rules_beside(None, KNOWN.rules))["attribute-analytics"]
