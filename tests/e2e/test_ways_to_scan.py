"""Does every way to scan come to the same cameras, and does an interrupted scan lose nothing?"""

from __future__ import annotations

import ipaddress
import json
import shutil
import signal
from collections import Counter

import pytest
from city_runs import SCAN, SMALL, camscan, lab, once, whole

from camscan.clock import parse_iso
from camscan.model.observation import Kind

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.needs("ip", "nft"),
    pytest.mark.xdist_group("city"),
]


SILENT = {"cloud-only-camera", "tuya-camera"}
"""Cameras of which no probe can tell that they are one."""


def named(done, name="RUN"):
    """address -> (camera, maker) of what answered."""
    return {
        d["addresses"][0]: (d["is_camera"], d["maker"])
        for d in done.report(name)["devices"]
        if d["visibility"] == "direct" and d["addresses"]
    }


def expected(done):
    """address -> maker of the cameras of the plan's own segments."""
    return {
        u["address"]: u["maker"]
        for u in done.truth["units"]
        if u["is_camera"] and u["reachable"] and not u["foreign"]
    }


def assert_all_named(done, name="RUN"):
    found = named(done, name)
    assert {a: found.get(a) for a in expected(done)} == {
        a: (True, maker) for a, maker in expected(done).items()
    }


def segment_hosts(done):
    (one,) = done.truth["segments"].values()
    return ipaddress.ip_network(one["cidr"])


# --- four ways through one street


def codes(street):
    return dict(line.split() for line in street.out.splitlines())


@pytest.mark.parametrize("way", ["own", "connect", "canary"])
def test_each_way_names_the_same_cameras(street, way):
    assert codes(street)[way] in ("0", "2"), (street.path(f"{way}.err")).read_text()[-3000:]
    assert len(expected(street)) >= 8
    assert_all_named(street, way)


@pytest.mark.needs("nmap")
def test_the_port_stage_by_nmap_names_the_same_cameras(street):
    assert codes(street)["nmap"] in ("0", "2"), street.path("nmap.err").read_text()[-3000:]
    assert_all_named(street, "nmap")


def test_no_way_harms_or_leaves_the_plan(street):
    totals = street.stats["totals"]
    for counter in (
        "crashes", "bytes_to_denied", "credential_requests", "state_changing", "foreign_followed",
    ):  # fmt: skip
        assert totals[counter] == 0, counter
    assert totals["max_concurrent"] <= 1
    assert totals["wire_max_concurrent"] <= 2
    assert totals["max_probes_per_second"] <= 40
    wire = street.stats["wire"]
    assert wire["outside_plan"] == 0, wire["outside_plan_examples"]
    assert wire["multicast_ttl_not_1"] == 0


def test_a_device_with_a_foreign_address_is_seen_and_not_contacted(street):
    (unit,) = street.units(foreign=True)
    heard = [o for o in street.run("own").observations() if o.address == unit["address"]]
    assert heard, "its announcement was not heard"
    assert {o.transport for o in heard} == {"udp"}
    report = street.report("own")
    assert any(unit["address"] in line for line in report["coverage"]["out_of_scope_seen"])
    counted = street.stats["devices"].get(unit["address"], {})
    for counter in ("connections", "requests", "syns", "probes"):
        assert counted.get(counter, 0) == 0, counter


def test_without_raw_packets_macs_are_those_the_kernel_met(street):
    """A plain connection to a neighbour makes the kernel ask for its MAC; no sweep of ours does."""
    run = street.run("connect")
    (intake,) = run.intakes()
    assert dict(intake.options)["connect_only"] == "true"
    macs = {u["address"]: u["mac"] for u in street.truth["units"] if not u["foreign"]}
    seen = {o.address: o.mac for o in run.observations() if o.kind is Kind.NEIGHBOUR}
    assert {a: m for a, m in seen.items() if a in macs} == {a: macs[a] for a in seen if a in macs}
    told = [t for t in street.report("connect")["coverage"]["tests"] if t["test"] == "neighbours"]
    assert told  # it stands in the coverage whatever came of it


def test_canaries_are_asked_first_and_looked_after(street):
    run = street.run("canary")
    (intake,) = run.intakes()
    assert dict(intake.options)["canary"] == "2"
    asked = [
        o
        for o in run.observations()
        if o.job and not o.job.startswith("announce.") and o.job != "neighbours"
    ]
    began = {}
    for one in sorted(asked, key=lambda o: o.at):
        began.setdefault(one.device_id, parse_iso(one.at))
    _, second, third = list(began.values())[:3]
    assert third - second >= 4.0, "nothing waited for the canaries"
    assert len(began) > 5


# --- interrupted


INTERRUPT = (
    'exec "$PYTHON" tests/e2e/interrupted_scan.py SIGNAL "$RUNS/RUN" ' + SCAN + ' -o "$RUNS/RUN"'
)


@pytest.fixture(scope="session")
def killed(tmp_path_factory):
    script = INTERRUPT.replace("SIGNAL", str(int(signal.SIGKILL)))
    return whole(once(tmp_path_factory, "killed", lambda folder: lab(folder, SMALL, script)))


@pytest.fixture(scope="session")
def stopped(tmp_path_factory):
    script = INTERRUPT.replace("SIGNAL", str(int(signal.SIGINT)))
    return whole(once(tmp_path_factory, "stopped", lambda folder: lab(folder, SMALL, script)))


def exchanges(lines):
    """What was asked of devices. The sweep for neighbours is none: it is repeated for devices not done."""
    found = Counter()
    for line in lines:
        one = json.loads(line)
        job = one.get("job", "")
        if job and not job.startswith("announce.") and job != "neighbours":
            found[one["device_id"], one["kind"], one.get("port"), one.get("request"), job] += 1
    return found


def after(done):
    told = json.loads(done.out)
    assert told["running"], "the scan was over before the signal came"
    return told


@pytest.mark.parametrize("way", ["killed", "stopped"])
def test_an_interrupted_scan_is_finished_by_resume(request, way):
    done = request.getfixturevalue(way)
    told = after(done)
    assert told["resumed"] in (0, 2), told["resumed_err"][-3000:]
    assert_all_named(done)
    run = done.run()
    assert [i.id for i in run.intakes()] == ["0001-scan"]
    assert run.verify() == ()
    assert camscan("verify", done.path()).returncode == 0


@pytest.mark.parametrize("way", ["killed", "stopped"])
def test_what_was_written_stays_and_is_not_asked_again(request, way):
    done = request.getfixturevalue(way)
    told = after(done)
    kept = told["kept"].splitlines(keepends=True)
    kept = [line for line in kept if line.endswith("\n")]
    now = (
        (done.path() / "intakes/0001-scan/observations.ndjson")
        .read_text()
        .splitlines(keepends=True)
    )
    assert now[: len(kept)] == kept
    assert len(now) > len(kept)
    before, again = exchanges(kept), exchanges(now[len(kept) :])
    assert before
    assert {k for k in before if k in again} == set()


@pytest.mark.parametrize("way", ["killed", "stopped"])
def test_partial_results_are_visible(request, way):
    told = after(request.getfixturevalue(way))
    assert told["partial"] == 0, told["partial_devices"]
    assert told["partial_devices"] >= 1


def test_the_torn_line_is_dropped_and_said(killed):
    told = after(killed)
    assert "half-written lines were dropped" in told["resumed_err"]
    interrupted = killed.path("interrupted")
    assert camscan("verify", interrupted).returncode == 1  # not sealed: said, not hidden


def test_kill_9_is_no_exit_of_ours_and_ctrl_c_is_two(killed, stopped):
    assert after(killed)["code"] == -signal.SIGKILL
    told = after(stopped)
    assert told["code"] == 2, told["err"]
    assert "camscan scan --resume -o" in told["err"]
    assert "Traceback" not in told["err"]


# --- a town


def test_the_town_s_list_and_what_is_there_are_compared_both_ways(town):
    report = town.report()
    units = [u for u in town.truth["units"] if u["is_camera"]]
    listed = town.assets
    recorders = {u["asset"] for u in units if u["role"] == "recorder"}
    assert len([row for row in listed if row["id"] not in recorders]) == 140
    reachable = {u["asset"] for u in units if u["reachable"] and u["asset"]}
    coverage = report["coverage"]
    assert coverage["listed"] == len(listed)
    assert coverage["listed_found"] == len(reachable)
    delta = next(f for f in report["findings"] if f["condition"] == "inventory-delta")
    unlisted = {u["address"]: u["persona"] for u in units if u["reachable"] and not u["asset"]}
    assert len(unlisted) == 3
    there = {a for d in report["devices"] if d["listed_as"] is None for a in d["addresses"]}
    assert set(unlisted) <= there
    extra = {
        d.rsplit(" ", 1)[1] for d in delta["details"] if d.startswith("found, not in the list")
    }
    # of some no probe can tell that they are cameras; they are there, and not in the list
    assert extra >= {a for a, persona in unlisted.items() if persona not in SILENT}
    assert extra <= set(unlisted)
    missing = {
        d.split(": ")[1].split(" ")[0] for d in delta["details"] if d.startswith("in the list, ")
    }
    assert missing == {r["id"] for r in listed} - reachable
    only = {d["listed_as"] for d in report["devices"] if d["visibility"] == "asset list only"}
    (mobile,) = [r["id"] for r in listed if not r["address"] and not r["behind"]]
    assert mobile in only
    assert only == {r["id"] for r in listed} - reachable


def test_58_channels_behind_two_recorders_are_not_examined(town):
    report = town.report()
    recorders = town.units(persona="hikvision-recorder")
    assert len(recorders) == 2
    for unit in recorders:
        found = next(
            f for f in report["findings"] if f["id"] == f"hidden-cameras@{unit['address']}"
        )
        assert found["state"] == "observed"
        assert "29 channels were not examined" in found["statement"]
    assert any(line.startswith("58 channels") for line in report["coverage"]["not_examined"])


def test_an_unreachable_segment_is_not_examined_and_never_clean(town):
    report = town.report()
    cidr = town.truth["segments"]["depot"]["cidr"]
    assert town.truth["segments"]["depot"]["kind"] == "unreachable"
    assert [a for a in town.run().attempts() if a.device_id == cidr]
    (line,) = [s for s in report["coverage"]["segments"] if s.startswith(cidr)]
    assert "no route" in line or "not examined" in line, line
    depot = ipaddress.ip_network(cidr)
    ids = {
        d["device_id"]
        for d in report["devices"]
        if any(ipaddress.ip_address(a) in depot for a in d["addresses"])
    }
    assert len(ids) == 14  # those of the list, not looked at
    for found in report["findings"]:
        if found["subject"] in ids:
            assert found["state"] != "observed_not", found["id"]
    assert town.code == 2  # something in scope was not examined


def test_routed_segments_have_no_macs_and_say_so(town):
    report = town.report()
    for name in ("schools", "traffic"):
        network = ipaddress.ip_network(town.truth["segments"][name]["cidr"])
        devices = [
            d
            for d in report["devices"]
            if d["visibility"] == "direct"
            and any(ipaddress.ip_address(a) in network for a in d["addresses"])
        ]
        assert devices
        router = {u["mac"] for u in town.units(role="router")}
        assert not [d["device_id"] for d in devices if set(d["macs"]) & router]
        assert any(
            line.startswith(str(network)) and "routed" in line
            for line in report["coverage"]["segments"]
        )


def test_the_town_s_cameras_have_the_right_makers(town):
    found = named(town)
    wrong = {
        u["persona"]: (u["maker"], found.get(u["address"]))
        for u in town.truth["units"]
        if u["is_camera"]
        and u["reachable"]
        and u["maker"]
        and u["persona"] not in SILENT | {"ezviz-camera", "imou-camera"}
        and not u["shares_address"]
        and found.get(u["address"], (None, None)) != (True, u["maker"])
    }
    assert wrong == {}


def test_the_town_is_not_harmed(town):
    totals = town.stats["totals"]
    assert totals["max_handshakes"] <= 12
    assert totals["max_probes_per_second"] <= 40
    for counter in (
        "crashes",
        "bytes_to_denied",
        "credential_requests",
        "state_changing",
        "foreign_followed",
    ):
        assert totals[counter] == 0
    assert town.stats["wire"]["outside_plan"] == 0, town.stats["wire"]["outside_plan_examples"]


# --- as an ordinary user


def _moved(made, folder):
    """The results of an ordinary user's session, out of the folder that user could read."""
    shutil.copytree(made.folder, folder)
    made.folder = folder
    return made


def test_an_ordinary_user_scans_in_namespaces_of_their_own(tmp_path_factory, ordinary):
    def make(folder):
        place = (ordinary.folder or folder.parent) / "rootless"
        if ordinary.folder:
            place = _writable(place)
        made = lab(
            place,
            SMALL,
            f'id -u >"$RUNS/user"; exec {SCAN} -o "$RUNS/RUN" >/dev/null',
            mode="userns",
            python=ordinary.python,
            root=ordinary.root,
            prefix=ordinary.prefix,
        )
        return _moved(made, folder) if place != folder else made

    done = once(tmp_path_factory, "rootless", make)
    if "does not work here" in done.err:
        pytest.skip(done.err.strip().splitlines()[-1])
    whole(done)
    assert_all_named(done)
    assert done.run().verify() == ()
    assert done.stats["mode"] == "userns"
    assert done.stats["wire"]["outside_plan"] == 0
    macs = [d for d in done.report()["devices"] if d["macs"]]
    assert len(macs) >= 8  # raw packets work in a namespace of one's own


def test_loopback_mode_identifies_with_shifted_ports(tmp_path_factory, ordinary):
    def make(folder):
        place = (ordinary.folder or folder.parent) / "loopback"
        if ordinary.folder:
            place = _writable(place)
        made = lab(
            place,
            SMALL,
            f'echo "$CAMSCAN_LAB_PORT_OFFSET"; exec {SCAN} --connect -o "$RUNS/RUN" >"$RUNS/table.txt"',
            mode="loopback",
            mask=False,
            python=ordinary.python,
            root=ordinary.root,
            prefix=ordinary.prefix,
        )
        return _moved(made, folder) if place != folder else made

    done = whole(once(tmp_path_factory, "loopback", make))
    assert done.out.strip() == "20000"
    found = named(done)
    truth = {u["address"]: u["maker"] for u in done.truth["units"] if u["is_camera"]}
    right = [a for a, maker in truth.items() if found.get(a, (None, None))[1] == maker]
    # no group searches on loopback: what only they tell is not known
    assert len(right) >= len(truth) // 2
    ports = {o.port for o in done.run().observations() if o.kind is Kind.HTTP}
    assert ports
    assert all(port >= 1024 for port in ports)
    assert 20080 in ports
    assert done.stats["totals"]["credential_requests"] == 0


def _writable(place):
    """A folder that only the ordinary user writes into; made by root, owned by 1000."""
    import os

    place.mkdir()
    os.chown(place, 1000, 1000)
    return place
