from __future__ import annotations

import msgspec
import pytest
from judged_city import claim, device, endpoint, hikvision, subject, torn

from camscan.judge.decide import FACTORS
from camscan.judge.declared import declared
from camscan.judge.factors import factors, paths
from camscan.model.claim import Attribute, Confidence, Level, Mark
from camscan.model.site import Declaration, Place, Site

A = Attribute


def span(name, *claims, site=None, captured=False, **more):
    found = factors(subject(device("10.20.0.5", *claims, **more), site=site, captured=captured))
    assert tuple(found) == FACTORS
    assert found[name].why_lower
    return found[name].lower, found[name].upper


def said(factor, value, *subjects, by="officer"):
    return Declaration(
        factor=factor, value=value, by=by, date="2026-11-20", subjects=subjects or ("*",)
    )


CN = {"registry_country": "CN", "sources": ("registry_country: a", "registry_country: b")}


@pytest.mark.parametrize(
    ("claims", "captured", "expected"),
    [
        ((), False, (0, 4)),
        ((), True, (0, 4)),  # a capture does not name the maker
        ((claim(A.MAKER, "hikvision"),), False, (2, 4)),  # open while the path is not examined
        ((claim(A.MAKER, "hikvision"),), True, (2, 2)),
        ((claim(A.MAKER, "axis"),), True, (0, 0)),
        ((claim(A.MAKER, "tp-link"),), True, (0, 2)),  # disputed seat: never a flat level
        ((claim(A.MAKER, "foscam"),), True, (0, 4)),  # seat not known
        ((torn(A.MAKER, "hikvision", "axis"),), True, (0, 2)),
        ((torn(A.MAKER, "hikvision", "nobody"),), True, (0, 4)),
        ((claim(A.MAKER, "axis"), claim(A.COMPONENT, "huawei")), True, (1, 1)),
    ],
)
def test_jurisdiction(claims, captured, expected):
    assert span("J", *claims, captured=captured) == expected


def test_j3_and_j4_need_a_destination_seen_or_configured():
    group = endpoint("d.example", service_operator="hikvision", service_parent_country="CN")
    mainland = endpoint("t.example", "203.0.113.9", mark=Mark.CONTACTED, **CN)
    embedded = endpoint("t.example", "203.0.113.9", mark=Mark.EMBEDDED, **CN)
    assert span("J", claim(A.MAKER, "axis"), endpoints=(group,), captured=True) == (3, 3)
    assert span("J", claim(A.MAKER, "axis"), endpoints=(mainland,), captured=True) == (4, 4)
    assert span("J", claim(A.MAKER, "axis"), endpoints=(embedded,), captured=True) == (0, 0)


def test_each_destination_is_a_path_of_its_own():
    clock = endpoint(
        "ntp.example",
        "203.0.113.9",
        mark=Mark.CONTACTED,
        purpose="time",
        packets=4,
        bytes_up=400,
        **CN,
    )
    cloud = endpoint(
        "cloud.example", "198.51.100.3", mark=Mark.CONTACTED, purpose="telemetry", packets=900, bytes_up=90_000,
        registry_country="IE", network_operator="host", service_operator="host",
    )  # fmt: skip
    told = endpoint("up.example", "203.0.113.10", mark=Mark.CONFIGURED, **CN)
    axis, group = claim(A.MAKER, "axis"), claim(A.MAKER, "hikvision")

    def seen(*claims, captured=True, site=None, ends=()):
        return paths(
            subject(device("10.20.0.5", *claims, endpoints=ends), captured=captured, site=site)
        )

    assert seen(axis, ends=(clock, cloud)) == ((0, 3), (4, 2))
    assert seen(group, ends=(clock, cloud)) == ((2, 3), (4, 2))
    assert seen(axis, ends=(cloud, told)) == ((0, 3), (4, 2))
    assert seen(
        axis, ends=(msgspec.structs.replace(cloud, registry_country="CN", sources=CN["sources"]),)
    ) == ((0, 3), (4, 3))
    assert seen(axis, captured=False, ends=(told,)) == ()
    assert seen(axis, ends=(clock, cloud), site=Site(declarations=(said("D", "D3"),))) == ()


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ((), (0, 4)),
        ((claim(A.CLOUD_SUPPORTED, "true"),), (1, 4)),
        ((claim(A.CLOUD_ENABLED, "false"),), (1, 4)),
        ((claim(A.CLOUD_SUPPORTED, "false"),), (0, 4)),
        ((claim(A.CLOUD_ENABLED, "true"),), (2, 4)),
        ((claim(A.P2P_ENABLED, "true"),), (2, 4)),
        ((torn(A.P2P_ENABLED, "true", "false"),), (0, 4)),
    ],
)
def test_data_path_is_open_upwards_without_a_capture(claims, expected):
    assert span("D", *claims) == expected


@pytest.mark.parametrize(
    ("purpose", "lower"),
    [("ntp", 2), ("dns, ntp", 2), ("registration", 3), ("ntp, relay", 3), ("", 3), ("media", 4)],
)
def test_traffic_seen_sets_the_lower_end_of_d(purpose, lower):
    met = endpoint("t.example", mark=Mark.CONTACTED, purpose=purpose)
    assert span("D", endpoints=(met,), captured=True) == (lower, 4)
    configured = endpoint("t.example", mark=Mark.CONFIGURED, purpose=purpose)
    assert span("D", endpoints=(configured,)) == (2, 4)
    own = endpoint("r.example", mark=Mark.CONTACTED, purpose="own-network recorder")
    assert span("D", endpoints=(own,)) == (0, 4)


def test_a_declared_path_is_a_declaration_and_never_below_what_was_seen():
    site = Site(declarations=(said("D", "D0"),))
    assert span("D", site=site) == (0, 0)
    assert span("D", claim(A.CLOUD_ENABLED, "true"), site=site) == (2, 2)
    found = factors(subject(device(), site=site))["D"]
    assert (found.level, found.declared_by) == (Level.E1, "officer")


def test_sensitivity_is_declared_and_raised_by_what_is_active():
    assert span("P") == (1, 3)
    assert span("P", claim(A.PLATE_ACTIVE, "true")) == (2, 3)
    place = Site(places=(Place(name="yard", targets=("10.20.0.0/24",), sensitivity="P2"),))
    assert span("P", site=place) == (2, 2)
    assert span("P", claim(A.FACE_ACTIVE, "true"), site=place) == (3, 3)
    assert span("P", claim(A.FACE_ACTIVE, "false"), site=place) == (2, 2)
    none = Site(declarations=(said("P", "P0"),))
    assert span("P", site=none) == (0, 0)


def test_control_papers_and_prohibition_come_from_people_alone():
    assert span("C") == (0, 2)
    assert span("m") == (0, 1)
    assert span("x") == (0, 0)
    site = Site(declarations=(said("C", "C1"), said("m", "yes"), said("x", "yes")))
    assert [span(f, site=site) for f in ("C", "m", "x")] == [(1, 1), (1, 1), (1, 1)]


def test_the_most_specific_declaration_wins_and_equal_ones_give_an_interval():
    site = Site(
        declarations=(
            said("C", "C0"),
            said("C", "C1", "10.20.0.0/24"),
            said("C", "C2", "10.20.0.5"),
        ),
    )
    assert declared(device("10.20.0.5"), "C", site).lower == 2
    assert declared(device("10.20.0.6"), "C", site).lower == 1
    assert declared(device("10.99.0.6"), "C", site).lower == 0
    assert declared(device("cam-4"), "C", site).lower == 0
    two = Site(declarations=(said("C", "C0", by="a"), said("C", "C2", by="b")))
    found = declared(device(), "C", two)
    assert (found.lower, found.upper, found.by) == (0, 2, "a, b")
    listed = Site(declarations=(said("C", "C1", "A-17"),))
    assert declared(device(listed_as="A-17"), "C", listed).lower == 1
    assert declared(device(), "C", listed) is None


def test_a_value_that_is_no_level_declares_nothing():
    for factor, value in (("C", "C9"), ("C", "full"), ("P", "P4"), ("m", "perhaps"), ("D", "")):
        assert declared(device(), factor, Site(declarations=(said(factor, value),))) is None


OLD = hikvision(firmware="V5.4.5 build 170401", built="2017-04-01")
NEW = hikvision(firmware="V5.8.0 build 251001", built="2025-10-01")
MAPPED = claim(A.UPNP_MAPPING, "80")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ((), (0, 3)),  # version unknown
        (NEW, (0, 0)),
        (hikvision(), (0, 0)),  # built 2024: after every range that names this model
        (OLD, (3, 3)),
        ((*NEW, claim(A.SERVICE_CLEAR, "http:80")), (1, 1)),
        ((*NEW, claim(A.TLS_WEAK, "TLSv1")), (1, 1)),
        ((*NEW, claim(A.ACTIVATED, "false")), (2, 2)),
        ((*NEW, claim(A.ACTIVATED, "true")), (0, 0)),
        ((*NEW, claim(A.SERVICE_NO_LOGIN, "rtsp:554")), (2, 2)),
        ((*NEW, claim(A.SERVICE_NO_LOGIN, "isapi:80")), (0, 0)),  # identity is not media
        ((*NEW, MAPPED), (2, 2)),
        ((*NEW, MAPPED, claim(A.SERVICE_NO_LOGIN, "rtsp:554")), (3, 3)),
        ((claim(A.SERVICE_NO_LOGIN, "rtsp:554"),), (2, 3)),
        (hikvision(firmware="V5.4.5", built=None), (0, 3)),  # cannot be compared with build dates
    ],
)
def test_weakness(claims, expected):
    assert span("T", *claims) == expected


def test_a_version_match_rests_on_e2_at_most_and_is_low_on_labels_alone():
    strong = factors(subject(device("10.20.0.5", *OLD)))["T"]
    assert (strong.level, strong.confidence) == (Level.E2, Confidence.MODERATE)
    weak = hikvision(maker_level=Level.E2, firmware="V5.4.5", built="2017-04-01")
    assert factors(subject(device("10.20.0.5", *weak)))["T"].confidence is Confidence.LOW
