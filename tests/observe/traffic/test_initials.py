"""A QUIC client goes on to send Initials behind its hello: they are no handshakes that could not be read."""

from __future__ import annotations

import wire_messages as wire

from camscan.observe.traffic.initials import NOT_WHOLE, Initials

FIRST, SERVERS = bytes(range(8)), bytes(range(50, 58))
HELLO = wire.hello("one.example.net", alpn=("h3",))
NOT_OPENED = "QUIC handshakes that could not be opened"


def packet(pieces, connection, key=FIRST, *, sport=50000, dport=443):
    """An Initial to `connection`, protected with the keys of `key`."""
    sealed = wire.quic_initial(pieces, key, named=connection)
    return wire.datagram(sealed, sport=sport, dport=dport)


def said(*packets, most=100):
    initials = Initials(most)
    found = [initials.feed(p) for p in packets]
    return [h.name for h, _ in found if h], [w for _, w in found if w], initials.wanted


def test_what_follows_a_whole_hello_is_neither_missed_nor_waited_for():
    names, missed, wanted = said(
        packet([(0, HELLO)], FIRST), packet([], SERVERS), packet([], SERVERS)
    )
    assert (names, missed, wanted) == (["one.example.net"], [], frozenset())


def test_a_hello_in_two_datagrams_and_then_acknowledgements():
    first, second = [(0, HELLO[:60])], [(60, HELLO[60:])]
    names, missed, _ = said(packet(second, FIRST), packet(first, SERVERS), packet([], SERVERS))
    assert (names, missed) == (["one.example.net"], [])


def test_a_second_connection_from_the_same_port_is_read_as_well():
    other = wire.hello("two.example.net", alpn=("h3",))
    again = bytes(range(80, 88))
    names, missed, _ = said(
        packet([(0, HELLO)], FIRST), packet([(0, other)], again, again), packet([], SERVERS, again)
    )
    assert (names, missed) == (["one.example.net", "two.example.net"], [])


def test_an_unknown_key_is_said_of_a_client_and_not_of_a_server():
    assert said(packet([], SERVERS))[1] == [NOT_OPENED]
    assert said(packet([], SERVERS, sport=443, dport=50000))[1] == []


def test_hellos_under_way_are_bounded():
    half = [(0, HELLO[:60])]
    _, missed, wanted = said(*(packet(half, FIRST, sport=50000 + n) for n in range(9)), most=4)
    assert (len(wanted), missed) == (4, [NOT_WHOLE] * 5)
