"""ClientHellos of a batch, walked together: what is told agrees with the reader of single ones."""

from __future__ import annotations

import numpy as np
import wire_messages as wire
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode import client_hello
from camscan.observe.traffic import hellos
from camscan.observe.traffic.batch import PAD
from camscan.observe.traffic.server_names import certificate_names

NAMES = ("a.example.com", "b.example.com", "A.example.com", "x" * 120 + ".example", "", "10.0.0.1")
HELLOS = st.builds(
    lambda name, alpn, ech, pad: wire.records(wire.hello(name, alpn=alpn, ech=ech, pad=pad)),
    st.sampled_from(NAMES),
    st.sampled_from(((), ("h2",), ("h2", "http/1.1"), ("z" * 40,))),
    st.booleans(),
    st.sampled_from((0, 3, 1200)),
)


def laid(payloads):
    """Payloads one behind the other, as a batch holds them."""
    sizes = np.array([len(p) for p in payloads], np.int64)
    places = np.cumsum(sizes) - sizes
    data = np.frombuffer(b"".join(payloads) + bytes(PAD), np.uint8)
    return data, places, sizes


def read(payload):
    hello = client_hello.of_records(payload)
    assert hello is not None
    return hello.name, hello.alpn, hello.ech


def spoiled(payload, spots):
    """Some bytes changed, the first six aside, by which the gate picks."""
    changed = bytearray(payload)
    for place, value in spots:
        changed[6 + place % (len(changed) - 6)] = value
    return bytes(changed)


def test_whole_hellos_of_usual_size_are_told_and_differ_by_what_they_name():
    said = [
        wire.hello(name, alpn=alpn, ech=ech)
        for name in NAMES[:3]
        for alpn in ((), ("h2",))
        for ech in (False, True)
    ]
    payloads = [wire.records(one) for one in said]
    told = hellos.client_hellos(*laid(payloads))
    assert told.rows.tolist() == list(range(len(payloads)))
    assert told.words.shape == (len(payloads), hellos.WORDS)
    assert len(set(map(bytes, told.words))) == len(payloads)


def test_hellos_that_are_cut_split_or_hold_too_much_are_left_to_the_reader():
    whole = wire.records(wire.hello("a.example.com", alpn=("h2",)))
    twice = wire.extension(0, b"\x00\x04\x00\x00\x01a") * 2
    body = b"\x03\x03" + bytes(32) + b"\x00\x00\x02\x13\x01\x01\x00" + len(twice).to_bytes(2, "big")
    payloads = [
        whole[:-1],
        wire.records(wire.hello("a.example.com"), size=40),
        wire.records(wire.hello("x" * 200)),
        wire.records(wire.hello("a.example.com", alpn=("y" * 40,))),
        wire.records(b"\x01" + (len(body) + len(twice)).to_bytes(3, "big") + body + twice),
        whole[:6] + b"\xff" + whole[7:],
    ]
    told = hellos.client_hellos(*laid([*payloads, whole]))
    assert told.rows.tolist() == [len(payloads)]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            HELLOS,
            st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=3),
            st.integers(0, 40),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_hellos_told_alike_are_read_alike(lot):
    payloads = [spoiled(hello, spots)[: len(hello) - cut] for hello, spots, cut in lot]
    data, places, sizes = laid(payloads)
    told = hellos.client_hellos(data, places, sizes)
    meaning = {}
    for row, words in zip(told.rows.tolist(), map(bytes, told.words), strict=True):
        read_alone = read(payloads[row])
        assert meaning.setdefault(words, read_alone) == read_alone


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((wire.server_flight(None), wire.server_flight(b"\x30\x03abc"))),
            st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=2),
            st.integers(0, 30),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_sealed_flights_hold_no_certificate(lot):
    payloads = [spoiled(flight, spots)[: len(flight) - cut] for flight, spots, cut in lot]
    for payload, is_sealed in zip(payloads, hellos.sealed(*laid(payloads)), strict=True):
        if is_sealed:
            assert certificate_names(payload) == ((), b"")


def test_a_flight_of_tls_1_3_is_sealed_and_one_with_a_certificate_is_not():
    payloads = [wire.server_flight(None), wire.server_flight(b"\x30\x03abc")]
    assert hellos.sealed(*laid(payloads)).tolist() == [True, False]
