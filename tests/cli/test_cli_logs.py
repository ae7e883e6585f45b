"""The same traffic as a capture, as Zeek's logs in both forms, and as Suricata's: the same findings."""

from __future__ import annotations

import gzip
import json

import pytest
import wire_messages as wire
import zstandard

from camscan.cli.main import run as camscan
from camscan.clock import iso

T = 1_793_000_000.0
NETWORKS = """
[[network]]
id = "own-cn"
name = "Emulated hosting"
prefixes = ["203.0.113.0/24"]
registry_country = "CN"
parent_country = "CN"
owner_supplied = true
source = "declared by the owner of the emulated network"
as_of = "2026-11-01"
"""
SHOWN, QUIC, UPLOAD, BARE, BROKER, CLOCK = (f"203.0.113.{n}" for n in (7, 8, 9, 10, 11, 12))
DER = wire.certificate("api.easy4ipcloud.com", "www.easy4ipcloud.com")
LEASE = bytes((1, 1, 6, 0)) + bytes(24) + bytes.fromhex(wire.CAMERA_MAC.replace(":", "")) + bytes(202) + b"\x63\x82\x53\x63\x35\x01\x03\x0c\x06camera\x3c\x05AXIS,\xff"  # fmt: skip
MQTT = bytes.fromhex("101300044d5154540402003c000763616d2d303031")


def packets():
    """(packet, of the camera) in order of time."""
    camera, router = wire.CAMERA, wire.RESOLVER
    yield wire.datagram(LEASE, at=T, src=camera, sport=68, dst=router, dport=67)
    ask = wire.datagram(wire.dns_query("p2p.amcrestview.com"), at=T + 1, dst=router, dport=53)
    yield ask
    yield wire.back(ask, wire.dns_answer("p2p.amcrestview.com", ("A", BARE)))._replace(src=router)
    yield wire.datagram(wire.dns_query("never.easy4ip.com"), at=T + 2, dst=router, dport=53)
    yield wire.datagram(b"x" * 100, at=T + 3, sport=5001, dst=BARE, dport=19000)
    yield wire.datagram(b"x" * 100, at=T + 4, sport=5002, dst="203.0.113.99", dport=19001)
    for n, segment in enumerate(wire.segments(wire.records(wire.hello("")), sport=5003, dst=SHOWN)):
        yield segment._replace(at=T + 5 + n)
        for back in wire.segments(wire.server_flight(DER), src=SHOWN, sport=443, dst=camera, dport=5003):  # fmt: skip
            yield back._replace(at=T + 6)
    yield from (s._replace(at=T + 7) for s in wire.segments(wire.records(wire.hello("dev.hik-connect.com")), sport=5004, dst="203.0.113.20"))  # fmt: skip
    yield wire.datagram(wire.quic_initial([(0, wire.hello("cloud.example.net"))], bytes(8)), at=T + 8, sport=5005, dst=QUIC)  # fmt: skip
    yield from (s._replace(at=T + 9) for s in wire.segments(b"POST /up HTTP/1.1\r\nHost: caps.xmcsrv.net\r\n\r\n", sport=5006, dst=UPLOAD, dport=80))  # fmt: skip
    yield from (s._replace(at=T + 10) for s in wire.segments(MQTT, sport=5007, dst=BROKER, dport=1883))  # fmt: skip
    yield wire.datagram(b"\x23" + bytes(47), at=T + 11, sport=123, dst=CLOCK, dport=123)


FLOWS = [
    ("udp", 40000, wire.RESOLVER, 53, 1, 2), ("udp", 5001, BARE, 19000, 1, 0), ("udp", 5002, "203.0.113.99", 19001, 1, 0),
    ("tcp", 5003, SHOWN, 443, 1, 1), ("tcp", 5004, "203.0.113.20", 443, 1, 0), ("udp", 5005, QUIC, 443, 1, 0),
    ("tcp", 5006, UPLOAD, 80, 1, 0), ("tcp", 5007, BROKER, 1883, 1, 0), ("udp", 123, CLOCK, 123, 1, 0),
    ("udp", 68, wire.RESOLVER, 67, 1, 0),
]  # fmt: skip
NAMES = [(QUIC, "quic", "cloud.example.net"), ("203.0.113.20", "tls", "dev.hik-connect.com")]


def zeek():
    """Log -> records."""
    base = {"id.orig_h": wire.CAMERA, "ts": T + 1}

    def to(server, port, **more):
        return {**base, "id.resp_h": server, "id.resp_p": port, **more}

    yield "conn", [to(h, p, **{"id.orig_p": s, "proto": t, "duration": 1.0, "conn_state": "SF", "orig_pkts": a, "orig_ip_bytes": 140 * a, "resp_pkts": b, "resp_ip_bytes": 140 * b, "orig_l2_addr": wire.CAMERA_MAC}) for t, s, h, p, a, b in FLOWS]  # fmt: skip
    yield "dns", [to(wire.RESOLVER, 53, query="p2p.amcrestview.com", qtype_name="A", answers=[BARE]), to(wire.RESOLVER, 53, query="never.easy4ip.com", qtype_name="A")]  # fmt: skip
    yield "ssl", [to(SHOWN, 443, version="TLSv12", cipher="x", cert_chain_fps=["aa", "bb"]), to("203.0.113.20", 443, version="TLSv13", cipher="x", server_name="dev.hik-connect.com"), to(QUIC, 443, version="TLSv13", cipher="x", server_name="cloud.example.net")]  # fmt: skip
    yield "x509", [{"ts": T, "fingerprint": "aa", "certificate.subject": "CN=api.easy4ipcloud.com", "san.dns": ["api.easy4ipcloud.com", "www.easy4ipcloud.com"]}]  # fmt: skip
    yield (
        "quic",
        [to(QUIC, 443, version="1", server_name="cloud.example.net", client_protocol="h3")],
    )
    yield "http", [to(UPLOAD, 80, method="POST", host="caps.xmcsrv.net")]
    yield "dhcp", [{"ts": T, "client_addr": wire.CAMERA, "mac": wire.CAMERA_MAC, "host_name": "camera", "client_software": "AXIS,"}]  # fmt: skip
    yield "mqtt_connect", [to(BROKER, 1883, proto_name="MQTT", client_id="cam-001")]
    yield "ntp", [to(CLOCK, 123, version=4)]


def suricata():
    at = iso(T + 1).replace("Z", "000+0000")
    base = {"timestamp": at, "src_ip": wire.CAMERA, "ether": {"src_mac": wire.CAMERA_MAC}}

    def to(kind, server, port, **more):
        return {**base, "event_type": kind, "dest_ip": server, "dest_port": port, **more}

    for t, s, h, p, a, b in FLOWS:
        yield to("flow", h, p, proto=t.upper(), src_port=s, flow={"pkts_toserver": a, "pkts_toclient": b, "bytes_toserver": 154 * a, "bytes_toclient": 154 * b, "start": at, "end": at})  # fmt: skip
    yield to("dns", wire.RESOLVER, 53, dns={"type": "answer", "rrname": "p2p.amcrestview.com", "answers": [{"rrtype": "A", "rdata": BARE}]})  # fmt: skip
    yield to("dns", wire.RESOLVER, 53, dns={"type": "query", "rrname": "never.easy4ip.com", "rrtype": "A"})  # fmt: skip
    yield to("tls", SHOWN, 443, tls={"subject": "CN=api.easy4ipcloud.com", "subjectaltname": ["api.easy4ipcloud.com", "www.easy4ipcloud.com"], "fingerprint": "aa"})  # fmt: skip
    yield to("tls", "203.0.113.20", 443, tls={"sni": "dev.hik-connect.com"})
    yield to("quic", QUIC, 443, quic={"sni": "cloud.example.net"})
    yield to("http", UPLOAD, 80, http={"hostname": "caps.xmcsrv.net", "http_method": "POST"})
    yield to("mqtt", BROKER, 1883, mqtt={"connect": {"client_id": "cam-001"}})
    yield to("dhcp", wire.RESOLVER, 67, dhcp={"type": "request", "client_mac": wire.CAMERA_MAC, "assigned_ip": wire.CAMERA, "hostname": "camera", "vendor_class_identifier": "AXIS,"})  # fmt: skip


def write_capture(folder):
    wire.write_pcap(folder / "x.pcap", packets())
    return ["traffic", str(folder / "x.pcap"), "-o", str(folder / "run"), "--quiet"]


def write_zeek_json(folder, *, pack=False):
    for name, records in zeek():
        data = "".join(json.dumps({"_path": name, **r}) + "\n" for r in records).encode()
        (folder / f"{name}.json{'.zst' if pack else ''}").write_bytes(zstandard.compress(data) if pack else data)  # fmt: skip
    return ["ingest", str(folder / "run"), *map(str, sorted(folder.glob("*.json*")))]


def write_zeek_tsv(folder):
    for name, records in zeek():
        columns = list(dict.fromkeys(key for r in records for key in r))
        lines = ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{name}", "#fields\t" + "\t".join(columns)]  # fmt: skip
        for record in records:
            cells = [record.get(c, "-") for c in columns]
            lines.append("\t".join(",".join(c) if isinstance(c, list) else str(c) for c in cells))
        (folder / f"{name}.log.gz").write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return ["ingest", str(folder / "run"), *map(str, sorted(folder.glob("*.log.gz")))]


def write_suricata(folder, *, pack=False):
    data = "".join(json.dumps(r) + "\n" for r in suricata()).encode()
    path = folder / f"eve.json{'.gz' if pack else ''}"
    path.write_bytes(gzip.compress(data) if pack else data)
    return ["ingest", str(folder / "run"), str(path)]


def report(tmp_path, name, write, **options):
    folder = tmp_path / name
    folder.mkdir()
    networks = folder / "networks.toml"
    networks.write_text(NETWORKS)
    assert camscan([*write(folder, **options), "--networks", str(networks)]) == 0
    out = folder / "report.json"
    assert camscan(["report", str(folder / "run"), "-f", "json", "-o", str(out)]) == 0
    return json.loads(out.read_text())


def test_explain_names_the_log_and_no_filter_for_packets(tmp_path, capsys):
    report(tmp_path, "logs", write_suricata)
    capsys.readouterr()
    run = tmp_path / "logs" / "run"
    assert camscan(["explain", str(run), f"egress-observed@{wire.CAMERA}"]) == 0
    out = capsys.readouterr().out
    assert "0001-ingest, in eve.json (sha256 " in out
    assert f"{wire.CAMERA} with {SHOWN} tcp 443" in out
    assert "tcpdump" not in out


def findings(document):
    return {(f["condition"], f["subject"], f["state"]) for f in document["findings"]}


def endpoints(document):
    return {(e["name"], e["address"], e["port"], tuple(e["marks"])) for e in document["endpoints"]}


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    return report(tmp_path_factory.mktemp("capture"), "capture", write_capture)


@pytest.mark.parametrize(
    ("write", "options"),
    [(write_zeek_tsv, {}), (write_zeek_json, {"pack": True}), (write_suricata, {"pack": True})],
)  # fmt: skip
def test_logs_give_the_findings_of_the_capture(tmp_path, captured, write, options):
    logs = report(tmp_path, "logs", write, **options)
    assert endpoints(logs) == endpoints(captured)
    assert len(endpoints(logs)) >= 8
    assert findings(logs) == findings(captured)
    (camera,) = (d for d in logs["devices"] if wire.CAMERA in d["addresses"])
    assert wire.CAMERA_MAC in camera["macs"]
