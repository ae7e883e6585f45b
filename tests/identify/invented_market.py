"""A small invented market: three platforms, their makers, brands and MAC blocks."""

from __future__ import annotations

from msgspec.structs import replace

from camscan.model.claim import Attribute, Evidence, Family, Level
from camscan.model.knowledge import (
    BrandRelation,
    Condition,
    DecisionTable,
    Extract,
    Knowledge,
    MacBlock,
    Platform,
    Says,
    Signature,
    Test,
)
from camscan.model.observation import Kind, Observation
from camscan.model.party import Party
from camscan.model.probe import Exchange, Guard, Probe, ProbePlan

SOURCED = {"source": "test", "as_of": "2026-11"}


def party(ident, **more):
    return Party(id=ident, name=ident.title(), kind=("maker",), **SOURCED, **more)


def relation(brand, maker, kind="oem", strength="strong", **more):
    ident = f"{brand}-{maker}".casefold()
    return BrandRelation(
        id=ident, brand=brand, maker=maker, kind=kind, strength=strength, **SOURCED, **more
    )


def signature(ident, kind, family, when, says=(), extract=(), **more):
    return Signature(
        id=ident,
        about=ident,
        kind=kind,
        family=family,
        when=tuple(Condition(field=f, test=Test(t), value=v) for f, t, v in when),
        says=tuple(Says(attribute=a, value=v) for a, v in says),
        extract=tuple(extract),
        version="v",
        **SOURCED,
        **more,
    )


def evidence(attribute, value, family=Family.LABEL, level=Level.E2, **more):
    base = {"signature": f"s.{family}.{value}", "version": "v", "observation": "1"}
    base |= more
    return Evidence(family=family, level=level, attribute=Attribute(attribute), value=value, **base)


def http(ident, body="", *, port=80, status="200 OK", headers=(), path="/", **more):
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"))
    more = {"device_id": "192.0.2.1", "address": "192.0.2.1", "transport": "tcp"} | more
    return Observation(
        id=ident,
        kind=more.pop("kind", Kind.HTTP),
        response=f"{head}\r\n\r\n{body}".encode(),
        port=port,
        request=f"GET {path}",
        **more,
    )


SIGNATURES = (
    signature(
        "aquila.http.server",
        Kind.HTTP,
        Family.LABEL,
        [("server", "prefix", "Aquila-Web/")],
        [(Attribute.PLATFORM, "aquila"), (Attribute.ROLE, "video-device")],
        [Extract(attribute=Attribute.MODEL, field="server", pattern=r"model=([A-Z0-9-]+)")],
    ),
    signature(
        "aquila.http.order",
        Kind.HTTP,
        Family.PROTOCOL,
        [("header-names", "equals", "X-Aq,Server,Content-Length")],
        [(Attribute.PLATFORM, "aquila"), (Attribute.ROLE, "camera")],
    ),
    signature(
        "bubo.http.page",
        Kind.HTTP,
        Family.LABEL,
        [("status", "equals", "200"), ("body", "contains", "bubo/login.js")],
        [(Attribute.PLATFORM, "bubo"), (Attribute.ROLE, "camera")],
    ),
    signature(
        "corvus.rtsp.realm",
        Kind.RTSP,
        Family.LABEL,
        [("realm", "iequals", "CORVUS cam")],
        [(Attribute.PLATFORM, "corvus"), (Attribute.ROLE, "camera")],
    ),
    signature(
        "corvus.http.title",
        Kind.HTTP,
        Family.LABEL,
        [("title", "regex", r"^Corvus [A-Z]\d+$")],
        [(Attribute.PLATFORM, "corvus")],
        [Extract(attribute=Attribute.MODEL, field="title", pattern=r"^Corvus ([A-Z]\d+)$")],
    ),
    signature(
        "printer.http.title",
        Kind.HTTP,
        Family.LABEL,
        [("title", "equals", "Paper Printer")],
        [(Attribute.ROLE, "printer")],
    ),
)

PROBES = (
    Probe(id="root", about="", kind=Kind.HTTP, exchange=Exchange.HTTP_GET, source="t",
          ports=(80, 81), path="/", priority=10, yields=("platform", "maker", "role")),
    Probe(id="aquila-info", about="", kind=Kind.ISAPI, exchange=Exchange.HTTP_GET, source="t",
          on="http", path="/aq/info", priority=20, yields=("model", "firmware", "platform"),
          guard=Guard(http=True, platform=("aquila",))),
    Probe(id="blind", about="", kind=Kind.ISAPI, exchange=Exchange.HTTP_GET, source="t",
          ports=(80,), path="/aq/info", priority=30, yields=("maker",),
          guard=Guard(http=True, unknown=("maker",))),
    Probe(id="canary", about="", kind=Kind.HTTP, exchange=Exchange.HTTP_GET, source="t",
          on="http", path="/none-such", canary=True, priority=40, guard=Guard(http=True)),
    Probe(id="cert", about="", kind=Kind.HTTPS_CERT, exchange=Exchange.TLS, source="t",
          ports=(443,), priority=15, yields=("tls.weak",)),
    Probe(id="wsd", about="", kind=Kind.WSD, exchange=Exchange.UDP_SEARCH, source="t",
          transport="udp", ports=(3702,), path="wsd", priority=50, yields=("model",),
          guard=Guard(unknown=("model",))),
)  # fmt: skip


def build(**more) -> Knowledge:
    base = Knowledge(
        content_hash="0" * 64,
        as_of="2026-11",
        signatures=SIGNATURES,
        platforms={
            n: Platform(id=n, name=n.title(), maker=n, **SOURCED)
            for n in ("aquila", "bubo", "corvus", "chick")
        }
        | {"shared": Platform(id="shared", name="Shared", maker=None, **SOURCED)},
        brands=(
            relation("Nest Egg", "aquila", spellings=("NESTEGG",), registrants=("Nest Egg Ltd",)),
            relation("Two Ways", "aquila"),
            relation("Two Ways", "bubo", kind="part"),
            relation("Aquila", "aquila", kind="own"),
        ),
        parties={
            "aquila": party("aquila", spellings=("AQUILA INC",)),
            "bubo": party("bubo"),
            "corvus": party("corvus"),
            "chick": party("chick", parent="aquila"),
        },
        mac_blocks=(
            MacBlock(prefix="020000", registrant="Aquila Inc", party="aquila", **SOURCED),
            MacBlock(prefix="00aa00", registrant="Aquila Inc", party="aquila", **SOURCED),
            MacBlock(prefix="00bb00", registrant="Nest Egg Ltd", party=None, **SOURCED),
            MacBlock(
                prefix="00cc00", registrant="Radio Co", party="bubo", module_maker=True, **SOURCED
            ),
        ),
        endpoints=(),
        networks=(),
        conditions={},
        concerns={},
        laws={},
        rules={},
        advisories=(),
        decision=DecisionTable(
            version="1", source="t", as_of="2026", factors={}, levels={}, rows=()
        ),
        probe_plan=ProbePlan(
            tcp_ports=(80,),
            liveness_ports=(80,),
            probes=PROBES,
            denied_ports=(9100,),
            announcements=(),
        ),
        law_nexus=(),
        sources={},
        files={},
    )
    return replace(base, **more)
