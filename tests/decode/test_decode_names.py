"""Names on the wire: DNS, TLS, QUIC and text requests; whole, cut, hostile."""

from __future__ import annotations

from contextlib import suppress

import pytest
import wire_messages as wire
from hypothesis import given
from hypothesis import strategies as st

from camscan.decode import announced, client_hello, dns_seen, quic, request_head, tutk
from camscan.decode.host_name import authority, host_name, is_odd
from camscan.errors import DecodeError

HOST = "www.easy4ipcloud.com"


def test_an_answer_is_followed_through_its_aliases():
    data = wire.dns_answer(
        HOST, ("CNAME", "a.example.net"), ("CNAME", "b.example.net"), ("A", "203.0.113.7")
    )
    seen = dns_seen.parse(data)
    assert (seen.question, seen.answers, seen.aliases) == (HOST, ("203.0.113.7",), ("a.example.net", "b.example.net"))  # fmt: skip
    assert seen.is_response


def test_records_that_do_not_belong_to_the_chain_are_no_answers():
    data = wire.dns_answer("a.example", ("A", "203.0.113.7"))
    foreign = data.replace(wire.dns_name("a.example"), wire.dns_name("b.example"), 1)
    assert dns_seen.parse(foreign).answers == ()


@pytest.mark.parametrize("pointer", [b"\xc0\x0c", b"\xc0\x0e", b"\xc0\x10"])
def test_a_pointer_that_does_not_lead_backwards_is_refused(pointer):
    head = wire.dns_query("x")[:12]
    with pytest.raises(DecodeError):
        dns_seen.parse(head + pointer + b"\x00\x01\x00\x01" + pointer)


def test_aliases_that_lead_in_a_circle_end():
    data = wire.dns_answer("a.example", ("CNAME", "b.example"), ("CNAME", "a.example"))
    assert dns_seen.parse(data).aliases == ("b.example",)


def test_dns_over_tcp_comes_in_whole_messages():
    one = wire.dns_query(HOST)
    stream = len(one).to_bytes(2, "big") + one
    assert dns_seen.messages(stream + stream[:5]) == ((one,), len(stream))


@given(st.binary(max_size=300))
def test_dns_of_any_bytes_reads_or_refuses(data):
    for message in (data, wire.dns_query("a.b")[:12] + data):
        with suppress(DecodeError):
            seen = dns_seen.parse(message)
            assert len(seen.also) < dns_seen.MAX_QUESTIONS
            assert len(seen.answers) <= dns_seen.MAX_RECORDS
            assert len(seen.aliases) <= dns_seen.MAX_ALIASES


@pytest.mark.parametrize("size", [1, 7, 512, 16_000])
def test_a_hello_is_read_from_records_of_any_size(size):
    stream = wire.records(wire.hello(HOST, alpn=("h2", "http/1.1"), pad=1700), size)
    assert client_hello.of_records(stream[:-1]) is None
    read = client_hello.of_records(stream)
    assert read is not None
    assert (read.name, read.alpn, read.ech, read.version) == (
        HOST,
        ("h2", "http/1.1"),
        False,
        "TLSv1.3",
    )


def test_ech_is_flagged_and_the_outer_name_kept():
    read = client_hello.of_records(wire.records(wire.hello("outer.example.com", ech=True)))
    assert read is not None
    assert (read.name, read.ech) == ("outer.example.com", True)


def test_a_hello_that_was_cut_still_names_its_server():
    stream = wire.records(wire.hello(HOST, alpn=("h2",)))
    cut = stream[: stream.index(HOST.encode()) + len(HOST) + 4]
    assert client_hello.of_records(cut) is None
    read = client_hello.partial(cut)
    assert read is not None
    assert read.name == HOST


@given(st.binary(max_size=200), st.integers(0, 200))
def test_tls_of_any_bytes_reads_or_refuses(data, place):
    whole = bytearray(wire.records(wire.hello(HOST)))
    whole[place % len(whole) : place % len(whole)] = data
    for stream in (data, bytes(whole), b"\x16\x03\x01" + data):
        found = [client_hello.partial(stream)]
        with suppress(DecodeError):
            found.append(client_hello.of_records(stream))
        with suppress(DecodeError):
            found.append(client_hello.of_datagram(b"\x16\xfe\xff" + stream))
        for hello in found:
            assert hello is None or len(hello.name or "") <= len(stream)


@given(st.binary(max_size=80))
def test_dtls_whose_lengths_agree_reads_or_refuses(body):
    """Lengths that fit each other and a body that is too short for what they promise."""
    size = len(body).to_bytes(3, "big")
    head = b"\x16\xfe\xfd" + bytes(8) + (len(body) + 12).to_bytes(2, "big")
    data = head + b"\x01" + size + bytes(2) + bytes(3) + size + body + bytes(60)
    with suppress(DecodeError):
        assert client_hello.of_datagram(data).name == ""


def test_quic_keys_are_those_of_the_standards():
    """RFC 9001 appendix A.1 and RFC 9369 appendix A.1."""
    connection = bytes.fromhex("8394c8f03e515708")
    one, two = (quic.client_keys(connection, p, s) for _, p, s, _ in quic._SALTS[:2])
    assert one.key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert one.iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert one.mask.hex() == "9f50449e04a0e810283a1e9933adedd2"
    assert two.key.hex() == "8b1a0bc121284290a29e0971b5cd045d"
    assert two.iv.hex() == "91f73e2351d8fa91660e909f"
    assert two.mask.hex() == "45b95e15235d6f45a6b19cbcb0294ba9"


@pytest.mark.parametrize("version", [1, 0x6B3343CF, 0xFF00001D, 0xFF00001B])
def test_a_quic_hello_in_reordered_pieces_is_put_together(version):
    hello = wire.hello(HOST, alpn=("h3",), pad=1500)
    connection = bytes(range(8))
    parts = [(n, hello[n : n + 400]) for n in range(0, len(hello), 400)]
    rest = [p for p in parts if p not in {parts[-1], parts[1]}][::-1]
    first = wire.quic_initial([parts[-1], parts[1]], connection, version=version)
    second = wire.quic_initial(rest, connection, number=1, version=version)
    pieces = quic.HelloPieces()
    assert quic.is_initial(first)
    assert pieces.add(first) is None
    read = pieces.add(second)
    assert read is not None
    assert (read.name, read.alpn) == (HOST, ("h3",))


def test_a_changed_quic_packet_is_not_opened():
    packet = bytearray(wire.quic_initial([(0, wire.hello(HOST))], bytes(8)))
    packet[-1] ^= 1
    with pytest.raises(DecodeError):
        quic.HelloPieces().add(bytes(packet))


@given(st.binary(max_size=120), st.integers(0, 1199))
def test_quic_of_any_bytes_reads_or_refuses(data, place):
    good = wire.quic_initial([(0, wire.hello(HOST))], bytes(8))
    for packet in (
        data,
        good[:place] + data + good[place + len(data) :],
        b"\xc3\x00\x00\x00\x01" + data,
    ):
        with suppress(DecodeError):
            hello = quic.HelloPieces().add(packet)
            # Encrypted and checked: what opens is what was sealed.
            assert hello is None or (packet == good and hello.name == HOST)


@given(st.binary(max_size=200))
def test_quic_frames_of_any_bytes_end(data):
    assert all(p.offset + len(p.data) <= client_hello.MAX_HELLO + 4 for p in quic._crypto(data))


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        ("GET /a?token=s3cret HTTP/1.1\r\nHost: cam.example.com:8080\r\n", "cam.example.com", 8080),
        ("GET http://user:pw@abs.example.com/x HTTP/1.1\r\n", "abs.example.com", None),
        ("CONNECT tunnel.example.com:443 HTTP/1.1\r\nHost: other\r\n", "tunnel.example.com", 443),
        ("DESCRIBE rtsp://u:p@nvr.example.com:554/ch1 RTSP/1.0\r\n", "nvr.example.com", 554),
        ("REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\nFrom: <sip:34020000001320000001@3402000000>\r\n", "3402000000", None),
    ],
)  # fmt: skip
def test_a_text_request_names_its_party_and_no_secret(line, host, port):
    head = request_head.parse(f"{line}Authorization: Basic cHc=\r\n\r\n".encode())
    assert (head.host, head.port) == (host, port)
    assert not {"s3cret", "pw", "u:p", "cHc="} & set(str(head).split())
    assert "s3cret" not in str(head)


@pytest.mark.parametrize("properties", [b"", bytes(5), bytes(127), bytes(128), bytes(300)])
def test_the_client_id_of_mqtt_5_stands_behind_properties_of_any_length(properties):
    size = len(properties)
    length = bytes((size,)) if size < 128 else bytes((size & 0x7F | 0x80, size >> 7))
    body = b"\x00\x04MQTT\x05\x02\x00\x3c" + length + properties + b"\x00\x07cam-001"
    assert announced.mqtt(b"\x10\xff\x03" + body) == "cam-001"


def test_sip_gives_the_twenty_digit_id_and_no_telephone_number():
    camera = b"REGISTER sip:a@b SIP/2.0\r\nFrom: <sip:34020000001320000001@b>;tag=1\r\n\r\n"
    phone = b"REGISTER sip:a@b SIP/2.0\r\nFrom: <sip:+38111123456@b>;tag=1\r\n\r\n"
    card = b"REGISTER sip:a@b SIP/2.0\r\nFrom: <sip:89490200001034567890@b>;tag=1\r\n\r\n"
    assert [announced.gb28181(m) for m in (camera, phone, card)] == ["34020000001320000001", "", ""]


@given(st.binary(max_size=300))
def test_requests_and_ids_of_any_bytes_read_or_refuse(data):
    for head in (b"", b"GET ", b"\xf1\x10\x00\x20", b"DHGET /device/", b"\x10\x20\x00\x04MQTT"):
        with suppress(DecodeError):
            assert request_head.parse_all(head + data)[0] == request_head.parse(head + data)
        for reader in announced.READERS.values():
            assert len(reader(head + data)) <= announced.MAX_ID
        assert tutk.is_message(head + data) in {True, False}


def test_the_scrambling_of_tutk_is_undone():
    block = bytes(range(16))
    assert tutk.plain(tutk.scramble(block)) == block


@pytest.mark.parametrize(
    ("raw", "name", "odd"),
    [
        ("*.Example.COM.", "*.example.com", True),
        ("evil\u202ename\x1b[2J.example.com", "evilname.example.com", False),
        ("localhost", "localhost", True),
        ("203.0.113.7", "203.0.113.7", False),
        ("p2p.amcrestview.com", "p2p.amcrestview.com", False),
    ],
)
def test_names_are_cleaned_and_junk_is_marked(raw, name, odd):
    assert host_name(raw) == name
    assert is_odd(name) is odd


@given(st.text(max_size=400))
def test_any_authority_is_bounded_and_printable(text):
    name, port = authority(text)
    assert len(name) <= 253
    assert name.isprintable()
    assert port is None or 0 < port < 65536
