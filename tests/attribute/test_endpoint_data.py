"""The shipped names of camera clouds: closed words, borders of names, one answer per host."""

from __future__ import annotations

import re

import pytest
from judged_city import shipped

from camscan.attribute.endpoints import NameTable

KNOWN = shipped()
TABLE = NameTable(KNOWN.endpoints)
MATCHABLE = [e for e in KNOWN.endpoints if e.matchable]
PURPOSES = {
    "rendezvous", "relay", "registration", "account", "push", "telemetry", "update", "ddns", "ntp", "dns",
    "storage", "portal", "signalling", "connectivity", "certificate revocation list",
}  # fmt: skip
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")


def name_of(record):
    return record.match.replace("*", "x")


def test_every_record_uses_the_closed_words_and_names_its_source():
    assert len(MATCHABLE) >= 400
    for record in KNOWN.endpoints:
        assert set(record.purpose) <= PURPOSES, record.id
        assert record.purpose, record.id
        assert record.confidence in {"high", "medium", "low"}
        assert record.verification in {"sourced", "partly", "unverified"}
        assert record.source
        assert record.as_of[:2] == "20"
        assert record.operator in KNOWN.parties
        assert record.port is None or 0 < record.port < 65536
        if record.verification == "unverified":
            assert record.confidence != "high", record.id


def test_no_pattern_stands_twice():
    patterns = [e.match.lower() for e in MATCHABLE]
    assert sorted(patterns) == sorted(set(patterns))


@pytest.mark.parametrize("record", MATCHABLE, ids=lambda e: e.id)
def test_a_pattern_finds_its_own_name_and_ends_on_the_borders_of_names(record):
    found = TABLE.find(name_of(record))
    assert found is not None
    assert found.id == record.id
    base = record.match.removeprefix("*.").replace("*", "x")
    strangers = [f"{base}.evil.example", f"{base}-evil.example"]
    if "*" not in record.match.removeprefix("*."):  # `*-st.axis.com` means any beginning
        strangers += [f"evil-{base}", f"x.evil-{base}"]
    for stranger in strangers:
        other = TABLE.find(stranger)
        # a wider pattern of the same domain may hold it, never this one
        assert other is None or (
            other.id != record.id and stranger.endswith(f".{other.match.removeprefix('*.')}")
        ), stranger


def test_hosts_named_inside_a_record_lead_to_its_operator():
    seen = 0
    for record in MATCHABLE:
        for text in record.hosts:
            host = text.partition(":")[0].partition(" ")[0]
            if not _HOST.fullmatch(host):
                continue
            found = TABLE.find(host)
            if found is None:
                continue  # a stranger beside the operator's own names (facts: Jovision camera)
            seen += 1
            family = {record.operator, KNOWN.parties[record.operator].parent}
            family |= {p.id for p in KNOWN.parties.values() if p.parent == record.operator}
            shared = {"net-baidu", "gwell", "sina", "throughtek"}
            assert found.operator in family | shared, (record.id, host, found.operator)
    assert seen > 250


def test_a_users_own_pattern_never_replaces_a_shipped_one():
    from msgspec.structs import replace

    shipped_one = next(e for e in MATCHABLE if e.id == "meari.mearicloud-com")
    mine = replace(shipped_one, id="local.mine", operator="axis")
    for order in ([mine, shipped_one], [shipped_one, mine]):
        assert NameTable(order).find("x.mearicloud.com").operator == "meari"
