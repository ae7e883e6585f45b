"""camscan traffic: from packets to lines, run, findings and reports; and never a secret or a picture."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import wire_messages as wire
from programs import program

from camscan import assessments
from camscan.cli.main import run as camscan
from camscan.clock import iso
from camscan.journal import read_observations
from camscan.model.claim import Attribute, Mark
from camscan.model.observation import Kind

T = 1_793_000_000.0
CLOUD = "www.easy4ipcloud.com"
NETWORKS = """
[[network]]
id = "own-cn"
name = "Emulated hosting, registered in mainland China"
prefixes = ["203.0.113.0/24"]
registry_country = "CN"
located_country = "CN"
parent = "Emulated group"
parent_country = "CN"
owner_supplied = true
source = "declared by the owner of the emulated network"
as_of = "2026-11-01"
"""
SECRETS = (
    b"S3cretPassw0rd", b"VTNjcmV0OnBhc3M=", b"tok3nInTheQuery", b"digestOfPassword", b"JPEGPICTUREBYTES", b"ftpPassw0rd",
    b"c00kieOfAPage", b"typedInAForm", b"clip-of-the-night", b"0123456789abcdef0123456789abcdef", b"ScriptedSecret",
)  # fmt: skip


def conversation():
    ask = wire.datagram(wire.dns_query(CLOUD), at=T, dst=wire.RESOLVER, dport=53)
    yield ask
    yield wire.back(ask, wire.dns_answer(CLOUD, ("A", wire.SERVER)))
    login = b"DHGET /online/p2psrv/7C0123456ABCDEF HTTP/1.1\r\nX-WSSE: UsernameToken PasswordDigest=digestOfPassword\r\n\r\n"
    first = wire.datagram(login, at=T + 1, dport=8800)
    yield first
    yield wire.back(first, b"HTTP/1.1 200 OK\r\nWWW-Authenticate: WSSE realm=huashi\r\n\r\n")
    alive = b"GET /heartbeat/device/7C0123456ABCDEF HTTP/1.1\r\n\r\n"
    yield wire.datagram(alive, at=T + 2, dport=8802)
    yield from wire.segments(
        wire.records(wire.hello("*.example.com", pad=1700)), at=T + 3, dst="203.0.113.8"
    )
    yield wire.datagram(wire.dns_query("logs.av380.net"), at=T + 4, dst=wire.RESOLVER, dport=53)
    yield wire.datagram(bytes(200), at=T + 5, dst="203.0.113.99", dport=6000)


def page(title: bytes, head: bytes = b"", body: bytes = b"") -> bytes:
    return b"<html><head>%s<title>%s</title></head><body>%s</body></html>" % (head, title, body)


def pages():
    """Pages of the camera, with secrets and pictures before, in and behind their titles."""
    behind = (
        b"<form><input name=note value=typedInAForm></form><a href=/rec/clip-of-the-night.mp4>clip</a>"
        b"<img src='data:image/jpeg;base64,JPEGPICTUREBYTES'>\xff\xd8\xff\xe0JPEGPICTUREBYTES"
    )
    before = b"<script>var psk='ScriptedSecret';</script><meta name=csrf content=0123456789abcdef0123456789abcdef>"
    for n, html in enumerate((
        page(b"NETSurveillance WEB", before, behind),
        page(b"/rec/clip-of-the-night.mp4?token=tok3nInTheQuery", body=behind),
        page(b"Session 0123456789abcdef0123456789abcdef", before),
        page(b"rtsp://admin:S3cretPassw0rd@10.20.0.9/", body=behind),
        page(b"clip-of-the-night.mp4"),
        page(b"Camera 2 password=S3cretPassw0rd"),
    )):  # fmt: skip
        packed = gzip.compress(html)
        parts = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (20, packed[:20], len(packed) - 20, packed[20:])  # fmt: skip
        head = b"HTTP/1.1 200 OK\r\nServer: App-webs/\r\nSet-Cookie: s=c00kieOfAPage\r\nContent-Type: text/html\r\n"
        for m, (more, body) in enumerate((
            (b"Content-Length: %d\r\n" % len(html), html),
            (b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", parts),
        )):  # fmt: skip
            yield from wire.segments(
                head + more + b"\r\n" + body, at=T + 50 + n, size=90,
                src=wire.CAMERA, sport=80, dst="10.20.0.50", dport=52100 + 2 * n + m,
            )  # fmt: skip


def leaks():
    """Logins and pictures in every protocol that is read."""
    texts = (
        (80, b"GET /snap?token=tok3nInTheQuery HTTP/1.1\r\nHost: user:S3cretPassw0rd@up.example.com\r\nAuthorization: Basic VTNjcmV0OnBhc3M=\r\n\r\n"),
        (80, b"POST /up HTTP/1.1\r\nHost: up.example.com\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0JPEGPICTUREBYTES"),
        (554, b"ANNOUNCE rtsp://admin:S3cretPassw0rd@push.example.com/live RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        (21, b"PASS ftpPassw0rd\r\n"),
        (21, b"STOR /cam/ftpPassw0rd.jpg\r\n"),
        (1883, bytes.fromhex("102c00044d51545404c2003c000763616d2d303031") + b"\x00\x04user\x00\x0eS3cretPassw0rd"),
    )  # fmt: skip
    for n, (port, text) in enumerate(texts):
        yield from wire.segments(text, at=T + 20 + n, sport=41000 + n, dport=port)
    answer = b"HTTP/1.1 200 OK\r\nServer: App-webs/\r\nSet-Cookie: s=tok3nInTheQuery\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0JPEGPICTUREBYTES"
    yield from wire.segments(
        answer, at=T + 40, src=wire.CAMERA, sport=80, dst="10.20.0.50", dport=52000
    )


@pytest.fixture
def taken(tmp_path, capsys):
    """(lines, run folder) of a capture read with the owner's network table."""
    capture, networks, out = tmp_path / "c.pcap", tmp_path / "networks.toml", tmp_path / "run"
    wire.write_pcap(capture, conversation())
    networks.write_text(NETWORKS)
    code = camscan(["traffic", str(capture), "-o", str(out), "--json", "--networks", str(networks), "--phase", "power-cycle"])  # fmt: skip
    assert code == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()], out


def test_the_lines_have_the_keys_of_the_design(taken):
    lines, _ = taken
    names = [n for n in lines if n["type"] == "name"]
    assert {(n["client"], n["proto"], n["name"]) for n in names} == {
        (wire.CAMERA, "dns", CLOUD),
        (wire.CAMERA, "dns", "logs.av380.net"),
        (wire.CAMERA, "tls", "*.example.com"),
    }
    for name in names:
        assert {"client_mac", "first", "last", "count"} <= set(name)
    (p2p,) = [f for f in lines if f["type"] == "flow" and f["port"] == 8800]
    assert (p2p["names"], p2p["service"], p2p["transport"]) == ([CLOUD], "dahua-p2p", "udp")
    assert (p2p["registry_country"], p2p["network_parent_country"], p2p["service_operator"]) == ("CN", "CN", "dahua")  # fmt: skip
    assert p2p["bytes_up"] > 0 < p2p["bytes_down"]


def test_marks_are_kept_apart(taken):
    assessment = assessments.read(taken[1])
    marks = {(e.name, e.address, e.port): e.marks for e in assessment.endpoints}
    assert marks[CLOUD, wire.SERVER, 8800] == (Mark.NAMED, Mark.CONTACTED)
    assert marks["logs.av380.net", None, None] == (Mark.NAMED,)
    assert marks[None, "203.0.113.99", 6000] == (Mark.CONTACTED,)


def test_the_device_is_known_by_what_it_used_and_judged_by_its_path(taken):
    assessment = assessments.read(taken[1])
    (camera,) = [d for d in assessment.devices if d.device_id == wire.CAMERA]
    assert camera.is_camera is True
    assert camera.value(Attribute.P2P_ID) == "7C0123456ABCDEF"
    assert camera.macs == (wire.CAMERA_MAC,)
    (interval,) = [f for f in dict(assessment.factors)[wire.CAMERA] if f.factor == "D"]
    assert (interval.lower, interval.upper) == (3, 4)
    found = {f.condition: f for f in assessment.findings if f.subject == wire.CAMERA}
    assert found["endpoint-located-cn"].state.value == "observed"
    assert "exchanged" in found["endpoint-located-cn"].statement
    assert found["egress-observed"].level.value == "E3"
    assert found["media-egress"].reason.value == "window-too-short"
    assert "china" not in found["egress-observed"].statement.lower()


def test_the_run_holds_records_and_no_packets(taken):
    kinds = {o.kind for o in read_observations(taken[1], "0001-traffic")}
    assert {Kind.NAME, Kind.FLOW, Kind.SERVICE, Kind.CAPTURE} <= kinds
    (intake,) = [json.loads(p.read_text()) for p in taken[1].glob("intakes/*/intake.json")]
    assert (intake["kind"], intake["inputs"][0]["name"]) == ("traffic", "c.pcap")
    assert ["phase", "power-cycle"] in intake["options"]
    assert camscan(["verify", str(taken[1])]) == 0


def test_explain_walks_from_the_path_to_the_stored_record(taken, capsys):
    capsys.readouterr()
    assert camscan(["explain", str(taken[1]), f"egress-observed@{wire.CAMERA}"]) == 0
    out = capsys.readouterr().out
    assert f"endpoint {CLOUD} {wire.SERVER} udp 8800: named, contacted" in out
    assert "observation 0001-traffic:" in out
    assert f"{wire.CAMERA} spoke dahua-p2p" in out
    (intake,) = [json.loads(p.read_text()) for p in taken[1].glob("intakes/*/intake.json")]
    assert f"0001-traffic, in c.pcap (sha256 {intake['inputs'][0]['sha256']})" in out


@pytest.mark.needs("tcpdump")
def test_explain_leads_to_the_very_packets(taken, tmp_path, capsys):
    capsys.readouterr()
    assert camscan(["explain", str(taken[1]), f"egress-observed@{wire.CAMERA}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    compared = 0
    for line, after in itertools.pairwise(lines):
        counts = re.search(r": flow: .* in (\d+) packets sent, .* in (\d+) packets received", line)
        if counts is None:
            continue
        command = shlex.split(
            next(x for x in lines[lines.index(after) :] if "to see it" in x).partition(": ")[2]
        )
        assert command[:3] == ["tcpdump", "-nr", "FILE"]
        shown = subprocess.run(
            [program("tcpdump"), "-nr", str(tmp_path / "c.pcap"), *command[3:]],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert len(shown.stdout.splitlines()) == int(counts[1]) + int(counts[2])
        compared += 1
    assert compared >= 2


@pytest.mark.parametrize("form", ["html", "markdown", "json", "csv", "table"])
def test_every_report_can_be_written(taken, form, capsys):
    capsys.readouterr()
    assert camscan(["report", str(taken[1]), "-f", form]) == 0
    out = capsys.readouterr().out
    if form in {"html", "markdown"}:
        assert "Named, and no party contacted" in out
        assert "without a name" in out
    if form == "html":
        assert '<svg class="traffic"' in out
    paths = next(taken[1].glob("assessments/*/paths.csv"))
    rows = list(csv.DictReader(paths.read_text().splitlines()))
    assert {r["destination"] for r in rows} >= {CLOUD, "logs.av380.net"}


def test_no_login_and_no_picture_is_kept_anywhere(tmp_path, capsys):
    capture, out = tmp_path / "c.pcap", tmp_path / "run"
    wire.write_pcap(capture, (*conversation(), *leaks(), *pages()))
    assert camscan(["traffic", str(capture), "-o", str(out), "--json"]) == 0
    printed = capsys.readouterr().out
    for form in ("html", "markdown", "json", "csv"):
        assert camscan(["report", str(out), "-f", form, "-o", str(tmp_path / f"r.{form}")]) == 0
    whole = printed.encode() + b"".join(
        p.read_bytes() for p in Path(tmp_path).rglob("*") if p.is_file() and p != capture
    )
    assert b"up.example.com" in whole  # the conversations were read
    assert b"push.example.com" in whole
    assert b"App-webs" in whole
    assert b"<title>NETSurveillance WEB</title>" in whole
    assert b"<title>Camera 2 <cut:query:" in whole
    assert [s for s in SECRETS if s in whole] == []


def test_a_capture_that_is_none_is_two_and_one_that_is_missing_too(tmp_path, capsys):
    text = tmp_path / "notes.txt"
    text.write_text("not a capture" * 10)
    assert camscan(["traffic", str(text), "-o", str(tmp_path / "a")]) == 2
    said = capsys.readouterr()
    assert said.err.count(str(text)) == 1
    why = "no pcap or pcapng (first bytes 6e6f742061206361)"
    assert f"did not finish: traffic {text}: {why}" in said.out
    assert camscan(["traffic", str(tmp_path / "none.pcap"), "-o", str(tmp_path / "b")]) == 2
    assert camscan(["traffic"]) == 3


def test_a_capture_cut_short_says_so_and_keeps_what_was_there(tmp_path, capsys):
    capture, out = tmp_path / "c.pcap", tmp_path / "run"
    wire.write_pcap(capture, conversation())
    capture.write_bytes(capture.read_bytes()[:-30])
    assert camscan(["traffic", str(capture), "-o", str(out), "--json"]) == 2
    said = capsys.readouterr()
    assert CLOUD in said.out
    assert "not examined" in said.err
    assert assessments.read(out).coverage.incomplete


def test_logs_of_other_tools_give_the_findings_of_the_capture(taken, tmp_path):
    base = {"ts": T, "id.orig_h": wire.CAMERA, "id.orig_p": 40000, "orig_l2_addr": wire.CAMERA_MAC}
    conn = {**base, "id.resp_h": wire.SERVER, "id.resp_p": 8800, "proto": "udp", "duration": 9.0, "conn_state": "SF", "orig_pkts": 4, "orig_ip_bytes": 9000, "resp_pkts": 2, "resp_ip_bytes": 500}  # fmt: skip
    dns = {**base, "id.resp_h": wire.RESOLVER, "id.resp_p": 53, "query": CLOUD, "qtype_name": "A", "answers": [wire.SERVER]}  # fmt: skip
    for name, line in (("conn.log", conn), ("dns.log", dns)):
        (tmp_path / name).write_text(json.dumps(line) + "\n")
    out = tmp_path / "logs"
    assert camscan(["ingest", str(out), str(tmp_path / "conn.log"), str(tmp_path / "dns.log"), "--networks", str(tmp_path / "networks.toml")]) == 0  # fmt: skip
    (end,) = assessments.read(out).endpoints
    (same,) = [e for e in assessments.read(taken[1]).endpoints if e.port == 8800]
    for field in ("device_id", "name", "address", "marks", "service_operator", "registry_country", "network_parent_country"):  # fmt: skip
        assert getattr(end, field) == getattr(same, field)
    lines = assessments.read(out).coverage.not_examined
    assert any("totals only" in line for line in lines)
    assert not any(line.startswith("data path") for line in lines)


def test_hostile_names_do_nothing_in_any_report(tmp_path, capsys):
    hostile = (
        "<script>alert(1)</script>.example.com",
        "=cmd()",
        "a\u202eb.example.com",
        "*.example.com",
    )
    packets = []
    for n, name in enumerate(hostile):
        text = f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
        packets += wire.segments(
            text, at=T + n, sport=42000 + n, dport=80, dst=f"203.0.113.{n + 20}"
        )
    capture, out = tmp_path / "c.pcap", tmp_path / "run"
    wire.write_pcap(capture, packets)
    assert camscan(["traffic", str(capture), "-o", str(out), "--json"]) == 0
    assert "\u202e" not in capsys.readouterr().out
    for form in ("html", "markdown", "json", "csv"):
        assert camscan(["report", str(out), "-f", form]) == 0
        text = capsys.readouterr().out
        assert "\u202e" not in text
        assert form not in {"html", "markdown"} or "<script>alert" not in text
    cells = [c for row in csv.reader(next(out.glob("assessments/*/paths.csv")).read_text().splitlines()) for c in row]  # fmt: skip
    assert "'=cmd()" in cells
    assert not [c for c in cells if c.startswith(("=", "+", "@"))]


@pytest.mark.parametrize("look", [["--check"], ["--duration", "3s"]])
def test_an_interface_that_is_not_there_is_wrong_use(look, tmp_path, capsys):
    run = tmp_path / "run"
    out = [] if look == ["--check"] else ["-o", str(run)]
    assert camscan(["traffic", "--interface", "absent0", *look, *out]) == 3
    assert "no interface absent0 here; there are: " in capsys.readouterr().err
    assert not run.exists()


def test_lines_of_a_capture_need_no_judge(tmp_path):
    """The process that prints them reads no packets, judges nothing, and loads neither."""
    wire.write_pcap(
        tmp_path / "x.pcap", [wire.datagram(wire.dns_query("cam.example.com"), dport=53)]
    )
    code = (
        "import sys; from camscan.cli.main import run; code = run(['traffic', sys.argv[1], '--json']);"
        "print(code, [m for m in sys.modules if m in ('camscan.audit', 'camscan.judge', 'camscan.knowledge_build',"
        "'email', 'importlib.metadata', 'maxminddb', 'numpy', 're2', 'tomllib')])"
    )
    for _ in range(2):  # the first fills the cache of signatures
        result = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "x.pcap")],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
    *lines, last = result.stdout.splitlines()
    assert last == "0 []"
    assert [json.loads(line)["type"] for line in lines] == ["name", "flow"]


def test_a_retention_without_keeping_is_wrong_use(tmp_path, capsys):
    wire.write_pcap(tmp_path / "c.pcap", conversation())
    assert camscan(["traffic", str(tmp_path / "c.pcap"), "--retention", "3"]) == 3
    assert "--retention belongs to --keep" in capsys.readouterr().err


def test_contacts_are_told_per_phase(tmp_path, capsys):
    capture, networks, out = tmp_path / "c.pcap", tmp_path / "networks.toml", tmp_path / "run"
    wire.write_pcap(capture, conversation())
    networks.write_text(NETWORKS)
    spans = {
        "boot": (T - 1, T + 2.5),
        "idle": (T + 2.6, T + 2.9),
        "live view": (T + 3, T + 9),
        "update": (T + 900, T + 990),
    }
    phases = [f"--phase={name}={iso(a)}/{iso(b)}" for name, (a, b) in spans.items()]
    arguments = ["-o", str(out), "--networks", str(networks), *phases]
    assert camscan(["traffic", str(capture), *arguments]) == 0
    met = {(e.address, e.port): e.phases for e in assessments.read(out).endpoints if e.packets}
    assert met[wire.SERVER, 8800] == ("boot",)
    assert met["203.0.113.99", 6000] == ("live view",)
    paths = list(csv.DictReader(next(out.glob("assessments/*/paths.csv")).read_text().splitlines()))
    assert {r["phases"] for r in paths if r["address"] == "203.0.113.8"} == {"live view"}
    page = next(out.glob("assessments/*/report.html")).read_text()
    assert f"<dt>boot</dt><dd>{CLOUD}</dd>" in page
    assert "<dt>idle</dt><dd>none seen</dd>" in page
    assert "<dt>update</dt>" not in page
    assert "phase update: the capture holds nothing of its time" in page
    capsys.readouterr()
