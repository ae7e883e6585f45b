"""When may a capture that shows nothing be called "checked, not found", and what does D rest on?"""

from __future__ import annotations

import pytest
from judged_city import claim, device, endpoint, hikvision, subject
from msgspec.structs import replace

from camscan.judge.checks import (
    egress_observed,
    endpoint_located_cn,
    media_egress,
    p2p_enabled,
    remote_access_open,
)
from camscan.judge.exchanges import path_step
from camscan.judge.factors import factors
from camscan.judge.watching import bound_words
from camscan.model.claim import Attribute, Evidence, Family, Level, Mark, State
from camscan.model.observation import Reason
from camscan.model.traffic import STIMULI, Watch, phase_words

DAY = 86_400.0
WEEK = Watch(
    vantages=("mirror",), first=0.0, last=7 * DAY, days=7, packets=500, bytes_up=9000, bytes_down=9000,
    lost=0, dns_visible=True, phases=STIMULI,
)  # fmt: skip
NOTHING = [
    (egress_observed, WEEK),
    (media_egress, WEEK),
    (endpoint_located_cn, WEEK),
]


def watched(watch, *, endpoints=()):
    one = device("10.20.0.5", *hikvision(), endpoints=endpoints)
    return replace(subject(one, captured=True), watch=watch)


@pytest.mark.parametrize(("check", "watch"), NOTHING)
def test_a_full_window_with_all_stimuli_allows_checked_not_found_with_its_bound(check, watch):
    answer = check.check(watched(watch))
    assert answer.state is State.OBSERVED_NOT
    assert "7 daily windows without a hit leave room for up to 35 % of days" in answer.statement
    assert "vantage: mirror" in answer.details


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"phases": ("login",)}, "stimuli not applied"),
        ({"days": 0, "last": 3600.0}, "less than one day"),
        ({"lost": 4}, "lost 4 packets"),
        ({"packets": 0}, "no vantage or no packet"),
        ({"dns_visible": False}, "DNS was not visible"),
        (
            {"special": (("shared address space of providers (RFC 6598)", 3, 900, 0),)},
            "special-purpose ranges is not attributed: shared address space",
        ),
        ({"encrypted_resolvers": ("dns.google (DoH)",)}, "under encryption"),
    ],
)
def test_anything_lacking_leaves_it_open(change, why):
    answer = endpoint_located_cn.check(watched(replace(WEEK, **change)))
    assert (answer.state, answer.reason) == (State.NOT_OBSERVED, Reason.WINDOW_TOO_SHORT)
    assert why in answer.statement


def test_time_that_was_not_examined_is_named_and_taken_off():
    gap = (DAY, 2 * DAY, "the capture was interrupted")
    answer = endpoint_located_cn.check(watched(replace(WEEK, days=6, gaps=(gap,))))
    assert answer.state is State.OBSERVED_NOT
    assert "6 days of capture" in answer.statement
    assert "6 daily windows" in answer.statement
    assert (
        "not examined: 1970-01-02T00:00:00.000Z to 1970-01-03T00:00:00.000Z: the capture was interrupted"
        in answer.details
    )


def test_logs_without_volumes_per_minute_never_exclude_video():
    answer = media_egress.check(watched(replace(WEEK, media_judged=False)))
    assert answer.state is State.NOT_OBSERVED
    assert "totals only" in answer.statement


@pytest.mark.parametrize(
    ("days", "percent"),
    [(1, 95), (2, 78), (3, 63), (7, 35), (14, 19), (30, 10), (400, 1), (9000, 1)],
)
def test_the_bounds_are_those_of_the_fact_sheet(days, percent):
    """1 - 0.05^(1/n) for n daily windows (facts: scoring 5)."""
    assert f"up to {percent} % of days" in bound_words(days)
    assert abs((1 - 0.05 ** (1 / days)) * 100 - percent) < 1


def test_one_window_is_no_plural():
    assert bound_words(1).startswith(
        "1 daily window without a hit leaves room for up to 95 % of days"
    )


@pytest.mark.parametrize(
    ("more", "step"),
    [
        ({"classes": ("media",)}, 4),
        ({"classes": ("signalling",)}, 3),
        ({"classes": ("registration", "time")}, 3),
        ({"classes": ("time",)}, 2),
        ({"classes": ("name",)}, 2),
        ({"purpose": "registration, account"}, 3),
        ({"packets": 4, "bytes_up": 300}, 2),
        ({"packets": 90, "bytes_up": 30_000}, 3),
    ],
)
def test_what_was_exchanged_sets_the_data_path(more, step):
    met = endpoint("t.example", "203.0.113.9", mark=Mark.CONTACTED, **more)
    assert path_step(met) == step
    found = factors(watched(WEEK, endpoints=(met,)))["D"]
    assert (found.lower, found.upper) == (step, 4)


def test_a_name_alone_never_moves_the_data_path_beyond_asked_for():
    named = endpoint("t.example", mark=Mark.NAMED, purpose="relay, storage")
    assert factors(watched(WEEK, endpoints=(named,)))["D"].lower == 2


def test_a_conversation_opened_from_outside_and_answered_is_reachability():
    met = endpoint(None, "203.0.113.9", mark=Mark.CONTACTED, inbound=True, transport="tcp", bytes_up=900, bytes_down=100, packets=9)  # fmt: skip
    answer = remote_access_open.check(watched(WEEK, endpoints=(met,)))
    assert answer.state is State.OBSERVED
    assert "opened from outside by 203.0.113.9" in answer.statement
    assert factors(watched(WEEK, endpoints=(met,)))["T"].lower >= 2
    unanswered = replace(met, bytes_up=0)
    assert (
        remote_access_open.check(watched(WEEK, endpoints=(unanswered,))).state is State.NOT_OBSERVED
    )


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (Family.TRAFFIC, "was seen to use its P2P function"),
        (Family.PROTOCOL, "states that its P2P"),
    ],
)
def test_p2p_seen_in_traffic_is_not_put_into_the_devices_mouth(family, words):
    piece = Evidence(signature="s", version="1", family=family, level=Level.E2, observation="o", attribute=Attribute.P2P_ENABLED, value="true")  # fmt: skip
    said = replace(claim(Attribute.P2P_ENABLED, "true"), evidence=(piece,))
    assert words in p2p_enabled.check(subject(device("10.20.0.5", said))).statement


def test_a_phase_that_is_no_stimulus_is_not_called_one():
    assert phase_words(("boot", "power-cycle", "boot")) == "power-cycle; other phases: boot"
    assert phase_words(("idle",)) == "none stated; other phases: idle"
    assert phase_words(()) == "none stated"
