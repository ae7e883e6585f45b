from __future__ import annotations

from judged_city import claim, device, shipped
from msgspec.structs import replace

from camscan.judge.coverage import coverage
from camscan.model.claim import Attribute, Role, Visibility
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.run import IntakeInfo
from camscan.model.site import Asset, Site

A = Attribute


def intake(*scope, excluded=(), kind="scan"):
    return IntakeInfo(
        id=f"0001-{kind}", kind=kind, started="2026-11-23T20:00:00Z", tool_version="0",
        knowledge_hash="0", vantage="on-link", scope=scope, excluded=excluded,
        segments=("10.20.0.0/24 on-link",),
    )  # fmt: skip


def seen(address, job="http-root", mac=None):
    return Observation(
        id=f"{address}:{job}", device_id=address, kind=Kind.HTTP, response=b"", job=job,
        address=address, mac=mac,
    )  # fmt: skip


def tried(address, test, reason):
    return Attempt(id=f"a:{address}:{test}", device_id=address, test=test, reason=reason)


def run(intakes=(), observations=(), attempts=(), devices=(), site=None):
    return coverage(intakes, observations, attempts, devices, shipped(), site or Site())


def test_scope_counts_what_is_left_after_exclusions_once():
    result = run([intake("10.20.0.0/24", excluded=("10.20.0.0/30",)), intake("10.20.0.128/25")])
    assert result.addresses_in_scope == 252 + 4 - 4
    assert (
        run([intake("10.20.0.1-10.20.0.4", "fd00::/126", "not an address")]).addresses_in_scope == 8
    )
    assert run([intake("10.20.0.9-fd00::1")]).addresses_in_scope == 0
    assert result.segments == ("10.20.0.0/24 on-link",)


def test_a_subject_that_gave_no_answer_stands_under_its_reason():
    result = run(
        [intake("10.20.0.0/24")],
        [seen("10.20.0.1"), seen("10.20.0.2")],
        [
            tried("10.20.0.3", "http-root", Reason.TIMEOUT),
            tried("10.20.0.4", "http-root", Reason.BUDGET),
            tried("10.20.0.1", "http-root", Reason.TIMEOUT),  # answered later
        ],
    )
    (row,) = result.tests
    assert (row.asked, row.answered) == (4, 2)
    assert row.not_examined == (("budget", 1), ("timeout", 1))
    assert result.incomplete == ("http-root: timeout for 1: 10.20.0.3",)
    assert result.addresses_answered == 2


def test_an_input_that_was_not_read_stands_with_its_reason_in_words():
    whole = tried("", "traffic a.pcap", Reason.ERROR)
    result = run(attempts=[replace(whole, detail="empty"), tried("", "ingest b.log", Reason.ERROR)])
    assert result.incomplete == ("ingest b.log: error", "traffic a.pcap: empty")


def test_silence_of_a_search_and_missing_rights_are_not_unfinished_tests():
    result = run(
        [intake("10.20.0.0/24")],
        attempts=[
            tried("10.20.0.1", "announce.sadp", Reason.TIMEOUT),
            tried("10.20.0.1", "arp", Reason.NO_PRIVILEGE),
            tried("10.20.0.1", "rtsp", Reason.NOT_REQUESTED),
        ],
    )
    assert result.incomplete == ()
    assert {t.test for t in result.tests} == {"announce.sadp", "arp", "rtsp"}


def test_addresses_outside_the_scope_are_listed_and_not_counted():
    result = run([intake("10.20.0.0/24")], [seen("192.168.1.64"), seen("10.20.0.1")])
    assert result.out_of_scope_seen == ("192.168.1.64",)
    assert result.addresses_answered == 1
    assert run([intake(kind="ingest")], [seen("192.168.1.64")]).out_of_scope_seen == ()


def test_recorders_and_lists_say_how_much_is_hidden():
    devices = (
        device("10.20.0.9", claim(A.CHANNELS_ANNOUNCED, "32"), role=Role.RECORDER),
        *(device(f"10.20.0.{n}", behind="10.20.0.9", listed_as=f"A{n}") for n in range(1, 5)),
        device("A7", visibility=Visibility.LISTED, listed_as="A7"),
    )
    site = Site(assets=tuple(Asset(id=f"A{n}") for n in range(1, 8)))
    result = run([intake("10.20.0.0/24")], devices=devices, site=site)
    assert (result.announced_channels, result.channels_seen) == (32, 4)
    assert (result.listed, result.listed_found) == (7, 4)
    assert (result.devices, result.cameras) == (5, 5)
    assert any("28 channels" in text for text in result.not_examined)


def test_areas_nobody_looked_at_are_named():
    texts = run([intake("10.20.0.0/24")], [seen("10.20.0.1")]).not_examined
    assert len(texts) == 4
    full = run(
        [intake("10.20.0.0/24"), *(intake(kind=k) for k in ("traffic", "settings", "firmware"))],
        [seen("10.20.0.1", mac="02:00:00:00:00:01")],
    )
    assert full.not_examined == ()
