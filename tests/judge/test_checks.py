from __future__ import annotations

import pytest
from judged_city import (
    AS_OF,
    claim,
    device,
    endpoint,
    hikvision,
    no_coverage,
    subject,
    torn,
)

from camscan.judge.checks.documents import DOCUMENTS
from camscan.judge.checks.registry import DEVICE_CHECKS, SITE_CHECKS
from camscan.model.claim import Attribute, Confidence, Level, Mark, Role, State, Visibility
from camscan.model.observation import Reason
from camscan.model.site import DOCUMENT_CONDITIONS, Declaration, Document, Site

A = Attribute

CHECKS = {c.condition: c for c in DEVICE_CHECKS}
OBSERVED, NOT, UNKNOWN, TORN = (
    State.OBSERVED,
    State.OBSERVED_NOT,
    State.NOT_OBSERVED,
    State.CONFLICTING,
)


def ask(condition, *claims, site=None, captured=False, **more):
    return CHECKS[condition].check(
        subject(device("10.20.0.5", *claims, **more), site=site, captured=captured)
    )


BOOLEAN = {
    "face-capability": A.FACE_RECOGNITION,
    "face-active": A.FACE_ACTIVE,
    "anpr-capability": A.PLATE,
    "anpr-active": A.PLATE_ACTIVE,
    "attribute-analytics": A.ATTRIBUTE_ANALYTICS,
    "audio-capability": A.AUDIO,
    "p2p-enabled": A.P2P_ENABLED,
    "cloud-configured": A.CLOUD_ENABLED,
}


@pytest.mark.parametrize(("condition", "attribute"), BOOLEAN.items())
def test_a_stated_yes_a_stated_no_silence_and_a_contradiction_are_four_answers(
    condition, attribute
):
    yes, no = ask(condition, claim(attribute, "true")), ask(condition, claim(attribute, "false"))
    silent, both = ask(condition), ask(condition, torn(attribute, "true", "false"))
    assert [a.state for a in (yes, no, silent, both)] == [OBSERVED, NOT, UNKNOWN, TORN]
    assert yes.claims
    assert no.claims
    assert yes.level is Level.E3
    assert silent.reason is Reason.NO_CREDENTIALS
    assert both.confidence is Confidence.LOW
    assert both.details == ("true", "false")
    assert len({a.statement for a in (yes, no, silent, both)}) == 4


def test_a_value_that_is_neither_yes_nor_no_is_not_read_as_no():
    assert ask("face-capability", claim(A.FACE_RECOGNITION, "maybe")).state is UNKNOWN


def test_a_declared_capability_stays_declared():
    answer = ask("audio-capability", claim(A.AUDIO, "true", state=State.DECLARED))
    assert answer.state is State.DECLARED
    assert answer.level is Level.E1


def test_an_offered_p2p_function_is_not_an_enabled_one_and_an_advertised_cloud_is_said_so():
    assert ask("p2p-enabled", claim(A.P2P_SUPPORTED, "true")).state is UNKNOWN
    assert ask("p2p-enabled", claim(A.P2P_SUPPORTED, "false")).state is NOT
    assert ask("p2p-enabled", torn(A.P2P_SUPPORTED, "true", "false")).state is TORN
    advertised = ask("cloud-configured", claim(A.CLOUD_SUPPORTED, "true"))
    assert advertised.state is OBSERVED
    assert "whether it is on was not stated" in advertised.statement
    assert ask("cloud-configured", claim(A.CLOUD_SUPPORTED, "false")).state is NOT
    assert ask("cloud-configured", claim(A.CLOUD_ACCOUNT, "true")).state is OBSERVED
    off = ask("cloud-configured", claim(A.CLOUD_SUPPORTED, "true"), claim(A.CLOUD_ENABLED, "false"))
    assert off.state is NOT
    hosts = ask(
        "cloud-configured",
        endpoints=(endpoint("dev.hik-connect.com", service_operator="hikvision"),),
    )
    assert hosts.state is OBSERVED
    assert "dev.hik-connect.com" in hosts.statement


def test_face_detection_offered_is_not_face_detection_active():
    offered = ask("face-detection", claim(A.FACE_DETECTION, "true"))
    assert offered.state is UNKNOWN
    assert "it offers face detection" in offered.statement
    assert ask("face-detection", claim(A.FACE_DETECTION, "false")).state is NOT
    assert ask("face-detection", torn(A.FACE_DETECTION, "true", "false")).state is TORN
    assert ask("face-detection").state is UNKNOWN
    for answer in (offered, ask("face-detection")):
        assert "recognition" not in answer.statement


def test_activation_is_reported_the_right_way_round():
    assert ask("device-not-activated", claim(A.ACTIVATED, "false")).state is OBSERVED
    assert ask("device-not-activated", claim(A.ACTIVATED, "true")).state is NOT
    assert ask("device-not-activated").state is UNKNOWN
    assert ask("device-not-activated", torn(A.ACTIVATED, "true", "false")).state is TORN


def test_identity_names_the_company_and_counts_no_maker_as_no():
    answer = ask("vendor-identity", *hikvision())
    assert answer.state is OBSERVED
    assert (
        "Hangzhou Hikvision Digital Technology Co., Ltd., model DS-2CD2042WD-I" in answer.statement
    )
    assert ask("vendor-identity").state is UNKNOWN
    several = ask("vendor-identity", torn(A.MAKER, "hikvision", "axis"))
    assert several.state is TORN
    assert "Axis Communications AB" in several.statement
    weak = ask("vendor-identity", claim(A.MAKER, None, state=State.NOT_OBSERVED))
    assert weak.state is UNKNOWN


def test_group_seat_prc_other_disputed_unknown_and_conflicting():
    prc = ask("vendor-group-cn", *hikvision())
    assert prc.state is OBSERVED
    assert prc.position.startswith("Hangzhou Hikvision")
    assert "This finding shows no data flow" in prc.statement
    child = ask("vendor-group-cn", claim(A.MAKER, "ezviz"))
    assert child.state is OBSERVED
    assert any("parent: Hangzhou Hikvision" in d for d in child.details)
    other = ask("vendor-group-cn", claim(A.MAKER, "axis"))
    assert other.state is NOT
    assert "statutes" not in other.statement
    disputed = ask("vendor-group-cn", claim(A.MAKER, "tp-link"))
    assert disputed.state is TORN
    assert "disputed" in disputed.statement
    assert ask("vendor-group-cn", claim(A.MAKER, "foscam")).reason is Reason.NO_DATABASE
    assert ask("vendor-group-cn", claim(A.MAKER, "nobody")).state is UNKNOWN
    assert ask("vendor-group-cn").state is UNKNOWN
    assert ask("vendor-group-cn", torn(A.MAKER, "hikvision", "axis")).state is TORN
    assert ask("vendor-group-cn", claim(A.MAKER, "macchina_security")).state is UNKNOWN


def test_an_unverified_seat_is_low_confidence_and_says_so():
    answer = ask("vendor-group-cn", claim(A.MAKER, "tiandy"))
    assert answer.state is OBSERVED
    assert "not verified" in answer.statement
    assert (answer.level, answer.confidence) == (Level.E1, Confidence.LOW)
    assert "no published position" in answer.position


def test_brand_and_maker_are_compared_by_name_not_by_origin():
    assert ask("rebrand-oem", *hikvision()).state is NOT
    rebrand = ask("rebrand-oem", claim(A.BRAND, "Annke"), claim(A.MAKER, "hikvision"))
    assert rebrand.state is OBSERVED
    assert "carries the brand Annke" in rebrand.statement
    assert ask("rebrand-oem", claim(A.MAKER, "hikvision")).state is UNKNOWN
    assert ask("rebrand-oem", claim(A.BRAND, "Annke")).state is UNKNOWN
    assert ask("rebrand-oem", claim(A.BRAND, "Annke"), torn(A.MAKER, "a", "b")).state is TORN


def test_firmware_age_is_stated_and_newer_only_where_a_fixed_build_is_known():
    old = ask("firmware-outdated", *hikvision(firmware="V5.4.5 build 170401", built="2017-04-01"))
    assert old.state is OBSERVED
    assert "the fixed version that the record of CVE-2021-36260 names" in old.statement
    assert any("CVE-2021-36260: fixed" in d and "source: " in d for d in old.details)
    assert "9.6 years before 2026-11-23" in old.statement
    assert old.level is Level.E2
    current = ask("firmware-outdated", *hikvision())
    assert current.state is UNKNOWN
    assert current.reason is Reason.NO_DATABASE
    assert "2.8 years before" in current.statement
    assert ask("firmware-outdated", claim(A.MAKER, "axis")).reason is Reason.NO_CREDENTIALS
    assert ask("firmware-outdated", torn(A.FIRMWARE, "1", "2")).state is TORN
    dateless = ask("firmware-outdated", claim(A.FIRMWARE, "1.0"))
    assert "build date not stated" in dateless.statement
    odd = ask("firmware-outdated", claim(A.FIRMWARE, "1.0"), claim(A.BUILD_DATE, "spring"))
    assert "build date spring" in odd.statement


def test_versions_in_an_affected_range_and_versions_that_are_unknown():
    old = hikvision(firmware="V5.4.5 build 170401", built="2017-04-01")
    known, kev = ask("vuln-known", *old), ask("vuln-kev", *old)
    assert known.state is kev.state is OBSERVED
    assert "in the affected range of CVE-2021-36260" in known.statement
    assert "known-exploited list since 2022-01-10 (list as of 2026-07-20)" in kev.statement
    assert known.level is Level.E2
    assert known.confidence is Confidence.MODERATE
    weak = ask("vuln-kev", *hikvision(maker_level=Level.E2, firmware="V5.4.5", built="2017-04-01"))
    assert weak.confidence is Confidence.LOW
    new = ask("vuln-known", *hikvision(built="2025-10-01", firmware="V5.8.0 build 251001"))
    assert new.state is NOT
    assert "none of the" in new.statement
    assert ask("vuln-kev", *hikvision(built="2025-10-01", firmware="V5.8.0")).state is NOT
    blind = ask("vuln-known", *hikvision(firmware=None, built=None))
    assert blind.state is UNKNOWN
    assert blind.reason is Reason.NO_CREDENTIALS
    foreign = ask("vuln-known", claim(A.PLATFORM, "foscam"), claim(A.FIRMWARE, "1.0"))
    assert foreign.state is UNKNOWN
    assert foreign.reason is Reason.NO_DATABASE
    dateless = ask("vuln-known", *hikvision(firmware="V5.4.5", built=None))
    assert dateless.state is UNKNOWN
    assert "could not be compared" in dateless.statement


def test_support_ended_is_read_from_an_advisory_and_never_from_silence():
    edimax = (claim(A.PLATFORM, "edimax"), claim(A.MODEL, "IC-7100W"), claim(A.FIRMWARE, "3.01"))
    assert ask("support-ended", *edimax).state is OBSERVED
    assert ask("support-ended", *hikvision()).reason is Reason.NO_DATABASE


CLEAR, ENCRYPTED = claim(A.SERVICE_CLEAR, "http:80"), claim(A.SERVICE_ENCRYPTED, "https:443")


@pytest.mark.parametrize(
    ("condition", "none", "clear", "encrypted"),
    [
        ("transport-clear", UNKNOWN, OBSERVED, NOT),
        ("transport-encrypted", UNKNOWN, NOT, OBSERVED),
        ("login-absent", UNKNOWN, NOT, NOT),
        ("tls-weak", UNKNOWN, UNKNOWN, NOT),
    ],
)
def test_services_that_did_not_answer_are_not_examined(condition, none, clear, encrypted):
    assert [ask(condition, *c).state for c in ((), (CLEAR,), (ENCRYPTED,))] == [
        none,
        clear,
        encrypted,
    ]


def test_both_kinds_of_service_count_as_clear_text_offered():
    assert ask("transport-clear", CLEAR, ENCRYPTED).state is OBSERVED
    assert ask("transport-encrypted", CLEAR, ENCRYPTED).state is NOT


def test_content_without_login_weak_tls_and_mappings():
    bare = ask("login-absent", claim(A.SERVICE_NO_LOGIN, "rtsp:554"))
    assert bare.state is OBSERVED
    assert "rtsp:554" in bare.statement
    assert ask("tls-weak", claim(A.TLS_WEAK, "TLSv1")).state is OBSERVED
    assert ask("remote-access-open", claim(A.UPNP_MAPPING, "80")).state is OBSERVED
    assert ask("remote-access-open").state is UNKNOWN
    assert ask("platform-link", claim(A.PLATFORM_LINK, "gb28181")).state is OBSERVED
    assert ask("platform-link").reason is Reason.NO_CREDENTIALS


def test_egress_needs_a_capture_and_a_silent_one_is_too_short():
    for condition in ("egress-observed", "media-egress"):
        assert ask(condition).reason is Reason.NO_CAPTURE
        assert ask(condition, captured=True).reason is Reason.WINDOW_TOO_SHORT
    met = (endpoint("r.example", mark=Mark.CONTACTED, purpose="relay, media"),)
    for condition in ("egress-observed", "media-egress"):
        assert ask(condition, endpoints=met, captured=True).state is OBSERVED


CN = {
    "registry_country": "CN",
    "sources": ("registry_country: one", "registry_country: two"),
}


def test_endpoint_words_follow_the_mark_and_the_evidence():
    flow = endpoint("t.example", "203.0.113.9", mark=Mark.CONTACTED, purpose="ntp", **CN)
    answer = ask("endpoint-located-cn", endpoints=(flow,), captured=True)
    assert (
        "exchanged ntp traffic with t.example, an address registered in mainland China"
        in answer.statement
    )
    assert answer.level is Level.E3
    setting = endpoint("t.example", "203.0.113.9", mark=Mark.CONFIGURED, **CN)
    answer = ask("endpoint-located-cn", endpoints=(setting,))
    assert "has in its settings t.example" in answer.statement
    assert "exchanged" not in answer.statement
    single = endpoint("t.example", "203.0.113.9", mark=Mark.CONTACTED, registry_country="CN")
    answer = ask("endpoint-located-cn", endpoints=(single,), captured=True)
    assert answer.confidence is Confidence.LOW
    assert "contacted t.example" in answer.statement
    embedded = endpoint("t.example", "203.0.113.9", mark=Mark.EMBEDDED, **CN)
    assert ask("endpoint-located-cn", endpoints=(embedded,)).reason is Reason.NO_CAPTURE
    hong_kong = endpoint("t.example", "203.0.113.9", mark=Mark.CONTACTED, registry_country="HK")
    assert ask("endpoint-located-cn", endpoints=(hong_kong,), captured=True).state is UNKNOWN


def test_operator_and_host_are_told_apart():
    name = endpoint("d.example", service_operator="hikvision", service_parent_country="CN")
    answer = ask("cloud-operator-cn-group", endpoints=(name,))
    assert "a service operated by Hangzhou Hikvision" in answer.statement
    assert answer.confidence is Confidence.LOW
    host = endpoint("d.example", network_operator="Alibaba Cloud", network_parent_country="CN")
    answer = ask("cloud-operator-cn-group", endpoints=(host,))
    assert "hosted on a network of Alibaba Cloud" in answer.statement
    assert "operated" not in answer.statement
    assert ask("cloud-operator-cn-group").state is UNKNOWN


def host(name, purpose, *, mark=Mark.CONFIGURED, country=None, **more):
    return endpoint(name, mark=mark, purpose=purpose, service_parent_country=country, **more)


def test_time_and_name_services_in_the_prc():
    ntp = host("ntp.aliyun.com", "ntp", country="CN", service_operator="net-alibaba-cloud-cn")
    answer = ask("default-infra-cn", endpoints=(ntp,))
    assert answer.state is OBSERVED
    assert "ntp.aliyun.com (set; ntp; operated by " in answer.statement
    inside = host("114.114.114.114", "dns", mark=Mark.EMBEDDED, country="CN")
    assert "contained in its firmware" in ask("default-infra-cn", endpoints=(inside,)).statement
    hosted = host(
        "time.example", "ntp", country="US", network_operator="Hoster", network_parent_country="CN"
    )
    told = ask("default-infra-cn", endpoints=(hosted,)).statement
    assert "hosted on a network of Hoster" in told
    assert "operator for" not in told  # a host is no operator
    both = ask("default-infra-cn", endpoints=(ntp, hosted)).statement
    assert "of a PRC operator, or on networks of a PRC group" in both
    own = (host("ntp.example", "ntp", country="DE"), host("dns.example", "dns", country="DE"))
    assert ask("default-infra-cn", endpoints=own).state is NOT
    assert ask("default-infra-cn", endpoints=own[:1]).state is UNKNOWN
    # Nobody known behind a service is not somebody outside the PRC.
    nobody = (host("ntp.example", "ntp"), host("dns.example", "dns"))
    assert ask("default-infra-cn", endpoints=nobody).state is UNKNOWN
    relay = host("relay.example", "relay", country="CN")
    assert ask("default-infra-cn", endpoints=(relay,)).reason is Reason.NO_CREDENTIALS
    stated = ask("default-infra-cn", claim(A.DNS_SERVER, "114.114.114.114"))
    assert stated.state is UNKNOWN
    assert "114.114.114.114" in stated.statement


def test_where_updates_come_from():
    channel = host(
        "upgrade.secu100.net", "update", mark=Mark.CONTACTED, service_operator="xiongmai"
    )
    answer = ask("update-channel", endpoints=(channel,), captured=True)
    assert answer.state is OBSERVED
    assert "upgrade.secu100.net (contacted; update; xiongmai)" in answer.statement
    assert ask("update-channel").reason is Reason.NO_CAPTURE
    assert ask("update-channel", captured=True).reason is Reason.WINDOW_TOO_SHORT
    other = host("updates-of-time.example", "ntp", mark=Mark.CONTACTED)
    assert ask("update-channel", endpoints=(other,), captured=True).state is UNKNOWN


def test_documents_are_declared_present_or_absent_and_never_read():
    from camscan.judge.subject import SiteSubject

    def answer(*documents):
        whole = SiteSubject(
            subjects=(), attribution=subject(device()).attribution, coverage=no_coverage(),
            knowledge=subject(device()).knowledge, site=Site(documents=documents), as_of=AS_OF,
        )  # fmt: skip
        check = next(c for c in SITE_CHECKS if c.condition == "doc-dpia")
        return check.check(whole)

    def paper(present, condition="doc-dpia"):
        return Document(condition=condition, present=present, by="officer", date="2026-01-01")

    assert answer().state is UNKNOWN
    assert answer(paper(True, "doc-processor")).state is UNKNOWN
    assert answer(paper(True)).state is State.DECLARED
    absent = answer(paper(False))
    assert (absent.state, absent.level) == (State.DECLARED, Level.E1)
    assert "absent: no title given (declared by officer, 2026-01-01)" in absent.statement
    assert answer(paper(True), paper(False)).state is TORN
    assert {c for c, _, _ in DOCUMENTS} == set(DOCUMENT_CONDITIONS)


def test_segmentation_is_declared_or_not_examined():
    assert ask("segmentation").state is UNKNOWN
    one = Declaration(factor="C", value="C1", by="head of IT", date="2026-11-01")
    two = Declaration(factor="C", value="C2", by="installer", date="2026-11-02")
    assert ask("segmentation", site=Site(declarations=(one,))).state is State.DECLARED
    assert ask("segmentation", site=Site(declarations=(one, two))).state is TORN


def test_channels_beyond_the_cameras_seen():
    check = CHECKS["hidden-cameras"].check
    recorder = device("10.20.0.9", claim(A.CHANNELS_ANNOUNCED, "32"), role=Role.RECORDER)
    base = subject(recorder)
    from msgspec.structs import replace

    four = check(replace(base, behind=("a", "b", "c", "d")))
    assert four.state is OBSERVED
    assert "28 channels were not examined" in four.statement
    full = check(replace(base, behind=tuple(str(n) for n in range(32))))
    assert full.state is NOT
    assert ask("hidden-cameras") is None
    assert ask("hidden-cameras", role=Role.RECORDER).state is UNKNOWN
    assert ask("hidden-cameras", claim(A.CHANNELS_ANNOUNCED, "1")) is None
    assert ask("hidden-cameras", claim(A.CHANNELS_ANNOUNCED, "many")).reason is Reason.ERROR
    assert ask("hidden-cameras", torn(A.CHANNELS_ANNOUNCED, "4", "8")).state is TORN


def test_a_device_nobody_reached_is_offline_for_every_check_and_never_a_no():
    listed = device("cam-7", visibility=Visibility.LISTED)
    for check in DEVICE_CHECKS:
        answer = check.check(subject(listed))
        if answer is not None:
            assert answer.state is UNKNOWN
            assert answer.reason is Reason.DEVICE_OFFLINE


def test_no_check_answers_no_when_nothing_is_known():
    for check in DEVICE_CHECKS:
        answer = check.check(subject(device()))
        assert answer is None or (answer.state is UNKNOWN and answer.reason is not None)


def test_every_check_has_its_condition_in_the_data_and_a_title_and_a_question():
    known = subject(device()).knowledge.conditions
    every = (*DEVICE_CHECKS, *SITE_CHECKS)
    assert len(every) == len({c.condition for c in every}) >= 26
    for check in every:
        assert check.condition in known
        assert known[check.condition].does_not_show
        assert check.question.endswith("?")
        assert check.title
        assert check.needs
