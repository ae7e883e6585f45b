from __future__ import annotations

from itertools import product

import msgspec
import pytest
from judged_city import claim, device, endpoint, hikvision, no_coverage, shipped, torn

from camscan.attribute.attribution import attribute
from camscan.judge.judge import judge, judged
from camscan.knowledge import load
from camscan.knowledge_phrases import finder
from camscan.model.claim import Attribute, Confidence, Level, Mark, Role, State, Visibility
from camscan.model.finding import Action
from camscan.model.site import Asset, Declaration, Place, Site

A = Attribute

find = finder(load().vocabulary)

OLD = hikvision(firmware="V5.4.5 build 170401", built="2017-04-01")
CN = {"registry_country": "CN", "sources": ("registry_country: a", "registry_country: b")}


def at(place, *claims, **more):
    name = f"10.20.0.{place}"
    ends = tuple(msgspec.structs.replace(e, device_id=name) for e in more.pop("endpoints", ()))
    return device(name, *claims, endpoints=ends, **more)


def city():
    return (
        at(1, *hikvision(claim(A.CLOUD_ENABLED, "true"))),
        at(2, *OLD, listed_as="C2"),
        at(3, claim(A.MAKER, "axis"), claim(A.PLATFORM, "axis"), claim(A.FIRMWARE, "12.1.60")),
        at(4, torn(A.MAKER, "hikvision", "axis"), is_camera=None),
        at(5, *hikvision(claim(A.FACE_ACTIVE, "true"), claim(A.SERVICE_NO_LOGIN, "rtsp:554"))),
        at(6, claim(A.MAKER, "hikvision"), claim(A.BRAND, "Annke"), claim(A.CHANNELS_ANNOUNCED, "8"),
           role=Role.RECORDER),
        at(7, *hikvision(), behind="10.20.0.6"),
        at(8, claim(A.MAKER, "tp-link"), claim(A.TLS_WEAK, "TLSv1"), claim(A.ACTIVATED, "false")),
        at(9, is_camera=False, role=Role.PRINTER),
        at(10, *hikvision(), endpoints=(endpoint("t.example", "203.0.113.9", mark=Mark.CONTACTED,
                                                 purpose="relay", **CN),)),
        at(11, claim(A.MAKER, "tiandy"), claim(A.SERVICE_CLEAR, "http:80"), claim(A.PLATE, "true")),
        at(12, claim(A.P2P_SUPPORTED, "true"), claim(A.FACE_DETECTION, "true"), claim(A.UPNP_MAPPING, "80")),
        device("C9", visibility=Visibility.LISTED, listed_as="C9"),
        device("10.20.0.99", is_camera=None, role=Role.OTHER),
    )  # fmt: skip


SITE = Site(
    owner="Town",
    declared_by="head of IT",
    date="2026-11-20",
    places=(Place(name="school yard", targets=("10.20.0.1",), sensitivity="P2"),),
    declarations=(
        Declaration(factor="C", value="C0", by="head of IT", date="2026-11-20"),
        Declaration(
            factor="m", value="no", by="officer", date="2026-11-20", subjects=("10.20.0.0/29",)
        ),
    ),
    assets=(Asset(id="C2", address="10.20.0.2"), Asset(id="C9", place="bridge")),
)


def run(devices=None, site=SITE, **more):
    devices = devices or city()
    knowledge = shipped()
    return judge(
        devices,
        no_coverage(),
        knowledge=knowledge,
        site=site,
        as_of="2026-11-23T20:00:00Z",
        jurisdiction="RS",
        attributions=attribute(devices, knowledge),
        **more,
    )


JUDGED = run()
BY_ID = {f.id: f for f in JUDGED.findings}
DECISIONS = dict(JUDGED.decisions)


def every_text(judgement):
    for finding in judgement.findings:
        yield finding.id, finding.statement
        yield finding.id, finding.would_change
        for detail in finding.details:
            yield finding.id, detail
    for device_id, decision in judgement.decisions:
        yield device_id, f"{decision.settles} {decision.note}"
    for device_id, intervals in judgement.factors:
        for i in intervals:
            yield device_id, f"{i.why_lower} {i.why_upper}"
    for test in judgement.next_tests:
        yield test.test, f"{test.test} {test.command}"


@pytest.mark.parametrize("captured", [frozenset(), frozenset(d.device_id for d in city())])
@pytest.mark.parametrize("site", [SITE, Site()])
def test_no_sentence_of_a_broad_city_says_more_than_the_evidence(site, captured):
    texts = list(every_text(run(site=site, captured=captured)))
    assert len(texts) > 400
    assert [(i, find(t)) for i, t in texts if find(t)] == []


def test_every_finding_is_complete():
    assert len(BY_ID) == len(JUDGED.findings)
    for finding in JUDGED.findings:
        assert finding.id == f"{finding.condition}@{finding.subject}"
        assert not finding.statement.endswith("..")
        assert finding.statement.endswith(".")
        assert finding.does_not_show
        assert finding.would_change
        assert (finding.reason is not None) == (finding.state is State.NOT_OBSERVED)
        assert (finding.action is None) == (finding.subject == "site")
        if finding.state is State.OBSERVED:
            assert finding.level is not Level.E0


def test_decoys_and_devices_without_any_trace_are_not_judged():
    assert {"10.20.0.9", "10.20.0.99"} & set(DECISIONS) == set()
    assert not any(f.subject in {"10.20.0.9", "10.20.0.99"} for f in JUDGED.findings)
    assert "10.20.0.4" in DECISIONS
    assert "C9" in DECISIONS
    assert [judged(d) for d in city()[8:9]] == [False]


def test_lower_ends_of_the_city_hold_act_plan_and_document():
    assert DECISIONS["10.20.0.2"].lower is Action.ACT  # known-exploited range, no control: row 4
    assert DECISIONS["10.20.0.2"].row == 4
    assert DECISIONS["10.20.0.5"].lower is Action.PLAN  # media without login, no control: row 9
    assert DECISIONS["10.20.0.1"].lower is Action.DOCUMENT
    assert DECISIONS["10.20.0.1"].upper is Action.ACT  # the data path was not examined
    assert "capture" in DECISIONS["10.20.0.1"].settles


def test_origin_alone_ends_in_document():
    only = (at(1, *hikvision(built="2025-10-01", firmware="V5.8.0 build 251001")),)
    declared = tuple(
        Declaration(factor=f, value=v, by="head of IT", date="2026-11-20")
        for f, v in (("C", "C2"), ("D", "D0"), ("P", "P1"), ("m", "no"))
    )
    result = dict(run(only, Site(declarations=declared)).decisions)["10.20.0.1"]
    assert (result.lower, result.upper, result.row) == (Action.DOCUMENT, Action.DOCUMENT, 11)


def test_laws_stand_only_beside_an_observed_nexus_of_that_very_device():
    assert BY_ID["vendor-group-cn@10.20.0.1"].laws
    for finding in JUDGED.findings:
        if finding.laws:
            assert finding.state is State.OBSERVED
            assert finding.subject in {f"10.20.0.{n}" for n in (1, 2, 5, 6, 7, 10)}
    # the low-confidence seat, the disputed one, the foreign maker, the conflict: no article
    for name, condition in product((3, 4, 8, 11, 12), ("vendor-group-cn", "vuln-known")):
        assert BY_ID[f"{condition}@10.20.0.{name}"].laws == ()
    assert "CN-DSL-35" in BY_ID["endpoint-located-cn@10.20.0.10"].laws
    assert all("CN-DSL-35" not in f.laws for f in JUDGED.findings if f.subject == "10.20.0.1")


def test_rules_that_name_makers_stand_beside_those_makers_alone():
    assert "US-NDAA-889" in BY_ID["vendor-identity@10.20.0.1"].rules
    assert "US-NDAA-889" not in BY_ID["vendor-identity@10.20.0.3"].rules
    assert "RS-ZZPL-50" in BY_ID["transport-clear@10.20.0.11"].rules
    detection = BY_ID["face-detection@10.20.0.12"]
    assert {"RS-ZZPL-17", "EU-GDPR-9", "EU-AIACT-5"} & set(detection.rules) == set()


def test_concerns_use_the_five_words_and_count_what_was_examined():
    words = {c.concern: c for c in JUDGED.concerns}
    assert set(words) == set(shipped().concerns)
    assert words["BIRN-2"].word == "supported"
    assert words["BIRN-5"].word == words["BIRN-12"].word == "outside what a network can show"
    assert words["BIRN-4"].word == "supported"  # one mainland endpoint, two entries
    assert words["BIRN-7"].word in {"supported", "open"}
    assert words["BIRN-2"].present == len(DECISIONS)
    assert 0 < words["BIRN-2"].examined <= words["BIRN-2"].present
    assert not any("refuted" in c.word for c in JUDGED.concerns)


def test_a_precondition_alone_supports_nothing():
    quiet = tuple(d for d in city() if d.device_id != "10.20.0.10")
    result = {c.concern: c for c in run(quiet).concerns}["BIRN-4"]
    assert result.word == "open"
    assert result.supporting == 0
    assert ("vendor-group-cn", "observed") in result.conditions


def test_a_concern_about_named_makers_is_not_fed_by_others():
    only = (at(11, claim(A.MAKER, "tiandy")), at(3, claim(A.MAKER, "axis")))
    result = {c.concern: c for c in run(only).concerns}["BIRN-2"]
    assert (result.word, result.supporting, result.examined) == ("open", 0, 2)


def test_knowing_a_maker_supports_no_claim_about_contracts_or_places():
    result = {c.concern: c for c in run((at(3, claim(A.MAKER, "axis")),)).concerns}
    assert result["BIRN-3"].word == result["RFERL-6"].word == "open"
    assert result["BIRN-3"].supporting == 0


def test_all_tests_negative_is_not_supported_under_stated_coverage():
    none = (at(3, claim(A.MAKER, "axis"), claim(A.PLATE, "false"), claim(A.PLATE_ACTIVE, "false")),)
    result = {c.concern: c for c in run(none).concerns}["BIRN-7"]
    assert result.word == "not supported under stated coverage"
    assert (result.examined, result.present) == (1, 1)


def test_low_confidence_supports_weakly():
    low = claim(A.MAKER, "dahua", level=Level.E2, confidence=Confidence.LOW)
    result = {c.concern: c for c in run((at(1, low),)).concerns}["BIRN-2"]
    assert result.word == "weakly supported"


def test_next_tests_are_grouped_and_sorted_by_cost():
    tests = JUDGED.next_tests
    assert [t.cost for t in tests] == sorted(t.cost for t in tests)
    capture = next(t for t in tests if "capture" in t.test)
    assert capture.settles == ("D", "J")
    assert len(capture.subjects) > 3
    assert all(t.subjects and t.command for t in tests)


def test_asset_list_both_ways_and_hidden_channels():
    delta = BY_ID["inventory-delta@site"]
    assert delta.state is State.OBSERVED
    assert delta.action is None
    assert "found, not in the list: 10.20.0.1" in delta.details
    assert "in the list, not found: C9 (bridge)" in delta.details
    assert "7 channels were not examined" in BY_ID["hidden-cameras@10.20.0.6"].statement
    bare = {f.id: f for f in run(site=Site()).findings}
    assert bare["inventory-delta@site"].state is State.NOT_OBSERVED


def test_a_camera_is_its_own_only_channel():
    def hidden(role, channels):
        device = at(6, claim(A.CHANNELS_ANNOUNCED, channels), role=role)
        return [f for f in run((device,)).findings if f.condition == "hidden-cameras"]

    assert hidden(Role.VIDEO_DEVICE, "1") == []
    assert hidden(Role.CAMERA, "1") == []
    assert [f.state for f in hidden(Role.VIDEO_DEVICE, "4")] == [State.OBSERVED]
    assert [f.state for f in hidden(Role.RECORDER, "1")] == [State.OBSERVED]


def test_a_listed_device_that_answered_is_not_called_absent():
    known = at(7, *hikvision(), listed_as="C1")
    mute = at(8, is_camera=None, role=None, listed_as="C2")
    site = Site(assets=(Asset(id="C1"), Asset(id="C2"), Asset(id="C3")))
    found = {f.id: f for f in run((known, mute), site=site).findings}["inventory-delta@site"]
    assert "in the list, not found: C3" in found.details
    assert "listed and answering, not recognised as a camera: C2" in found.details
    assert not any("C1" in d or d == "in the list, not found: C2" for d in found.details)


def test_one_maker_for_the_whole_chain():
    recorder = at(6, claim(A.MAKER, "hikvision"), role=Role.RECORDER)
    camera, other = at(7, *hikvision()), at(8, claim(A.MAKER, "axis"))

    def state(*devices):
        found = {f.condition: f for f in run(devices).findings if f.subject == "site"}
        return found["single-vendor-stack"].state

    assert state(recorder, camera) is State.OBSERVED
    assert state(recorder, camera, other) is State.OBSERVED_NOT
    assert state(camera) is State.NOT_OBSERVED
    assert state(recorder, at(9, torn(A.MAKER, "a", "b"))) is State.NOT_OBSERVED


def test_the_same_city_in_another_order_gives_the_same_bytes():
    again = run(tuple(reversed(city())))
    assert msgspec.json.encode(again) == msgspec.json.encode(JUDGED)
    assert [d for d, _ in JUDGED.decisions][:3] == ["10.20.0.1", "10.20.0.2", "10.20.0.3"]


GOLDEN = {
    "10.20.0.1": ("DOCUMENT", 11, "ACT", 2),
    "10.20.0.2": ("ACT", 4, "ACT", 2),
    "10.20.0.3": ("DOCUMENT", 11, "ACT", 2),
    "10.20.0.5": ("PLAN", 9, "ACT", 2),
    "10.20.0.8": ("PLAN", 9, "ACT", 2),
    "10.20.0.10": ("ACT", 5, "ACT", 2),
    "10.20.0.12": ("PLAN", 9, "ACT", 2),
    "C9": ("DOCUMENT", 11, "ACT", 2),
}


def test_golden_decisions():
    found = {
        k: (d.lower.value, d.row, d.upper.value, d.upper_row)
        for k, d in DECISIONS.items()
        if k in GOLDEN
    }
    assert found == GOLDEN
