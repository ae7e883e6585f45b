"""Names and services in the order of results, and conversations that are one."""

from __future__ import annotations

import wire_messages as wire
from hypothesis import given
from hypothesis import strategies as st

from camscan.knowledge import load
from camscan.observe.traffic.namer import Namer
from camscan.observe.traffic.register import Register

TEXT = st.sampled_from(["a", "b", "cam"])


@given(
    st.lists(
        st.tuples(TEXT, TEXT, TEXT, st.sampled_from(["", "192.0.2.1"]), st.integers(1, 3)),
        max_size=20,
    )
)
def test_names_are_in_order(given_names):
    register = Register()
    for at, (client, proto, name, remote, port) in enumerate(given_names):
        register.name(client=client, mac=None, proto=proto, name=name, at=float(at), remote=remote, port=port)  # fmt: skip
    keys = [(n.client, n.proto, n.name, n.remote or "", n.port or 0) for n in register.names()]
    assert keys == sorted(keys)
    wanted = {(c, p, n, r, port if r else 0) for c, p, n, r, port in given_names}
    assert set(keys) == wanted
    assert sum(n.count for n in register.names()) == len(given_names)


def test_the_conversations_of_one_client_with_one_port_are_one():
    namer = Namer(load().services)
    asks, posts = b"DHGET /x HTTP/1.1\r\n\r\n", b"DHPOST /x HTTP/1.1\r\n\r\n"
    for at, own, client, payload in (
        (1.0, 40_000, "10.0.0.9", asks),
        (2.0, 40_001, "10.0.0.8", posts),
        (3.0, 40_000, "10.0.0.8", asks),
        (4.0, 40_001, "10.0.0.9", asks),
        (5.0, 40_001, "10.0.0.10", asks),
    ):
        namer.feed(wire.datagram(payload, src=client, sport=own, dport=8800, at=at))
    found = [s for s in namer.services() if s.service == "dahua-p2p"]
    assert [(s.client, s.port, s.packets, s.first, s.last) for s in found] == [
        ("10.0.0.10", 8800, 1, 5.0, 5.0),
        ("10.0.0.8", 8800, 2, 2.0, 3.0),
        ("10.0.0.9", 8800, 2, 1.0, 4.0),
    ]
    details = [s.detail for s in found]
    assert details == ["DHGET", "DHGET, DHPOST", "DHGET"]
