"""Rule 4: which units are one device."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.identify.join import Unit, join, routers

A, B = "00:aa:00:00:00:01", "00:aa:00:00:00:02"


def unit(name, intake="1", **keys):
    made = {k: frozenset(v if isinstance(v, (set, tuple)) else {v}) for k, v in keys.items() if k not in {"first", "last"}}  # fmt: skip
    times = {k: v for k, v in keys.items() if k in {"first", "last"}}
    return Unit(name=name, intake=intake, address=name.partition("#")[0], **made, **times)


CASES = [
    # name, units, number of devices, word that must stand in a reason or shared note
    ("nothing in common", [unit("a"), unit("b", "2")], 2, None),
    ("serial across intakes", [unit("a", serials="m/1"), unit("b", "2", serials="m/1")], 1, "serial"),
    ("same serial, other maker", [unit("a", serials="m/1"), unit("b", "2", serials="n/1")], 2, None),
    ("seen MAC across intakes", [unit("a", seen_macs=A), unit("b", "2", seen_macs=A)], 1, "hard key"),
    ("stated MAC across intakes", [unit("a", stated_macs=A), unit("b", "2", stated_macs=A)], 1, "soft key"),
    ("stated meets seen MAC", [unit("a", stated_macs=A), unit("b", "2", seen_macs=A)], 1, "soft key"),
    ("UUID across intakes", [unit("a", uuids="u"), unit("b", "2", uuids="u")], 1, "UUID"),
    ("certificate across intakes", [unit("a", certificate_keys="k"), unit("b", "2", certificate_keys="k")], 1, "certificate"),
    ("UUID on two live units", [unit("a", uuids="u"), unit("b", uuids="u")], 2, "shared"),
    ("certificate on two live units", [unit("a", certificate_keys="k"), unit("b", certificate_keys="k")], 2, "shared"),
    ("serial on two live units", [unit("a", serials="m/1"), unit("b", serials="m/1")], 2, "shared"),
    ("soft never against hard MAC", [unit("a", uuids="u", seen_macs=A), unit("b", "2", uuids="u", seen_macs=B)], 2, None),
    ("soft never against hard serial", [unit("a", uuids="u", serials="m/1"), unit("b", "2", uuids="u", serials="m/2")], 2, None),
    ("address across intakes", [unit("a", last="2026-01-01"), unit("a", "2", first="2026-02-02")], 1, "2026-02-02"),
    ("address against hard MAC", [unit("a", seen_macs=A), unit("a", "2", seen_macs=B)], 2, None),
    ("moved camera, reused address", [unit("a", seen_macs=A), unit("b", "2", seen_macs=A), unit("a", "2", seen_macs=B)], 2, "MAC seen"),
    ("shared key seen again later", [unit("a", uuids="u"), unit("b", uuids="u"), unit("c", "2", uuids="u")], 3, "shared"),
    ("IPv4 and IPv6 of one MAC", [unit("10.0.0.1", seen_macs=A), unit("fe80::1", seen_macs=A)], 1, "hard key"),
    ("two ports of one address", [unit("a#80"), unit("a#81")], 2, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "units", "count", "word"), CASES)
def test_join_table(name, units, count, word):
    found = join(units)
    assert len(found.devices) == count, name
    words = " ".join([*found.shared, *(r for d in found.devices for r in d.reasons)])
    assert (word in words) if word else not words, words


def test_an_address_reason_names_both_times():
    (device,) = join([unit("a", last="2026-01-01T00:00:00Z"), unit("a", "2", first="2026-02-02T00:00:00Z")]).devices  # fmt: skip
    assert "2026-01-01T00:00:00Z" in device.reasons[0]
    assert "2026-02-02T00:00:00Z" in device.reasons[0]


def test_a_router_mac_joins_nothing():
    macs = routers([("1", A, "10.0.0.1"), ("1", A, "10.0.0.2"), ("1", B, "10.0.0.3")])
    assert macs == {A}
    found = join([unit("10.0.0.1", seen_macs=A), unit("10.0.0.9", "2", seen_macs=A)], macs)
    assert len(found.devices) == 2


def test_an_address_that_changed_between_intakes_makes_no_router():
    assert not routers([("1", A, "10.0.0.1"), ("2", A, "10.0.0.2"), ("1", A, "fe80::1")])


def test_a_key_on_many_devices_is_said_in_short():
    found = join([unit(name, uuids="u") for name in "abcdef"])
    assert found.shared == ("UUID u is shared by live devices (a, b, c, d and 2 more) and identifies none of them",)  # fmt: skip


KEYS = st.sets(st.sampled_from(["p", "q"]), max_size=2).map(frozenset)
UNITS = st.lists(
    st.builds(
        Unit,
        name=st.sampled_from(["a", "b", "c", "d"]),
        intake=st.sampled_from(["1", "2", "3"]),
        seen_macs=KEYS,
        serials=KEYS,
        stated_macs=KEYS,
        uuids=KEYS,
    ),
    max_size=7,
    unique_by=lambda u: (u.intake, u.name),
)


@settings(max_examples=200, deadline=None)
@given(UNITS, st.randoms(use_true_random=False))
def test_order_changes_nothing_and_no_unit_is_lost(units, random):
    once = join(units)
    again = list(units)
    random.shuffle(again)
    assert join(again) == once
    assert sorted((u.intake, u.name) for d in once.devices for u in d.units) == sorted(
        (u.intake, u.name) for u in units
    )
    for device in once.devices:
        assert len(device.units) == 1 or device.reasons
        live = [(u.intake, u.name) for u in device.units]
        assert len({i for i, _ in live}) == len(live), "two live units in one device"
