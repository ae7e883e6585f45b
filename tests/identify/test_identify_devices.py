"""From observations to devices: canary, services, splitting, recorders, asset list."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_market import SIGNATURES, build, http, signature
from msgspec.structs import replace

from camscan.identify.assets import match
from camscan.identify.canary import ANY_PORT, CANARY_PORT, NOT_ASKED
from camscan.identify.devices import identify
from camscan.identify.match import Matcher
from camscan.model.claim import Attribute, Family, Level, Role, State, Visibility
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


def test_a_title_heard_of_a_page_that_stands_on_every_path_is_no_evidence():
    def heard(title):
        page = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>{title}</title>"
        return Observation(
            id="1:2", device_id="192.0.2.1", kind=Kind.TITLE, response=page.encode(), port=80,
            transport="tcp", address="192.0.2.1", flags=("fragment",),
        )  # fmt: skip

    page = "<title>Paper Printer</title> welcome dear friend of the owl"
    canary = http("1:1", page, path="/none", canary=True)
    assert only([heard("Paper Printer")]).is_camera is False
    believed = only([canary, heard("Paper Printer")])
    assert believed.is_camera is None
    assert any("any path" in n for n in believed.notes)
    other = http("1:1", "<title>Another</title> nothing", path="/none", canary=True)
    assert only([other, heard("Paper Printer")]).is_camera is False


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
    assert MANY in device.notes


MANY = "claims 3 unrelated makers: honeypot, or several devices behind one address"


def test_two_start_pages_of_different_makers_are_two_devices():
    observations = [
        http("1:1", headers=AQUILA, port=80),
        http("1:3", "<title>Corvus Q1</title>", port=82),
        rtsp("1:4"),
    ]
    found = identify(observations, KNOWN, matcher=MATCHER)
    assert [d.device_id for d in found] == ["192.0.2.1#80", "192.0.2.1#82"]
    assert [d.value(Attribute.MAKER) for d in found] == ["aquila", "corvus"]
    assert found[1].observations == ("1:3", "1:4"), "the stream belongs to the camera of its maker"
    assert all("told apart by their ports" in " ".join(d.joins) for d in found)


@pytest.mark.parametrize("last", [http("1:4", BUBO, port=81), http("1:4", BUBO, port=80)])
def test_an_address_of_three_unrelated_makers_stays_one_device_and_is_not_believed(last):
    device = only(
        [http("1:1", headers=FULL), http("1:3", "<title>Corvus Q1</title>", port=82), last]
    )
    maker = device.claim(Attribute.MAKER)
    assert device.device_id == "192.0.2.1"
    assert (maker.state, maker.value) == (State.CONFLICTING, None)
    assert maker.values == ("aquila", "bubo", "corvus")
    assert (device.is_camera, device.role) == (None, None)
    assert device.notes == (MANY,)


def test_related_makers_on_several_ports_are_not_three():
    """`chick` belongs to `aquila`, and Nest Egg is a brand on its platform."""
    pages = [
        signature("chick.http.page", Kind.HTTP, Family.LABEL, [("body", "contains", "chick")], [(Attribute.PLATFORM, "chick")]),
        signature("egg.http.page", Kind.HTTP, Family.LABEL, [("body", "contains", "nest egg")], [(Attribute.BRAND, "Nest Egg")]),
    ]  # fmt: skip
    known = build(signatures=(*SIGNATURES, *pages))
    observations = [
        http("1:1", headers=FULL),
        http("1:2", "chick", port=81),
        http("1:3", "nest egg", port=83),
        http("1:4", "<title>Corvus Q1</title>", port=82),
    ]
    found = identify(observations, known)
    assert [d.value(Attribute.MAKER) for d in found] == ["aquila", "corvus"]


def test_a_part_behind_a_port_says_what_it_would_say_alone():
    """The MAC is that of whoever forwards: neither maker nor brand of the devices behind it."""
    forwarder = {"mac": "00:bb:00:00:00:01"}
    page = http("1:3", "<title>Corvus Q1</title>", port=82, **forwarder)
    stream = rtsp("1:4", **forwarder)
    alone = only([http("1:3", "<title>Corvus Q1</title>", port=82), rtsp("1:4")])
    found = identify([http("1:1", headers=AQUILA, **forwarder), page, stream], KNOWN)
    part = found[1]
    assert part.device_id == "192.0.2.1#82"
    for attribute in (Attribute.MAKER, Attribute.BRAND, Attribute.MODEL, Attribute.ROLE):
        assert part.claim(attribute) is None or part.value(attribute) == alone.value(attribute)
    assert (part.is_camera, part.value(Attribute.MAKER)) == (True, "corvus")
    assert part.claim(Attribute.MAKER).level == alone.claim(Attribute.MAKER).level
    assert part.macs == ()


def ports(opened, closed=()):
    text = json.dumps({"open": list(opened), "closed": list(closed), "silent": []}).encode()
    return Observation(id="1:9", device_id="192.0.2.1", address="192.0.2.1", kind=Kind.PORTS, response=text)  # fmt: skip


PORT_STAGES = [
    ("a camera", ports((80, 554), (22, 23)), True),
    ("nearly all and the canary port", ports((*range(70, 100), CANARY_PORT), (22,)), None),
    ("all of a short list, canary closed", ports(range(70, 100), (CANARY_PORT,)), True),
    ("hundreds, canary not asked", ports(range(1, 400)), None),
    ("hundreds open of thousands", ports(range(1, 400), range(400, 4000)), True),
    ("the canary port among few", ports((80, CANARY_PORT), range(100, 140)), True),
]


@pytest.mark.parametrize(("name", "stage", "camera"), PORT_STAGES)
def test_what_answers_on_every_port_is_not_believed(name, stage, camera):
    device = only([http("1:1", headers=FULL), rtsp("1:2", "Aquila"), stage])
    assert device.is_camera is camera, name
    assert (ANY_PORT in device.notes) is (camera is None)
    assert (device.value(Attribute.MAKER) is None) is (camera is None)
    if camera is None:
        assert device.role is None
        assert device.claim(Attribute.ROLE).reason.startswith(ANY_PORT)


def test_the_canary_port_is_that_of_the_port_stage():
    from camscan.observe.network import found

    assert found.CANARY_PORT == CANARY_PORT


def test_beside_a_server_that_answers_any_path_words_are_not_enough():
    page = [http("1:1", BUBO), http("1:2", BUBO, path="/none", canary=True)]
    words = only([*page, rtsp("1:3")])
    assert (words.is_camera, words.role, words.value(Attribute.MAKER)) == (None, None, None)
    assert any("only labels" in n for n in words.notes)
    structure = only([*page, http("1:4", headers=FULL, port=8080)], join=False)
    assert (structure.is_camera, structure.value(Attribute.MAKER)) == (True, "aquila")


def test_a_page_in_answer_to_a_machine_interface_is_no_evidence_without_a_canary():
    page = "<h1>welcome dear friend</h1>"
    asked = http("1:2", page, path="/ISAPI/System/deviceInfo", kind=Kind.ISAPI)
    device = only([http("1:1", page), asked])
    note = "answers any path alike: those answers are no evidence"
    assert (device.is_camera, device.notes) == (None, (note,))
    alone = only([http("1:1", BUBO)])
    told = only([http("1:1", BUBO), http("1:2", BUBO, path="/ISAPI/x", kind=Kind.ISAPI)])
    assert (alone.is_camera, told.is_camera, told.role) == (True, None, None)
    other = http("1:2", "<model>unlike any page</model>", path="/ISAPI/System/deviceInfo", kind=Kind.ISAPI)  # fmt: skip
    assert only([http("1:1", page), other]).notes == ()
    assert only([http("1:1", page, port=81), asked], join=False).notes == ()


def test_words_of_a_page_need_the_canary_where_the_scan_is_ours():
    page = http("1:1", "<title>Paper Printer</title>", job="root")
    device = only([page])
    assert (device.is_camera, device.notes) == (None, (NOT_ASKED,))
    refused = http("1:2", status="404 Not Found", path="/none", canary=True, job="canary")
    assert only([page, refused]).is_camera is False
    # what another tool recorded had no canary to ask, and a refusal needs none
    assert only([http("1:1", "<title>Paper Printer</title>")]).is_camera is False
    login = http("1:1", status="401 Unauthorized", headers=AQUILA, job="root")
    assert only([login]).value(Attribute.MAKER) == "aquila"
    # words of another service beside it
    assert only([page, rtsp("1:3", job="rtsp-root")]).notes == ()


def said(*roles):
    return tuple(
        signature(f"r{n}.http.page", Kind.HTTP, family, [("body", "present", "")], [(Attribute.ROLE, role)])
        for n, (role, family) in enumerate(roles)
    )  # fmt: skip


LABEL, HARD = Family.LABEL, Family.PROTOCOL
ROLES = [
    ([("camera", LABEL)], True, Role.CAMERA),
    ([("camera", LABEL), ("video-device", HARD)], True, Role.CAMERA),
    ([("recorder", LABEL), ("video-device", HARD)], True, Role.RECORDER),
    ([("camera", LABEL), ("recorder", HARD)], True, Role.VIDEO_DEVICE),
    ([("camera", LABEL), ("recorder", LABEL), ("video-device", HARD)], True, Role.VIDEO_DEVICE),
    ([("camera", LABEL), ("printer", HARD)], None, None),
    ([("camera", LABEL), ("camera", HARD), ("printer", LABEL)], True, Role.CAMERA),
    ([("printer", LABEL), ("nas", HARD)], False, None),
    ([("printer", LABEL)], False, Role.PRINTER),
]


@pytest.mark.parametrize(("pieces", "camera", "role"), ROLES)
def test_roles(pieces, camera, role):
    found = identify([http("1:1", "x")], build(signatures=said(*pieces)))
    assert (found[0].is_camera, found[0].role) == (camera, role)
    claim = found[0].claim(Attribute.ROLE)
    if len({r for r, _ in pieces} - {"video-device"}) > 1 and claim.state is State.CONFLICTING:
        assert {r for r, _ in pieces} - {"video-device"} <= set(claim.values)


@pytest.mark.parametrize("address", ["00:aa:00:00:00:01", "00:bb:00:00:00:01", "02:00:00:00:00:07"])
def test_a_neighbour_alone_is_neither_camera_nor_something_else(address):
    seen = Observation(id="1:1", device_id="192.0.2.1", address="192.0.2.1", kind=Kind.NEIGHBOUR, response=f"mac={address}".encode(), mac=address)  # fmt: skip
    device = only([seen])
    assert (device.is_camera, device.role) == (None, None)
    maker = device.claim(Attribute.MAKER)
    assert maker is None or (maker.value, maker.level) == (None, Level.E0)
    assert device.macs == (address,)


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


def test_rows_of_one_address_go_to_the_parts_of_their_name():
    seen = [http("1:1", headers=AQUILA), http("1:2", "<title>Corvus Q1</title>", port=82)]
    rows = (
        Asset(id="a", address="192.0.2.1", brand="Corvus"),
        Asset(id="b", address="192.0.2.1", model="AQ-77"),
        Asset(id="c", address="192.0.2.1", brand="Bubo"),
    )
    found = {d.device_id: d for d in identify(seen, KNOWN, assets=rows)}
    assert {name: d.listed_as for name, d in found.items()} == {
        "192.0.2.1#82": "a",
        "192.0.2.1#80": "b",
        "192.0.2.1": "c",
    }
    assert found["192.0.2.1"].visibility is Visibility.LISTED


def recorder(ident, address, channels):
    made = only([http(ident, headers=FULL, device_id=address, address=address)])
    claim = replace(made.claims[0], attribute=Attribute.CHANNELS_ANNOUNCED, value=channels)
    return replace(made, role=Role.RECORDER, claims=(claim,))


def camera(ident, address):
    return only([http(ident, headers=FULL, device_id=address, address=address)])


def counts(device):
    return [n for n in device.notes if n.startswith("announces")]


def test_each_recorder_counts_what_it_announces_and_what_was_seen_behind_it():
    seen = (
        recorder("1:1", "192.0.2.1", "32"),
        recorder("1:2", "192.0.2.2", "8"),
        recorder("1:3", "192.0.2.3", "1"),
        camera("1:5", "192.0.2.5"),
        camera("1:6", "192.0.2.6"),
        camera("1:7", "192.0.2.7"),
    )
    rows = (
        Asset(id="big", address="192.0.2.1"),
        Asset(id="small", address="192.0.2.2"),
        Asset(id="five", address="192.0.2.5", behind="big"),
        Asset(id="six", address="192.0.2.6", behind="big"),
        Asset(id="seven", address="192.0.2.7", behind="192.0.2.2"),
        Asset(id="mobile", brand="Nest Egg", behind="small"),
        Asset(id="lost", address="192.0.2.99", behind="no such row"),
    )
    found = {d.device_id: d for d in match(seen, rows)}
    behind = {name: d.behind for name, d in found.items() if d.behind}
    assert behind == {
        "192.0.2.5": "192.0.2.1",
        "192.0.2.6": "192.0.2.1",
        "192.0.2.7": "192.0.2.2",
        "asset:mobile": "192.0.2.2",
    }
    assert counts(found["192.0.2.1"]) == ["announces 32 channels: 2 seen as devices, 30 not examined"]  # fmt: skip
    assert counts(found["192.0.2.2"]) == ["announces 8 channels: 1 seen as devices, 7 not examined"]
    assert counts(found["192.0.2.3"]) == []
    listed = found["asset:mobile"]
    assert (listed.visibility, listed.is_camera, listed.role) == (Visibility.LISTED, None, None)


def test_two_rows_behind_each_other_do_not_go_round():
    rows = (
        Asset(id="a", address="192.0.2.5", behind="b"),
        Asset(id="b", address="192.0.2.6", behind="a"),
    )
    for given_rows in (rows, rows[::-1]):
        found = {d.device_id: d.behind for d in match((camera("1:5", "192.0.2.5"), camera("1:6", "192.0.2.6")), given_rows)}  # fmt: skip
        assert found == {"192.0.2.5": "192.0.2.6", "192.0.2.6": None}


def test_a_device_that_is_not_believed_announces_no_channels():
    claims = http("1:1", f"<title>Corvus Q1</title>{BUBO}", headers=AQUILA)
    many = signature(
        "aquila.http.inputs", Kind.HTTP, Family.PROTOCOL, [("body", "present", "")], [(Attribute.CHANNELS_ANNOUNCED, "64")]
    )  # fmt: skip
    (device,) = identify([claims], build(signatures=(*SIGNATURES, many)))
    assert device.value(Attribute.CHANNELS_ANNOUNCED) is None
    assert counts(device) == []


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
