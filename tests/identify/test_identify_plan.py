"""Rule 10: which question comes next, and when a device is left alone."""

from __future__ import annotations

import pytest
from invented_market import build, evidence, http
from msgspec.structs import replace

from camscan.identify.match import Matcher, Reading
from camscan.identify.plan import make_next_jobs
from camscan.model.claim import Attribute, Family
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.probe import Exchange, Guard, Probe

KNOWN = build()


class Fixed:
    """A matcher that knows the fields and evidence of each observation id beforehand."""

    def __init__(self, **readings):
        self.readings = readings
        self.calls = 0

    def read(self, observation):
        self.calls += 1
        return self.readings.get(observation.id, Reading({}, ()))


def ports(*numbers):
    return Reading({"open": tuple(str(n) for n in numbers)}, ())


def seen(ident, kind=Kind.PORTS, **more):
    base = {"device_id": "d", "response": b""} | more
    return Observation(id=ident, kind=kind, **base)


def answered(status="200", *pieces, **fields):
    return Reading({"status": (status,), **fields}, tuple(pieces))


def attempt(test, port=None, reason=Reason.TIMEOUT):
    return Attempt(id=f"x{test}{port}", device_id="d", test=test, reason=reason, port=port)


def names(jobs):
    return [(j.probe, j.port) for j in jobs]


ROOT = seen("h", Kind.HTTP, job="root", port=80, transport="tcp")
AQUILA = (evidence("platform", "aquila", observation="h"), evidence("role", "camera", observation="h"))  # fmt: skip
SETTLED = tuple(
    evidence(a, v, f, observation="h")
    for a, v in (
        ("platform", "aquila"),
        ("role", "camera"),
        ("model", "AQ-77"),
        ("firmware", "V1.2.3"),
    )
    for f in (Family.LABEL, Family.PROTOCOL)
)


def test_first_questions_follow_open_ports_and_priority():
    jobs = make_next_jobs(KNOWN, Fixed(p=ports(80, 81, 443)))([seen("p")], [])
    assert names(jobs) == [("root", 80), ("root", 81), ("cert", 443), ("wsd", 3702)]
    assert [j.tls for j in jobs] == [False, False, True, False]


def test_nothing_is_asked_on_closed_ports():
    assert names(make_next_jobs(KNOWN, Fixed(p=ports(22)))([seen("p")], [])) == [("wsd", 3702)]


@pytest.mark.parametrize("what", ["observation", "attempt", "attempt on all ports"])
def test_never_asked_twice(what):
    matcher = Fixed(p=ports(80), h=answered("404"))
    observations, attempts = [seen("p")], []
    if what == "observation":
        observations.append(ROOT)
    elif what == "attempt":
        attempts.append(attempt("root", 80))
    else:
        attempts.append(attempt("root"))
    assert "root" not in [p for p, _ in names(make_next_jobs(KNOWN, matcher)(observations, attempts))]  # fmt: skip


def test_a_platform_guard_opens_on_any_evidence_for_it():
    without = make_next_jobs(KNOWN, Fixed(p=ports(80), h=answered("401")))([seen("p"), ROOT], [])
    given = make_next_jobs(KNOWN, Fixed(p=ports(80), h=answered("401", *AQUILA)))([seen("p"), ROOT], [])  # fmt: skip
    assert "aquila-info" not in [p for p, _ in names(without)]
    assert names(given)[0] == ("aquila-info", 80)


def test_two_probes_with_the_same_request_are_one_job():
    jobs = make_next_jobs(KNOWN, Fixed(p=ports(80), h=answered("401", *AQUILA)))([seen("p"), ROOT], [])  # fmt: skip
    assert [j.path for j in jobs].count("/aq/info") == 1
    done = seen("i", Kind.ISAPI, job="blind", port=80, transport="tcp")
    matcher = Fixed(p=ports(80), h=answered("401", *AQUILA), i=answered("401"))
    jobs = make_next_jobs(KNOWN, matcher)([seen("p"), ROOT, done], [])
    assert "/aq/info" not in [j.path for j in jobs]


def test_a_settled_device_is_left_alone():
    matcher = Fixed(p=ports(80), h=answered("401", *SETTLED))
    assert make_next_jobs(KNOWN, matcher)([seen("p"), ROOT], []) == ()


def test_a_settled_device_still_shows_each_port_and_its_certificate():
    """Another device may stand behind another port, and weak TLS is a finding of its own."""
    matcher = Fixed(p=ports(80, 81, 443), h=answered("401", *SETTLED))
    jobs = make_next_jobs(KNOWN, matcher)([seen("p"), ROOT], [])
    assert names(jobs) == [("root", 81), ("cert", 443)]


def test_one_family_does_not_settle():
    labels = tuple(e for e in SETTLED if e.family is Family.LABEL)
    matcher = Fixed(p=ports(80), h=answered("401", *labels))
    assert "aquila-info" in [p for p, _ in names(make_next_jobs(KNOWN, matcher)([seen("p"), ROOT], []))]  # fmt: skip


def test_something_else_is_not_questioned_further():
    matcher = Fixed(p=ports(80), h=answered("200", evidence("role", "printer", observation="h")))
    jobs = make_next_jobs(KNOWN, matcher)([seen("p"), ROOT], [])
    assert {j.probe for j in jobs} <= {"canary"}


CANARY = [
    ("200 used as evidence", answered("200", *AQUILA), True),
    ("200 that says nothing", answered("200"), False),
    ("a refusal", answered("401", *AQUILA), False),
]


@pytest.mark.parametrize(("name", "reading", "asked"), CANARY)
def test_the_canary_is_asked_once_where_a_200_is_evidence(name, reading, asked):
    matcher = Fixed(p=ports(80), h=reading, c=answered("404"))
    ask = make_next_jobs(KNOWN, matcher)
    assert ("canary" in [j.probe for j in ask([seen("p"), ROOT], [])]) is asked, name
    done = seen("c", Kind.HTTP, job="canary", port=80, transport="tcp", canary=True)
    assert "canary" not in [j.probe for j in ask([seen("p"), ROOT, done], [])]


def test_hollow_answers_open_no_guard():
    """What a server that answers any path alike says is no reason to ask more of it."""
    page = {"body": ("some page with many words",), "request-path": ("/",)}
    canary = seen("c", Kind.HTTP, job="canary", port=80, transport="tcp", canary=True)
    matcher = Fixed(p=ports(80), h=answered("200", *AQUILA, **page), c=answered("200", **page))
    jobs = make_next_jobs(KNOWN, matcher)([seen("p"), ROOT, canary], [])
    assert "aquila-info" not in [j.probe for j in jobs]


def test_http_is_not_repeated_on_a_port_that_does_not_speak_it():
    matcher = Fixed(p=ports(80))
    jobs = make_next_jobs(KNOWN, matcher)([seen("p")], [attempt("root", 80, Reason.ERROR)])
    assert names(jobs) == [("wsd", 3702)]


def test_other_paths_are_not_tried_on_a_port_that_does_not_speak_http():
    other = Probe(id="other", about="", kind=Kind.HTTP, exchange=Exchange.HTTP_GET, source="t",
                  ports=(80,), path="/other", yields=("maker",))  # fmt: skip
    plan = replace(KNOWN.probe_plan, probes=(*KNOWN.probe_plan.probes, other))
    ask = make_next_jobs(replace(KNOWN, probe_plan=plan), Fixed(p=ports(80), h=answered("404")))
    assert ("other", 80) in names(ask([seen("p")], []))
    failed = [attempt("root", 80, Reason.ERROR)]
    assert ("other", 80) not in names(ask([seen("p")], failed))
    assert ("other", 80) in names(ask([seen("p"), ROOT], [attempt("canary", 80)]))


def test_an_announcement_is_not_asked_for_again():
    told = seen("w", Kind.WSD, job="announce.wsd", port=3702, transport="udp")
    assert make_next_jobs(KNOWN, Fixed(p=ports(), w=Reading({}, ())))([seen("p"), told], []) == ()


def test_port_offset_moves_well_known_ports_only():
    ask = make_next_jobs(KNOWN, Fixed(p=ports(10080, 10443, 8080)), port_offset=10000)
    assert names(ask([seen("p")], [])) == [("root", 10080), ("cert", 10443), ("wsd", 3702)]


def test_denied_ports_are_never_asked():
    bad = Probe(id="bad", about="", kind=Kind.HTTP, exchange=Exchange.HTTP_GET, source="t",
                ports=(9100,), path="/", guard=Guard())  # fmt: skip
    plan = replace(KNOWN.probe_plan, probes=(bad,))
    ask = make_next_jobs(replace(KNOWN, probe_plan=plan), Fixed(p=ports(9100)))
    assert ask([seen("p")], []) == ()


def test_each_observation_is_read_once_however_often_it_is_asked():
    matcher = Fixed(p=ports(80), h=answered("401", *AQUILA))
    ask = make_next_jobs(KNOWN, matcher)
    first = ask([seen("p"), ROOT], [])
    for _ in range(5):
        assert ask([seen("p"), ROOT], []) == first
    assert matcher.calls == 2


def test_order_of_answers_changes_nothing():
    matcher = Fixed(p=ports(80, 443), h=answered("401", *AQUILA))
    ask = make_next_jobs(KNOWN, matcher)
    assert ask([seen("p"), ROOT], []) == ask([ROOT, seen("p")], [])


def test_with_the_real_matcher():
    ask = make_next_jobs(KNOWN, Matcher(KNOWN))
    root = http("h", headers=("Server: Aquila-Web/2",), status="401 Unauthorized", job="root")
    assert ask([root], [])[0].probe == "aquila-info"
    assert Attribute.PLATFORM in {e.attribute for e in Matcher(KNOWN).evidence(root)}


def test_a_platform_s_question_goes_to_the_ports_that_speak_for_it():
    """Several cameras behind one address share twelve connections."""
    open_ports = ports(80, 81)
    first = replace(ROOT, port=80)
    second = replace(ROOT, id="h2", port=81)
    speaks = answered("401", evidence("platform", "aquila", observation="h"))
    silent = answered("401")

    def asked(**readings):
        planned = make_next_jobs(KNOWN, Fixed(p=open_ports, **readings))
        jobs = planned([seen("p"), first, second], [])
        guarded = {p.id for p in KNOWN.probe_plan.probes if p.guard.platform and p.on == "http"}
        assert guarded
        return {j.port for j in jobs if j.probe in guarded}

    assert asked(h=speaks, h2=silent) == {80}
    assert asked(h=silent, h2=speaks) == {81}
    assert asked(h=speaks, h2=speaks) == {80, 81}
    assert asked(h=silent, h2=silent) == set()
