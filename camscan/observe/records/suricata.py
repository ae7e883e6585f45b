"""What does Suricata's EVE log say of names and volumes (flow, dns, tls, http, quic, dhcp, mqtt, stats)?

Alerts are not read: camscan judges by what was exchanged, not by another tool's verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from camscan.clock import parse_iso
from camscan.decode.host_name import authority, is_address
from camscan.decode.text import clean
from camscan.observe.records.traffic_log import TrafficLog

MAX_LINE = 1 << 20
_CN = re.compile(r"(?:^|, ?)CN=([^,]{1,256})")


class _Flow(Struct, frozen=True):
    pkts_toserver: int = 0
    pkts_toclient: int = 0
    bytes_toserver: int = 0
    bytes_toclient: int = 0
    start: str = ""
    end: str = ""


class _Answer(Struct, frozen=True):
    rrtype: str = ""
    rdata: str = ""


class _Question(Struct, frozen=True):
    rrname: str = ""


class _Dns(Struct, frozen=True):
    """Versions 1 to 3 of the dns record."""

    type: str = ""
    rrname: str = ""
    rrtype: str = ""
    rdata: str = ""
    queries: tuple[_Question, ...] = ()
    answers: tuple[_Answer, ...] = ()
    grouped: dict[str, tuple[str, ...]] = {}


class _Tls(Struct, frozen=True):
    sni: str = ""
    subject: str = ""
    subjectaltname: tuple[str, ...] = ()
    fingerprint: str = ""


class _Dhcp(Struct, frozen=True):
    type: str = ""
    client_mac: str = ""
    client_ip: str = ""
    assigned_ip: str = ""
    hostname: str = ""
    vendor_class_identifier: str = ""


class _Connect(Struct, frozen=True):
    client_id: str = ""


class _Mqtt(Struct, frozen=True):
    connect: _Connect | None = None


class _Http(Struct, frozen=True):
    hostname: str = ""
    http_method: str = ""


class _Ether(Struct, frozen=True):
    src_mac: str = ""
    dest_mac: str = ""


class _Capture(Struct, frozen=True):
    kernel_drops: int = 0


class _Stats(Struct, frozen=True):
    capture: _Capture | None = None


class Record(Struct, frozen=True, kw_only=True):
    """One line of eve.json, as far as it is read."""

    timestamp: str
    event_type: str
    src_ip: str = ""
    src_port: int = 0
    dest_ip: str = ""
    dest_port: int = 0
    proto: str = ""
    flow: _Flow | None = None
    dns: _Dns | None = None
    tls: _Tls | None = None
    quic: _Tls | None = None
    http: _Http | None = None
    dhcp: _Dhcp | None = None
    mqtt: _Mqtt | None = None
    ether: _Ether | None = None
    stats: _Stats | None = None


_decode = msgspec.json.Decoder(Record).decode


def looks_like(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an EVE log."""
    first = head.lstrip()[:512]
    return first.startswith(b"{") and b'"event_type"' in first and b'"timestamp"' in first


def read(lines: Iterable[bytes], into: TrafficLog) -> None:
    """Add every line of one log."""
    for line in lines:
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            into.not_examined["log lines that are too long"] += 1
            continue
        try:
            record = _decode(line)
            at = parse_iso(record.timestamp)
        except (msgspec.MsgspecError, ValueError, OverflowError):
            into.not_examined["log lines that cannot be read"] += 1
            continue
        _take(record, at, into)


def _take(r: Record, at: float, into: TrafficLog) -> None:
    mac = r.ether.src_mac if r.ether is not None else None
    if r.event_type == "flow" and r.flow is not None:
        _flow(r, r.flow, at, into)
    elif r.event_type == "dns" and r.dns is not None:
        _dns(r, r.dns, at, into)
    elif r.event_type == "stats" and r.stats is not None and r.stats.capture is not None:
        into.lost = max(into.lost or 0, r.stats.capture.kernel_drops)
    elif r.event_type == "dhcp" and r.dhcp is not None:
        _lease(r.dhcp, at, into)
    elif r.event_type == "mqtt" and r.mqtt is not None and r.mqtt.connect is not None:
        into.service(
            client=r.src_ip,
            remote=r.dest_ip,
            port=r.dest_port,
            transport="tcp",
            service="mqtt",
            at=at,
            announced=clean(r.mqtt.connect.client_id)[:64],
        )
    elif r.event_type in {"tls", "quic", "http"}:
        named = r.tls or r.quic
        proto, name = r.event_type, named.sni if named is not None else ""
        if r.http is not None:
            name, _ = authority(r.http.hostname)
            proto = "http-connect" if r.http.http_method == "CONNECT" else "http"
        if r.tls is not None and (r.tls.subject or r.tls.subjectaltname):
            key = r.tls.fingerprint or r.tls.subject
            into.certificate(key, [*r.tls.subjectaltname, *_CN.findall(r.tls.subject)])
            into.shown(client=r.src_ip, remote=r.dest_ip, port=r.dest_port, key=key, at=at)
        into.name(
            client=r.src_ip,
            proto=proto,
            name=name,
            at=at,
            remote=r.dest_ip,
            port=r.dest_port,
            mac=mac,
        )
    else:
        into.not_examined[f"log lines of other kinds ({r.event_type[:20]})"] += 1


def _lease(dhcp: _Dhcp, at: float, into: TrafficLog) -> None:
    client = next((a for a in (dhcp.assigned_ip, dhcp.client_ip) if a not in {"", "0.0.0.0"}), "")
    into.lease(
        client=client,
        mac=dhcp.client_mac,
        host=dhcp.hostname,
        vendor=dhcp.vendor_class_identifier,
        at=at,
    )


def _flow(r: Record, flow: _Flow, at: float, into: TrafficLog) -> None:
    into.flow(
        client=r.src_ip,
        remote=r.dest_ip,
        port=r.dest_port,
        transport=r.proto.lower(),
        begin=_moment(flow.start, at),
        end=_moment(flow.end, at),
        up=flow.bytes_toserver,
        down=flow.bytes_toclient,
        packets_up=flow.pkts_toserver,
        packets_down=flow.pkts_toclient,
        mac=r.ether.src_mac if r.ether is not None else None,
    )


def _dns(r: Record, dns: _Dns, at: float, into: TrafficLog) -> None:
    """A question, or an answer; in answers of version 1 and 2 the asker is still `src_ip` or `dest_ip`."""
    answer = dns.type in {"answer", "response"}
    name = dns.rrname or (dns.queries[0].rrname if dns.queries else "")
    client = r.dest_ip if answer and r.src_port == 53 else r.src_ip
    found = [a.rdata for a in dns.answers] + ([dns.rdata] if dns.rdata else [])
    found += [value for values in dns.grouped.values() for value in values]
    into.name(
        client=client,
        proto="dns",
        name=name,
        at=at,
        answers=found,
        aliases=[a for a in dict.fromkeys(found) if not is_address(a) and "." in a],
        answer=answer,
        mac=None,
    )


def _moment(text: str, otherwise: float) -> float:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        return otherwise
