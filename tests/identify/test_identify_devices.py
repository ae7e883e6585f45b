"""From observations to devices: canary, services, splitting, recorders, asset list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_market import build, http

from camscan.identify.devices import identify
from camscan.identify.match import Matcher
from camscan.model.claim import Attribute, Role, State, Visibility
from camscan.model.observation import Kind, Observation
from camscan.model.site import Asset

KNOWN = build()
MATCHER = Matcher(KNOWN)
AQUILA = ("Server: Aquila-Web/2 model=AQ-77",)
FULL = ("X-Aq: 1", "Server: Aquila-Web/2 model=AQ-77")
BUBO = "<script src=bubo/login.js></script> welcome dear friend of the owl"


def rtsp(ident, realm="CORVUS cam", *, port=554, **more):
    text = f'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="{realm}", nonce="1"\r\n\r\n'
    base = {"device_id": "192.0.2.1", "address": "192.0.2.1", "transport": "tcp"} | more
    return Observation(id=ident, kind=Kind.RTSP, response=text.encode(), port=port, **base)


def only(observations, **more):
    (device,) = identify(observations, KNOWN, matcher=MATCHER, **more)
    return device


def test_two_families_make_a_camera_of_a_known_maker():
    device = only([http("1:1", headers=FULL), http("1:2", headers=AQUILA, path="/x")])
    assert device.value(Attribute.MAKER) == "aquila"
    assert device.is_camera is True
    assert device.value(Attribute.MODEL) == "AQ-77"
    assert device.observations == ("1:1", "1:2")


def test_a_printer_is_no_camera_and_an_unknown_thing_is_null():
    assert only([http("1:1", "<title>Paper Printer</title>")]).is_camera is False
    unknown = only([http("1:1", "<title>hello</title>")])
    assert (unknown.is_camera, unknown.role) == (None, None)


def test_a_page_that_stands_on_every_path_is_no_evidence():
    page = [http("1:1", BUBO), http("1:2", BUBO, path="/none", canary=True)]
    assert only(page[:1]).is_camera is True
    device = only(page)
    assert device.is_camera is None
    assert device.value(Attribute.MAKER) is None
    assert any("any path" in n for n in device.notes)


def test_a_server_that_refuses_every_path_alike_keeps_its_evidence():
    refused = {"status": "401 Unauthorized", "headers": AQUILA}
    device = only([http("1:1", **refused), http("1:2", path="/none", canary=True, **refused)])
    assert device.value(Attribute.MAKER) == "aquila"


def test_the_canary_of_one_port_says_nothing_about_another():
    device = only(
        [http("1:1", BUBO), http("1:2", BUBO, port=81, path="/none", canary=True)], join=False
    )
    assert device.is_camera is True


def test_three_makers_on_one_device_are_not_believed():
    claims = [http("1:1", f"<title>Corvus Q1</title>{BUBO}", headers=AQUILA)]
    device = only(claims)
    assert device.value(Attribute.MAKER) is None
    assert device.claim(Attribute.MAKER).state is State.CONFLICTING
    assert device.is_camera is None
    assert any("three or more" in n for n in device.notes)


def test_several_start_pages_of_different_makers_are_several_devices():
    found = identify(
        [
            http("1:1", headers=AQUILA, port=80),
            http("1:2", BUBO, port=81),
            http("1:3", "<title>Corvus Q1</title>", port=82),
            rtsp("1:4"),
        ],
        KNOWN,
        matcher=MATCHER,
    )
    assert [d.device_id for d in found] == ["192.0.2.1#80", "192.0.2.1#81", "192.0.2.1#82"]
    assert [d.value(Attribute.MAKER) for d in found] == ["aquila", "bubo", "corvus"]
    assert found[2].observations == ("1:3", "1:4"), "the stream belongs to the camera of its maker"
    assert all("told apart by their ports" in " ".join(d.joins) for d in found)


def test_different_services_that_disagree_stay_one_device():
    device = only([http("1:1", headers=AQUILA), rtsp("1:2")])
    assert device.claim(Attribute.MAKER).state is State.CONFLICTING
    assert device.claim(Attribute.MAKER).values == ("aquila", "corvus")


SERVICES = [
    (http("1:1"), Attribute.SERVICE_CLEAR, ("http:80",)),
    (http("1:1", port=443, tls=True), Attribute.SERVICE_ENCRYPTED, ("https:443",)),
    (http("1:1", port=443), Attribute.SERVICE_CLEAR, ()),
    (http("1:1", status="301 Moved", headers=("Location: https://192.0.2.1/",)), Attribute.SERVICE_CLEAR, ()),
    (rtsp("1:1"), Attribute.SERVICE_CLEAR, ("rtsp:554",)),
    (rtsp("1:1"), Attribute.SERVICE_NO_LOGIN, ()),
    (http("1:1", "<DeviceInfo><model>x</model></DeviceInfo>", kind=Kind.ISAPI, path="/ISAPI/System/deviceInfo", headers=("Content-Type: application/xml",)), Attribute.SERVICE_NO_LOGIN, ("isapi:80",)),
    (http("1:1", "<DeviceInfo><model>x</model></DeviceInfo>", kind=Kind.ISAPI, path="/ISAPI/System/deviceInfo", flags=("auth",)), Attribute.SERVICE_NO_LOGIN, ()),
    (http("1:1", status="401 Unauthorized", kind=Kind.ISAPI, path="/ISAPI/System/deviceInfo"), Attribute.SERVICE_NO_LOGIN, ()),
    (http("1:1", mac="00:aa:00:00:00:01"), Attribute.MAC, ("00:aa:00:00:00:01",)),
    (http("1:1", mac="00:aa:00:00:00:01"), Attribute.REGISTRANT, ("Aquila Inc",)),
    (http("1:1", mac="02:00:00:00:00:01"), Attribute.REGISTRANT, ()),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "attribute", "values"), SERVICES)
def test_services(seen, attribute, values):
    assert only([seen]).values(attribute) == values


def test_a_described_stream_without_login():
    sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nm=video 0 RTP/AVP 96\r\n"
    text = f"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
    seen = Observation(id="1:1", device_id="d", kind=Kind.RTSP, response=text.encode(), port=554, request="DESCRIBE rtsp://d/")  # fmt: skip
    assert only([seen]).values(Attribute.SERVICE_NO_LOGIN) == ("rtsp:554",)


def test_the_registrant_is_never_the_maker_by_itself():
    device = only([http("1:1", mac="00:aa:00:00:00:01")])
    assert device.value(Attribute.MAKER) is None
    assert device.values(Attribute.REGISTRANT) == ("Aquila Inc",)


def test_the_registrant_of_a_radio_says_nothing_of_maker_or_brand():
    device = only([http("1:1", mac="00:cc:00:00:00:01")])
    assert device.values(Attribute.REGISTRANT) == ("Radio Co",)
    assert device.claim(Attribute.MAKER) is None
    assert device.claim(Attribute.BRAND) is None


def test_a_rebrand_with_its_own_mac_block_is_unmasked():
    device = only([http("1:1", headers=FULL, mac="00:bb:00:00:00:01")])
    assert device.value(Attribute.MAKER) == "aquila"
    assert device.value(Attribute.BRAND) == "Nest Egg"


def test_the_same_camera_at_a_new_address_is_one_device():
    old = http("1:1", headers=FULL, mac="00:aa:00:00:00:01")
    new = http("2:1", headers=FULL, mac="00:aa:00:00:00:01", device_id="192.0.2.9", address="192.0.2.9")  # fmt: skip
    device = only([old, new])
    assert device.device_id == "192.0.2.9"
    assert device.addresses == ("192.0.2.1", "192.0.2.9")
    assert "hard key" in device.joins[0]
    assert len(identify([old, new], KNOWN, join=False)) == 2


def test_the_asset_list_joins_softly_and_lists_what_did_not_answer():
    seen = [http("1:1", headers=FULL, mac="00:aa:00:00:00:01")]
    rows = (
        Asset(id="gate", address="192.0.2.1", place="Gate"),
        Asset(id="yard", address="192.0.2.7", brand="Nest Egg"),
        Asset(id="wrong", address="192.0.2.1", mac="00:aa:00:00:00:99"),
    )
    found = {d.device_id: d for d in identify(seen, KNOWN, assets=rows)}
    assert found["192.0.2.1"].listed_as == "gate"
    assert found["192.0.2.1"].place == "Gate"
    assert "soft key" in " ".join(found["192.0.2.1"].joins)
    assert found["192.0.2.7"].visibility is Visibility.LISTED
    assert found["192.0.2.7"].is_camera is None
    assert found["192.0.2.7"].claim(Attribute.BRAND).state is State.DECLARED
    assert found["asset:wrong"].visibility is Visibility.LISTED, "soft never against hard"


def test_a_recorder_counts_what_it_announces_and_what_was_seen():
    from msgspec.structs import replace

    from camscan.identify.assets import match

    recorder = replace(only([http("1:1", headers=FULL)]), role=Role.RECORDER)
    channels = replace(recorder.claims[0], attribute=Attribute.CHANNELS_ANNOUNCED, value="32")
    recorder = replace(recorder, claims=(channels,))
    camera = only([http("1:2", headers=FULL, device_id="192.0.2.5", address="192.0.2.5")])
    rows = (
        Asset(id="nvr", address="192.0.2.1"),
        Asset(id="cam", address="192.0.2.5", behind="nvr"),
    )
    found = {d.device_id: d for d in match((recorder, camera), rows)}
    assert found["192.0.2.5"].behind == "192.0.2.1"
    assert "announces 32 channels: 1 seen as devices, 31 not examined" in found["192.0.2.1"].notes


MIXED = (
    http("1:1", headers=FULL, mac="00:aa:00:00:00:01"),
    http("1:2", BUBO, port=81),
    rtsp("1:3"),
    http("1:4", BUBO, port=81, path="/none", canary=True),
    http("2:1", headers=AQUILA, device_id="192.0.2.9", address="192.0.2.9"),
    http("2:2", "<title>Paper Printer</title>", device_id="192.0.2.8", address="192.0.2.8"),
    http("3:1", headers=FULL, mac="00:aa:00:00:00:01", device_id="192.0.2.4", address="192.0.2.4"),
)


@settings(max_examples=60, deadline=None)
@given(st.permutations(MIXED), st.booleans())
def test_the_order_of_observations_changes_nothing(shuffled, join):
    wanted = identify(MIXED, KNOWN, join=join, matcher=MATCHER)
    assert identify(shuffled, KNOWN, join=join, matcher=MATCHER) == wanted
    assert sorted(o for d in wanted for o in d.observations) == sorted(o.id for o in MIXED)


def test_records_that_share_an_id_are_all_read():
    """Two imported files may both number their lines from 1."""
    same_id = [http("1", headers=FULL), http("1", headers=AQUILA, port=8080)]
    for order in (same_id, same_id[::-1]):
        device = only(order, join=False)
        assert device.observations == ("1", "1 (2)")
        assert device.claim(Attribute.PLATFORM).level == "E3"
        assert device.value(Attribute.MODEL) == "AQ-77"
