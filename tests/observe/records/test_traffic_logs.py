"""Zeek and Suricata logs give the records a capture gives; other lines are counted, never guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camscan.observe.records import suricata, zeek
from camscan.observe.records.traffic_log import TrafficLog

CAMERA, SERVER, CLOUD = "10.20.0.9", "203.0.113.7", "www.easy4ipcloud.com"
T = 1_793_000_000.0


def tsv(path, fields, *rows):
    head = [
        "#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{path}",
        "#fields\t" + "\t".join(fields), "#types\t" + "\t".join(["string"] * len(fields)),
    ]  # fmt: skip
    return [f"{line}\n".encode() for line in (*head, *("\t".join(row) for row in rows))]


CONN = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "duration", "orig_bytes", "resp_bytes", "conn_state", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "orig_l2_addr")  # fmt: skip
CONN_ROW = (str(T), "C1", CAMERA, "40000", SERVER, "8800", "udp", "60.0", "100", "50", "SF", "4", "212", "2", "106", "9c:8e:cd:11:22:33")  # fmt: skip


def zeek_tsv():
    yield "conn.log", tsv("conn", CONN, CONN_ROW, CONN_ROW)
    yield "dns.log", tsv("dns", ("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "query", "qtype_name", "answers"), (str(T), CAMERA, "5000", "10.20.0.1", "53", "udp", CLOUD, "A", f"a.example.net,{SERVER}"))  # fmt: skip
    yield "ssl.log", tsv("ssl", ("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "version", "cipher", "server_name"), (str(T), CAMERA, "5001", SERVER, "443", "TLSv13", "x", "dev.example.com"))  # fmt: skip
    yield "http.log", tsv("http", ("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "method", "host"), (str(T), CAMERA, "5002", SERVER, "80", "GET", "user:secret@up.example.com:8080"))  # fmt: skip


def zeek_json():
    base = {"ts": T, "id.orig_h": CAMERA, "id.orig_p": 40000, "id.resp_h": SERVER}
    conn = {**base, "id.resp_p": 8800, "proto": "udp", "duration": 60.0, "conn_state": "SF", "orig_pkts": 4, "orig_ip_bytes": 212, "resp_pkts": 2, "resp_ip_bytes": 106, "orig_l2_addr": "9c:8e:cd:11:22:33"}  # fmt: skip
    yield "conn.json", [conn, conn]
    yield "b.json", [{**base, "id.resp_h": "10.20.0.1", "id.resp_p": 53, "query": CLOUD, "qtype_name": "A", "answers": ["a.example.net", SERVER]}]  # fmt: skip
    yield "c.json", [{**base, "id.resp_p": 443, "cipher": "x", "server_name": "dev.example.com"}]
    yield (
        "d.json",
        [{**base, "id.resp_p": 80, "method": "GET", "host": "user:secret@up.example.com:8080"}],
    )


def check(captured, bytes_up):
    (flow,) = captured.flows
    assert (flow.client, flow.remote, flow.port, flow.transport) == (CAMERA, SERVER, 8800, "udp")
    assert (flow.bytes_up, flow.packets_up, flow.client_mac) == (bytes_up, 8, "9c:8e:cd:11:22:33")
    assert flow.last == flow.first + 60
    names = {(n.proto, n.name): n for n in captured.names}
    assert set(names) == {("dns", CLOUD), ("tls", "dev.example.com"), ("http", "up.example.com")}
    assert names["dns", CLOUD].answers == (SERVER,)
    assert names["dns", CLOUD].aliases == ("a.example.net",)
    assert captured.summary.dns_visible
    assert captured.summary.media_judged is False
    assert "secret" not in str(captured)


def test_zeek_tsv_and_json_give_the_same_records():
    for form in (zeek_tsv, zeek_json):
        log = TrafficLog("Zeek")
        for name, lines in form():
            raw = lines if form is zeek_tsv else [json.dumps(line).encode() for line in lines]
            assert zeek.looks_like(b"\n".join(raw))
            zeek.read(raw, name, log)
        check(log.done(), 424)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_suricata_gives_them_too(version):
    base = {"timestamp": "2026-10-26T07:33:20.000000+0000", "src_ip": CAMERA, "src_port": 40000, "dest_ip": SERVER, "proto": "UDP", "ether": {"src_mac": "9c:8e:cd:11:22:33"}}  # fmt: skip
    flow = {**base, "event_type": "flow", "dest_port": 8800, "flow": {"pkts_toserver": 4, "pkts_toclient": 2, "bytes_toserver": 250, "bytes_toclient": 130, "start": "2026-10-26T07:33:20.000000+0000", "end": "2026-10-26T07:34:20.000000+0000"}}  # fmt: skip
    dns = {
        1: {"type": "answer", "rrname": CLOUD, "rrtype": "A", "rdata": SERVER},
        2: {"type": "answer", "rrname": CLOUD, "grouped": {"A": [SERVER], "CNAME": ["a.example.net"]}},
        3: {"type": "response", "queries": [{"rrname": CLOUD}], "answers": [{"rrtype": "CNAME", "rdata": "a.example.net"}, {"rrtype": "A", "rdata": SERVER}]},
    }  # fmt: skip
    lines = [
        flow,
        flow,
        {**base, "event_type": "dns", "dest_ip": "10.20.0.1", "dest_port": 53, "dns": dns[version]},
        {**base, "event_type": "dns", "dest_ip": "10.20.0.1", "dest_port": 53, "dns": dns[2]},
        {**base, "event_type": "tls", "dest_port": 443, "tls": {"sni": "dev.example.com"}},
        {**base, "event_type": "http", "dest_port": 80, "http": {"hostname": "user:secret@up.example.com"}},
        {**base, "event_type": "alert", "alert": {"signature": "x"}},
        {**base, "event_type": "stats", "stats": {"capture": {"kernel_drops": 3}}},
    ]  # fmt: skip
    raw = [json.dumps(line).encode() for line in lines]
    assert suricata.looks_like(raw[0])
    log = TrafficLog("Suricata")
    suricata.read([*raw, b"{broken", b""], log)
    captured = log.done()
    check(captured, 500)
    assert captured.summary.lost == 3
    assert dict(captured.summary.not_examined) == {"log lines of other kinds (alert)": 1, "log lines that cannot be read": 1}  # fmt: skip


def test_lines_without_addresses_and_beyond_the_limit_are_counted(monkeypatch):
    monkeypatch.setattr("camscan.observe.records.traffic_log.MAX_FLOWS", 2)
    log = TrafficLog("Zeek")
    rows = [{"ts": T, "id.orig_h": CAMERA, "id.resp_h": f"203.0.113.{n}", "id.resp_p": 1, "proto": "tcp", "conn_state": "SF"} for n in range(5)]  # fmt: skip
    rows.append({"ts": T, "id.orig_h": "x", "id.resp_h": "y", "id.resp_p": 1, "conn_state": "SF"})
    zeek.read([json.dumps(r).encode() for r in rows], "conn.log", log)
    assert len(log.done().flows) == 2
    assert dict(log.not_examined) == {"log lines beyond the limit": 3, "log lines without addresses": 1}  # fmt: skip


@given(st.lists(st.binary(max_size=80), max_size=20), st.sampled_from(["conn.log", "dns.log", "x"]))
def test_any_lines_read_or_are_counted(lines, name):
    log = TrafficLog("any")
    zeek.read([b"#separator \\x09\n", *lines], name, log)
    suricata.read(lines, log)
    log.done()
