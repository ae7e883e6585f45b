"""What do Zeek's logs say (conn, dns, ssl, x509, http, quic, dhcp, ntp, mqtt_connect; tab-separated or JSON)?

Volumes are those of the IP layer where Zeek counted them. Columns are read by their names, so sites that
add or drop columns are read too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from camscan.clock import parse_iso
from camscan.decode.host_name import authority, is_address
from camscan.decode.text import clean
from camscan.observe.records.traffic_log import TrafficLog

MAX_LINE = 1 << 20
_PATHS = ("conn", "dns", "ssl", "x509", "http", "quic", "dhcp", "ntp", "mqtt_connect")
_VECTORS = frozenset({"answers", "cert_chain_fps", "cert_chain_fuids", "san.dns"})
_MULTICAST_DNS = {5353: "mdns", 5355: "llmnr"}


def _column(name: str) -> str:
    return "_path" if name == "log" else name.replace("__", ".")


class Record(Struct, frozen=True, kw_only=True, rename=_column):
    """The columns that are read, of any of the logs; Zeek leaves out what it does not know."""

    ts: float | str | None = None
    """Seconds, or ISO 8601 where the site has chosen that for JSON."""
    log: str = ""
    id__orig_h: str = ""
    id__orig_p: int = 0
    id__resp_h: str = ""
    id__resp_p: int = 0
    proto: str = ""
    duration: float = 0.0
    orig_bytes: int = 0
    resp_bytes: int = 0
    orig_pkts: int = 0
    resp_pkts: int = 0
    orig_ip_bytes: int = 0
    resp_ip_bytes: int = 0
    missed_bytes: int = 0
    orig_l2_addr: str = ""
    conn_state: str | None = None
    query: str = ""
    answers: tuple[str, ...] = ()
    qtype_name: str | None = None
    server_name: str = ""
    next_protocol: str = ""
    client_protocol: str | None = None
    cipher: str | None = None
    version: str | None = None
    host: str = ""
    method: str = ""
    cert_chain_fps: tuple[str, ...] = ()
    cert_chain_fuids: tuple[str, ...] = ()
    fingerprint: str = ""
    id: str = ""
    san__dns: tuple[str, ...] = ()
    certificate__subject: str | None = None
    mac: str = ""
    client_addr: str = ""
    assigned_addr: str = ""
    host_name: str = ""
    client_software: str = ""
    client_id: str = ""


def looks_like(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a Zeek log."""
    first = head.lstrip().split(b"\n", 1)[0]
    return first.startswith(b"#separator") or (
        first.startswith(b"{")
        and b'"ts"' in first
        and any(
            word in first
            for word in (b'"id.orig_h"', b'"certificate.subject"', b'"client_addr"', b'"_path"')
        )
    )


def read(lines: Iterable[bytes], name: str, into: TrafficLog) -> None:
    """Add every line of one log; `name` is the file's, it tells the log where the lines do not."""
    path = next((p for p in _PATHS if name.lower().startswith(p)), "")
    for given, record in _records(lines, into):
        _take(record, given or record.log or path or _guess(record), into)


def _records(lines: Iterable[bytes], into: TrafficLog) -> Iterator[tuple[str, Record]]:
    """(path the log names, record)"""
    separator, empty, unset, inner = "\t", "(empty)", "-", ","
    path = ""
    fields: list[str] = []
    for line in lines:
        if len(line) > MAX_LINE:
            into.not_examined["log lines that are too long"] += 1
            continue
        if line.startswith(b"#"):
            key, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(" ")
            if key == "#separator":
                separator = bytes.fromhex(value.replace("\\x", "")).decode("latin-1") or "\t"
                continue
            key, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(separator)
            if key == "#fields":
                fields = value.split(separator)[:256]
            elif key == "#path":
                path = value
            elif key == "#unset_field":
                unset = value
            elif key == "#empty_field":
                empty = value
            elif key == "#set_separator":
                inner = value
            continue
        text = line.strip()
        if not text:
            continue
        try:
            if text.startswith(b"{"):
                yield "", msgspec.json.decode(text, type=Record)
                continue
            cells = line.decode("utf-8", "replace").rstrip("\r\n").split(separator)
            yield path, _of_cells(dict(zip(fields, cells, strict=False)), (empty, unset), inner)
        except (msgspec.MsgspecError, ValueError):
            into.not_examined["log lines that cannot be read"] += 1


def _of_cells(row: Mapping[str, str], nothing: tuple[str, str], inner: str) -> Record:
    known = {
        key: value.split(inner) if key in _VECTORS else value
        for key, value in row.items()
        if value not in nothing
    }
    return msgspec.convert(known, Record, strict=False)


def _guess(record: Record) -> str:
    if record.certificate__subject is not None:
        return "x509"
    if record.query or record.qtype_name is not None:
        return "dns"
    if record.conn_state is not None:
        return "conn"
    if record.client_protocol is not None:
        return "quic"
    if record.server_name or record.cipher is not None:
        return "ssl"
    return "http" if record.method or record.host else ""


def _take(r: Record, path: str, into: TrafficLog) -> None:
    at = _moment(r.ts)
    if at is None or path not in _PATHS:
        into.not_examined["log lines of other kinds"] += 1
        return
    if path == "conn":
        into.flow(
            client=r.id__orig_h,
            remote=r.id__resp_h,
            port=r.id__resp_p,
            transport=r.proto,
            begin=at,
            end=at + max(r.duration, 0.0),
            up=r.orig_ip_bytes or r.orig_bytes,
            down=r.resp_ip_bytes or r.resp_bytes,
            packets_up=r.orig_pkts,
            packets_down=r.resp_pkts,
            mac=r.orig_l2_addr,
        )
        if r.missed_bytes:
            into.not_examined["connections of which Zeek missed bytes"] += 1
        return
    if path == "dns":
        proto = _MULTICAST_DNS.get(r.id__resp_p, "dns")
        if proto == "mdns" and r.answers:
            return  # an announcement of a service, no question of a client
        into.name(
            client=r.id__orig_h,
            proto=proto,
            name=r.query,
            at=at,
            answers=r.answers,
            aliases=[a for a in r.answers if not is_address(a) and "." in a],
        )
        return
    if path in _OTHERS:
        _OTHERS[path](r, at, into)
        return
    for key in (*r.cert_chain_fps[:1], *r.cert_chain_fuids[:1]):
        # The certificate of the server stands first; how often it was shown is not counted.
        into.shown(client=r.id__orig_h, remote=r.id__resp_h, port=r.id__resp_p, key=key, at=at)
    name, _ = authority(r.host)
    into.name(
        client=r.id__orig_h,
        proto={"ssl": "tls", "quic": "quic"}.get(
            path, "http-connect" if r.method == "CONNECT" else "http"
        ),
        name=name if path == "http" else r.server_name,
        at=at,
        remote=r.id__resp_h,
        port=r.id__resp_p,
        alpn=r.next_protocol or r.client_protocol or "",
    )


def _x509(r: Record, at: float, into: TrafficLog) -> None:
    del at
    names = [*r.san__dns, *_CN.findall(r.certificate__subject or "")]
    for key in (r.fingerprint, r.id):
        if key:
            into.certificate(key, names)


def _dhcp(r: Record, at: float, into: TrafficLog) -> None:
    client = r.assigned_addr or r.client_addr
    into.lease(client=client, mac=r.mac, host=r.host_name, vendor=r.client_software, at=at)


def _service(name: str, transport: str) -> Callable[[Record, float, TrafficLog], None]:
    def take(r: Record, at: float, into: TrafficLog) -> None:
        into.service(
            client=r.id__orig_h,
            remote=r.id__resp_h,
            port=r.id__resp_p,
            transport=transport,
            service=name,
            at=at,
            announced=clean(r.client_id)[:64],
        )

    return take


_CN = re.compile(r"(?:^|,)CN=([^,]{1,256})")
_OTHERS: Mapping[str, Callable[[Record, float, TrafficLog], None]] = {
    "x509": _x509,
    "dhcp": _dhcp,
    "ntp": _service("ntp", "udp"),
    "mqtt_connect": _service("mqtt", "tcp"),
}


def _moment(ts: float | str | None) -> float | None:
    if not isinstance(ts, str):
        return ts
    try:
        return float(ts)
    except ValueError:
        pass
    try:
        return parse_iso(ts)
    except (ValueError, OverflowError):
        return None
