"""Answers of which the same is left say the same to every signature."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from camscan import knowledge
from camscan.decode import dhip, tplink
from camscan.errors import DecodeError
from camscan.identify.match import Matcher
from camscan.identify.pieces import Pieces
from camscan.identify.resolve import IDENTITY
from camscan.identify.sameness import Sameness
from camscan.knowledge_lint import sample_observation
from camscan.model.knowledge import Condition, Extract, Test
from camscan.model.observation import Kind, Observation

KNOWN = knowledge.load()
MATCHER = Matcher(KNOWN)
SAMENESS = Sameness(MATCHER)
WEB = (Kind.HTTP, Kind.ISAPI, Kind.ONVIF, Kind.UPNP_XML, Kind.TITLE, Kind.SERVER_HEADER, Kind.WWWAUTH)  # fmt: skip


def says(kind, response, matcher=MATCHER):
    """All that naming makes of an answer, and the signatures that hold."""
    seen = Observation(id="1", device_id="d", kind=kind, response=response, request="GET /x")
    try:
        fields = matcher.identity_fields(seen)
    except DecodeError:
        return ([], ()), ()
    holding = matcher.holding(seen, fields)
    read = [
        (s.id, [matcher.values(e, fields) for e in s.extract if e.attribute in IDENTITY])
        for s in holding
    ]
    return (read, matcher.lines.named(kind, fields)), holding


def same(kind, one, other, sameness=SAMENESS, matcher=MATCHER):
    """Whether the two are remembered as one, after the check that they may be."""
    if sameness.of(kind, one) != sameness.of(kind, other):
        return False
    (left, holding), (right, others) = says(kind, one, matcher), says(kind, other, matcher)
    alike = sameness.alike(kind, one, holding)
    if one != other and alike:
        assert left == right
        assert sameness.alike(kind, other, others), "one answer tells it for all"
    return alike


ONE = (
    b"HTTP/1.1 401 Unauthorized\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nServer: App-webs/\r\n"
    b'WWW-Authenticate: Digest realm="DS-2CD", nonce="6f1d", qop="auth", opaque="1"\r\nX-Id: 17\r\n'
    b"Set-Cookie: sid=12ab; path=/\r\nContent-Length: 0\r\n\r\n<title>x</title>\nDate: today\n"
)


def test_date_nonce_cookie_and_length_are_left_out():
    other = ONE.replace(b"10:00:00", b"11:12:13").replace(b"6f1d", b"77").replace(b"12ab", b"9")
    other = other.replace(b'opaque="1"', b'opaque=""').replace(b"X-Id: 17", b"X-Id: 18")
    assert same(Kind.HTTP, ONE, other.replace(b"Length: 0", b"Length: 7"))
    bare = ONE.replace(b"\r\n", b"\n")
    assert same(Kind.HTTP, bare, bare.replace(b"10:00:00", b"11:12:13"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"App-webs/", b"Boa"),
        (b"DS-2CD", b"DS-2CE"),
        (b"401", b"402"),
        (b"<title>x", b"<title>y"),
        (b"Date:", b"DATE:"),
        (b"Digest", b"Basic"),
        (b"Date: today", b"Date: gone"),
        (b"\r\nX-Id", b"\r\n X-Id"),
    ],
)
def test_what_a_signature_could_see_stays_apart(old, new):
    assert not same(Kind.HTTP, ONE, ONE.replace(old, new))


def test_realms_that_say_the_same_are_the_same():
    login = ONE.replace(b"DS-2CD", b"Login to 5H0414841853973")
    other = ONE.replace(b"DS-2CD", b"Login to 7C058804033F52B")
    assert same(Kind.HTTP, login, other)
    assert not same(Kind.HTTP, login, ONE.replace(b"DS-2CD", b"Login to ASI7213X")), "a model"


TWICE = (
    b'RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: Digest realm="@", nonce="8e"\r\n'
    b'WWW-Authenticate: Basic realm="@"\r\n\r\n'
)


def test_two_realms_of_one_answer():
    mine, yours = (TWICE.replace(b"@", b"Login to 5H0414841%d" % n) for n in (4, 5))
    assert same(Kind.RTSP, mine, yours)
    mixed = TWICE.replace(b"@", b"Login to 5H04148412", 1).replace(b"@", b"EZVIZ")
    assert not same(Kind.RTSP, mixed, mixed.replace(b"5H0", b"6H0")), "one could hold for the other"


ODD = [
    ONE[5:],
    ONE.replace(b"\r\nServer:", b"\nServer:"),
    ONE.replace(b"\r\nServer:", b"\rServer:"),
    ONE.replace(b"\r\nServer:", b"\r\n Server:"),
    ONE.replace(b"\r\n\r\n", b"\r\n\n\r\n"),
    b"<html>\nDate: 1 10:00:00\r\n\r\n</html>",
    ONE + b"\nDate: 1" * 20_000,
]


@pytest.mark.parametrize("response", ODD)
def test_an_odd_message_stands_for_itself(response):
    assert not same(Kind.HTTP, response, response.replace(b"10:00:00", b"11:00:00"))


SSDP = (
    b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nLOCATION: http://10.0.0.9:49152/rootdesc1.xml\r\n"
    b"SERVER: Linux/4.9, UPnP/1.0\r\nST: upnp:rootdevice\r\nUSN: uuid:24bb::upnp:rootdevice\r\n\r\n"
)
SDP = (
    b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Base: rtsp://10.0.0.7/\r\n\r\n"
    b"v=0\r\no=- 11 11 IN IP4 10.0.0.7\r\ns=Media\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=control:rtsp://10.0.0.7/a\r\na=rtpmap:96 H264/90000\r\n"
)
WSD = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="urn:a" xmlns:d="urn:d">'
    b"<s:Header><a:MessageID>urn:uuid:1</a:MessageID></s:Header><s:Body><d:ProbeMatch>"
    b"<a:Address>urn:uuid:2</a:Address><d:Types>dn:NetworkVideoTransmitter</d:Types>"
    b"<d:Scopes>onvif://www.onvif.org/name/X onvif://www.onvif.org/hardware/Y "
    b"onvif://www.onvif.org/MAC/c0:56:e3:45:07:e3</d:Scopes>"
    b"<d:XAddrs>http://192.0.2.7/onvif/device_service</d:XAddrs></d:ProbeMatch></s:Body></s:Envelope>"
)
SADP = (
    b"<ProbeMatch><Uuid>0B7E</Uuid><Types>inquiry</Types><DeviceDescription>DS-2CD1</DeviceDescription>"
    b"<DeviceSN>DS1</DeviceSN><MAC>aa-bb-cc-00-11-22</MAC><IPv4Address>192.0.2.7</IPv4Address>"
    b"<SoftwareVersion>V5.7.15build 240201</SoftwareVersion></ProbeMatch>"
)
DHIP = (
    b'{"mac":"90:02:a9:f0:fd:86","method":"client.notifyDevInfo","params":{"deviceInfo":{"DeviceClass":"IPC",'
    b'"DeviceType":"IPC-HDW1230","IPv4Address":{"DefaultGateway":"10.0.0.1","IPAddress":"10.0.0.7"},'
    b'"MachineName":"5H01","Manufacturer":"Private","SerialNo":"5H01575","Vendor":"Dahua","Version":"2.8"}}}'
)
KASA = (
    b'{"result": {"device_id": "8E01", "owner": "3B2F", "device_type": "SMART.IPCAMERA", "device_model": "C100", '
    b'"ip": "10.0.0.2", "mac": "02-5C-9E-E4-31-C7", "firmware_version": "1.3.7", "error": "0"}}'
)
XM = (
    b'{"NetWork.NetCommon":{"BuildDate":"2019-07-11","HostIP":"0x97DC010A","HostName":"LocalHost",'
    b'"MAC":"00:12:16:84:17:af","SN":"C816","TCPPort":34567,"Version":"V5.00.R02"},"Ret":100}\n\x00'
)
CLOCK = (
    b"HTTP/1.1 200 OK\r\nServer: Web\r\nContent-Type: application/soap+xml\r\n\r\n"
    b'<e:Envelope xmlns:e="urn:e" xmlns:t="urn:t"><e:Body><t:GetSystemDateAndTimeResponse><t:UTCDateTime>'
    b"<t:Time><t:Hour>9</t:Hour><t:Minute>16</t:Minute><t:Second>14</t:Second></t:Time>"
    b"<t:Date><t:Year>2026</t:Year><t:Month>11</t:Month><t:Day>23</t:Day></t:Date></t:UTCDateTime>"
    b"</t:GetSystemDateAndTimeResponse></e:Body></e:Envelope>"
)
FORMS = [
    (Kind.SSDP, SSDP, (b"10.0.0.9:4", b"24bb", b"max-age"), (b"rootdesc1", b"HTTP", b"ST:")),
    (Kind.RTSP, SDP, (b"IP4 10", b"control:r", b"rtsp://10"), (b"Media", b"video", b"RTSP/1")),
    (Kind.WSD, WSD, (b"uuid:1", b"uuid:2", b"192.0.2.7", b"45:07"), (b"name/X", b"hardware/Y", b"dn:N")),
    (Kind.SADP, SADP, (b"0B7E", b"DS1<", b"00-11", b"192.0"), (b"DS-2CD1", b"V5.7", b"ProbeM")),
    (Kind.DHDISCOVER, DHIP, (b"f0:fd", b"5H01", b"10.0.0.7"), (b"HDW1230", b"Dahua", b'IPC"', b"2.8")),
    (Kind.KASA, KASA, (b"8E01", b"3B2F", b"10.0", b"E4-31"), (b"SMART.IPC", b"C100", b"1.3.7")),
    (Kind.DVRIP, XM, (b"LocalH", b"17:af", b"C816", b"0x97"), (b"V5.00", b"34567", b"NetCommon")),
    (Kind.ONVIF, CLOCK, (b"9<", b"16<", b"14<", b"11<"), (b"Server: Web", b"2026", b"Minute", b"UTCD")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "document", "free", "bound"), FORMS)
def test_addresses_serials_and_clocks_are_left_out(kind, document, free, bound):
    for text in free:
        other = document.replace(text, b"7<" if text[-1:] == b"<" else text[:-1] + b"9")
        assert other != document
        assert same(kind, document, other), text
    for text in bound:
        assert not same(kind, document, document.replace(text, b"other")), text


def test_frames_and_covers_are_left_out_too():
    frame = dhip.search_message()[:32]
    assert same(Kind.DHDISCOVER, frame + DHIP, frame[:20] + b"\x01" + frame[21:] + DHIP)
    covered = [tplink.xor(KASA.replace(b"8E01", text)) for text in (b"8E01", b"9F")]
    assert same(Kind.KASA, *covered)
    assert tplink.unxor(covered[0]) == KASA
    assert tplink.unxor(b"\x00\x00\x00\x07" + covered[0]) == KASA
    told = b"\xff\x01" + bytes(12) + b"\xfb\x05\x01\x02\x03\x04"
    assert same(Kind.DVRIP, told + XM, told[:16] + b"\x09" + told[17:] + XM)
    assert not same(Kind.DVRIP, told + XM, told[:14] + b"\xfc" + told[15:] + XM), "another message"


def test_an_owner_is_there_or_not():
    assert not same(Kind.KASA, KASA, KASA.replace(b"3B2F", b""))
    assert same(Kind.KASA, KASA.replace(b"3B2F", b""), KASA.replace(b"3B2F", b"0000"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Content-Type: application/soap+xml", b"Content-Type: text/plain"),
        (b"Content-Type:", b"Transfer-Encoding: chunked\r\nContent-Type:"),
        (b"</e:Body>", b"\xc5\xbd</e:Body>"),
        (b"<t:Time>", b"<t:Time><!-- -->"),
        (b"</t:Second>", b"</t:Hour>"),
        (b"<t:Hour>9</t:Hour>", b"<t:Model>9</t:Model>"),
    ],
)
def test_the_clock_of_an_odd_answer_is_left_in(old, new):
    odd = CLOCK.replace(old, new)
    assert odd != CLOCK
    assert not same(Kind.ONVIF, odd, odd.replace(b"16<", b"17<").replace(b">9<", b">8<"))


def asking(kind, field, test=Test.CONTAINS, value="1", extract=()):
    """A Matcher and a Sameness with one more signature."""
    base = next(s for s in KNOWN.signatures if s.kind is kind)
    extra = replace(
        base,
        id=f"local.{kind}.{field}",
        when=(Condition(field=field, test=test, value=value),),
        extract=extract,
    )
    mine = Matcher(replace(KNOWN, signatures=(*KNOWN.signatures, extra)))
    return Sameness(mine), mine


@pytest.mark.parametrize(
    ("kind", "field", "value", "document", "old", "new"),
    [
        (Kind.HTTP, "header", "date: Mon", ONE, b"Mon", b"Tue"),
        (Kind.HTTP, "www-authenticate", 'nonce="6f1d', ONE, b"6f1d", b"7f1d"),
        (Kind.SSDP, "header", "usn: uuid:24bb", SSDP, b"24bb", b"25bb"),
        (Kind.RTSP, "header", "content-base: rtsp://10.0.0.7", SDP, b"rtsp://10.0.0.7/\r", b"rtsp://10.0.0.8/\r"),
        (Kind.RTSP, "header", "nonce=8e", TWICE.replace(b'"', b""), b"8e", b"9e"),
        (Kind.HTTP, "realm", "5H0", ONE.replace(b"DS-2CD", b"Login to 5H0414"), b"5H0", b"6H0"),
        (Kind.HTTP, "auth-params", "qop=auth", ONE, b'auth"', b'int"'),
        (Kind.HTTP, "cookie-names", "sid", ONE, b"sid=", b"tid="),
        (Kind.SSDP, "location", "0.0.9", SSDP, b"0.0.9", b"0.0.8"),
        (Kind.SSDP, "usn", "24bb", SSDP, b"24bb", b"25bb"),
        (Kind.RTSP, "sdp.origin", "0.0.7", SDP, b"IP4 10.0.0.7", b"IP4 10.0.0.8"),
        (Kind.RTSP, "sdp.attribute", "0.0.7/a", SDP, b"0.0.7/a", b"0.0.8/a"),
        (Kind.WSD, "scope", "c0:56", WSD, b"c0:56", b"c1:56"),
        (Kind.WSD, "scope.macaddr", "c0:56", WSD, b"c0:56", b"c1:56"),
        (Kind.WSD, "xaddr-host", "2.7", WSD, b"192.0.2.7", b"192.0.2.8"),
        (Kind.SADP, "mac", "00:11", SADP, b"00-11", b"00-12"),
        (Kind.SADP, "field", "DS1", SADP, b"DS1<", b"DS2<"),
        (Kind.DHDISCOVER, "mac", "f0:fd", DHIP, b"f0:fd", b"f0:fe"),
        (Kind.DHDISCOVER, "serial", "5H01575", DHIP, b"5H01575", b"5H01576"),
        (Kind.DHDISCOVER, "field", "10.0.0.1", DHIP, b"10.0.0.1", b"10.0.0.2"),
        (Kind.KASA, "mac", "e4:31", KASA, b"E4-31", b"E4-32"),
        (Kind.DVRIP, "host-name", "Local", XM, b"LocalH", b"OtherH"),
        (Kind.ONVIF, "body", "Minute>16", CLOCK, b"16<", b"17<"),
        (Kind.ONVIF, "path", "Minute=16", CLOCK, b"16<", b"17<"),
        (Kind.ONVIF, "utc-time", "09:16", CLOCK, b"16<", b"17<"),
    ],
)  # fmt: skip
def test_what_a_signature_asks_for_stays_in(kind, field, value, document, old, new):
    sameness, matcher = asking(kind, field, value=value)
    assert len(says(kind, document, matcher)[1]) == len(says(kind, document)[1]) + 1
    assert not same(kind, document, document.replace(old, new), sameness, matcher)


def test_beside_a_header_that_is_asked_for_the_others_are_left_out():
    sameness, matcher = asking(Kind.HTTP, "header", value="x-id: 17")
    other = ONE.replace(b"10:00:00", b"11:12:13").replace(b"6f1d", b"77")
    assert same(Kind.HTTP, ONE, other, sameness, matcher)
    one, two = (TWICE.replace(b"8e", nonce) for nonce in (b"1", b"2"))
    assert same(Kind.RTSP, one, two, *asking(Kind.RTSP, "header", value="cseq: 2"))


@pytest.mark.parametrize(
    ("kind", "field", "pattern", "document", "old", "new"),
    [
        (Kind.HTTP, "realm", "to (.+)", ONE.replace(b"DS-2CD", b"Login to 5H0414"), b"5H0", b"6H0"),
        (Kind.HTTP, "header", "date: (.+)", ONE, b"10:00", b"11:00"),
        (Kind.DHDISCOVER, "mac", "(.+)", DHIP, b"f0:fd", b"f0:fe"),
        (Kind.WSD, "scope.macaddr", "(.+)", WSD, b"c0:56", b"c1:56"),
        (Kind.ONVIF, "body", "Minute>([0-9]+)", CLOCK, b"16<", b"17<"),
        (Kind.ONVIF, "path", "Minute=([0-9]+)", CLOCK, b"16<", b"17<"),
    ],
)
def test_what_a_signature_reads_out_stays_in(kind, field, pattern, document, old, new):
    read = Extract(attribute="model", field=field, pattern=pattern)
    sameness, matcher = asking(kind, field, Test.PRESENT, "", (read,))
    one, other = document, document.replace(old, new)
    assert says(kind, one, matcher)[0] != says(kind, other, matcher)[0]
    assert not same(kind, one, other, sameness, matcher)


def test_a_nonce_that_is_part_of_another_value_is_left_in():
    sameness, matcher = asking(Kind.HTTP, "auth-params", value="q=1")
    line = b'HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm="a, nonce="q=1", qop="auth"\r\n\r\n'
    assert not same(Kind.HTTP, line, line.replace(b"q=1", b"q=2"), sameness, matcher)
    proper = line.replace(b'realm="a, ', b'realm="q=1", ')
    assert same(Kind.HTTP, proper, proper.replace(b'nonce="q=1', b'nonce="q=2'), sameness, matcher)


VALUES = [b"", b"1", b"0", b"7.2", b"a b", b"DS-2CD2143G0-I", b"Login to 5H0414841", b"aa:bb:cc:00:11:22",
    b'"', b'","', b'":"', b"\\", b'\\"', b"<", b">", b"</", b"&amp;", b"\n", b"\r\n", b"\r\n\r\n", b"\xff",
    b"\x00", b"\x0b", b"{", b"}", b"]", b"<!--", b"<![CDATA[", b"'", b", nonce=", b"=", b"/", b" ", b"null"]  # fmt: skip
PARTS = [
    b"\r\n", b"\n", b"\r", b" ", b'"', b",", b"Date: @", b"ETag: @", b"CSeq: @", b"Content-Length: @",
    b"Content-Type: text/plain", b"Transfer-Encoding: chunked", b"Set-Cookie: a@=b@; c", b"Location: /a@",
    b"Location: http://10.0.0.@/login@", b'WWW-Authenticate: Digest realm="@", nonce="@"',
    b'WWW-Authenticate: Digest nonce="@", opaque="@", realm="@"', b'www-authenticate: Basic realm="@"',
    b"Server: @", b"X-@: @", b"@: 1", b"Public: OPTIONS@", b"\r\n<title>@</title>", b"5\r\nhello@",
    b"v=0\r\ns=@\r\na=@\r\no=- @", b"LOCATION: http://10.0.0.@:80/@", b"USN: uuid:@", b"ST: @",
]  # fmt: skip


def filled(template, values):
    """The template with its holes filled, in turn."""
    for n in range(template.count(b"@")):
        template = template.replace(b"@", values[n % len(values)], 1)
    return template


several = st.lists(st.sampled_from(VALUES), min_size=1, max_size=6)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from([*WEB, Kind.RTSP, Kind.SSDP]),
    st.lists(st.sampled_from(PARTS), max_size=9),
    st.sampled_from([b"\r\n", b"\n", b""]),
    several,
    several,
)
def test_any_messages_left_the_same_say_the_same(kind, parts, between, ours, theirs):
    start = b"RTSP/1.0 200 OK" if kind is Kind.RTSP else b"HTTP/1.1 401 Unauthorized"
    whole = between.join([start, *parts]) + between * 2 + b"<title>b</title>"
    same(kind, filled(whole, ours), filled(whole, theirs))


HOLES = (b"uuid:1", b"uuid:2", b"192.0.2.7", b"c0:56:e3:45:07:e3", b"name/X", b"DS-2CD1", b"0B7E", b"DS1", b"V5.7",
    b"aa-bb-cc-00-11-22", b"90:02:a9:f0:fd:86", b"5H01575", b"10.0.0.1", b"IPC-HDW1230", b"8E01", b"3B2F",
    b"C100", b"LocalHost", b"00:12:16:84:17:af", b"C816", b">16<", b">9<", b">2026<", b"24bb", b"10.0.0.7")  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from([(kind, document) for kind, document, _, _ in FORMS]),
    st.lists(st.tuples(st.integers(0, 620), st.integers(0, 6), st.sampled_from([*VALUES, b"<Address>", b"<MAC>",
        b"</MAC>", b"<1:MAC>", b"<Scopes>", b"<Uuid/>", b"<XAddrs>a</XAddrs>", b'"mac":"@"', b'{"SerialNo":"@"}'])), max_size=3),
    several,
    several,
)  # fmt: skip
def test_any_documents_left_the_same_say_the_same(base, changes, ours, theirs):
    kind, document = base
    for hole in HOLES:
        inner = hole.strip(b"<>")
        document = document.replace(hole, hole.replace(inner, b"@"))
    for at, gone, new in changes:
        document = document[:at] + new + document[at + gone :]
    same(kind, filled(document, ours), filled(document, theirs))


def test_every_sample_says_the_same_as_itself():
    found = 0
    for signature in KNOWN.signatures:
        for sample in (*signature.sample, *signature.near_miss):
            seen = sample_observation(signature, sample)
            dated = seen.response.replace(b"\r\n", b"\r\nDate: @\r\n", 1)
            one, other = (dated.replace(b"@", text) for text in (b"1", b"2"))
            found += one != other and same(seen.kind, one, other)
    assert found > 200


def test_what_is_remembered_of_pieces_is_bounded():
    asked = []

    def short(piece):
        asked.append(piece)
        return piece[:1]

    known = Pieces(short)
    for n in range(40_000):
        assert known[b"%d" % (n % 7)] == b"%d" % (n % 7)
        assert known[b"x" * 900 + b"%d" % n] == b"x"
        assert sum(map(len, known)) <= 1 << 20
    assert len(asked) == 40_007, "what comes again and again is never forgotten"
    long = b"y" * 5000
    assert known[long] is long
