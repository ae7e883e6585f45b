"""What do decoded answers say that needs no signature: services, keys, addresses, channels?

Evidence made here carries ids `camscan.service.*`. It rests on what a protocol means, not on who made
the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date

from msgspec.structs import replace

from camscan.clock import day_of
from camscan.decode.versions import build_date
from camscan.identify.relations import Relations
from camscan.identify.values import mac, uuid
from camscan.model.claim import Attribute, Evidence, Family, Level
from camscan.model.observation import Fields, Kind, Observation

VERSION = "1"
"""Of the rules in this module; it stands where a signature has its content hash."""
PREFIX = "camscan.service."

_WEB = frozenset({Kind.HTTP, Kind.ISAPI, Kind.ONVIF, Kind.UPNP_XML})
_TLS_PORTS = frozenset({443, 8443, 322, 990})
"""Ports on which an imported record that does not say may well have come through TLS."""
_OLD_TLS = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})
"""RFC 8996 deprecates TLS below 1.2."""
_MIN_RSA = 2048
"""NIST SP 800-131A: shorter RSA and DSA keys are not acceptable."""

_STATED: Mapping[Kind, tuple[tuple[str, Attribute], ...]] = {
    # The Uuid of a SADP answer repeats the one of the question (facts: discovery 2): not a key.
    Kind.SADP: (("mac", Attribute.MAC), ("ipv4-address", Attribute.ADDRESS_STATED)),
    Kind.DHDISCOVER: (("mac", Attribute.MAC), ("ipv4-address", Attribute.ADDRESS_STATED)),
    Kind.DVRIP: (("mac", Attribute.MAC), ("host-ip", Attribute.ADDRESS_STATED)),
    Kind.KASA: (("mac", Attribute.MAC), ("ip", Attribute.ADDRESS_STATED)),
    Kind.WSD: (
        ("scope.macaddr", Attribute.MAC),
        ("endpoint", Attribute.UUID),
        ("xaddr-host", Attribute.ADDRESS_STATED),
    ),
    Kind.SSDP: (("uuid", Attribute.UUID), ("location-host", Attribute.ADDRESS_STATED)),
    Kind.UPNP_XML: (("udn", Attribute.UUID),),
    Kind.SNMP: (("engine-mac", Attribute.MAC),),
    Kind.VENDOR_DISC: (("mac", Attribute.MAC), ("ipv4-address", Attribute.ADDRESS_STATED)),
    Kind.HTTPS_CERT: (("spki-sha256", Attribute.CERTIFICATE_KEY),),
}
"""Kind -> fields in which a device states a key or an address of its own."""

_CHANNELS: Mapping[Kind, tuple[str, ...]] = {
    Kind.SADP: ("analog-channels", "digital-channels"),
    Kind.DHDISCOVER: ("video-inputs", "remote-video-inputs"),
    Kind.DVRIP: ("channels",),
}

_PRIVATE_PATHS: tuple[tuple[str, str], ...] = (
    ("/isapi/", "isapi"),
    ("/lapi/", "lapi"),
    ("/cgi-bin/", "cgi"),
    ("/api/", "api"),
)
"""Path prefix -> name of the interface; an answer there is identity, not a start page."""

Emit = Callable[[str, Attribute, str, Family, str], Evidence]


def service_evidence(
    observation: Observation, fields: Fields, relations: Relations, *, routed: bool = False
) -> tuple[Evidence, ...]:
    """All such evidence of one observation.

    `routed`: its layer-2 source is a router's, so it is nobody's MAC (DESIGN rule 4).
    """
    emit = _emitter(observation.id)
    found: list[Evidence] = []
    layer_2 = observation.mac or ""
    if observation.kind is Kind.NEIGHBOUR and not layer_2:
        layer_2 = next(iter(fields.get("mac", ())), "")  # a neighbour table brought as a file
    if layer_2 and not routed and (seen := mac(layer_2)):
        found.append(emit("mac-seen", Attribute.MAC, seen, Family.MAC_BLOCK, f"layer 2: {seen}"))
        found += _registrant(seen, relations, emit)
    if observation.canary:
        return tuple(found)
    found += _stated(observation, fields, emit)
    found += _offered(observation, fields, emit)
    found += _weak(observation, fields, emit)
    found += _without_login(observation, fields, emit)
    found += _channels(observation, fields, emit)
    return tuple(found)


def registrant_evidence(layer_2: str, relations: Relations) -> tuple[Evidence, ...]:
    """What the registrant of a layer-2 source says of any observation that came from it."""
    seen = mac(layer_2)
    return tuple(_registrant(seen, relations, _emitter(""))) if seen else ()


def _emitter(observation: str) -> Emit:
    def emit(what: str, attribute: Attribute, value: str, family: Family, excerpt: str) -> Evidence:
        return Evidence(
            signature=PREFIX + what,
            version=VERSION,
            family=family,
            level=Level.E2,
            observation=observation,
            attribute=attribute,
            value=value,
            excerpt=excerpt[:200],
        )

    return emit


def derived(evidence: Evidence) -> Evidence | None:
    """The build date that a firmware text carries (facts: device_apis 11)."""
    if evidence.attribute is not Attribute.FIRMWARE:
        return None
    built = build_date(evidence.value)
    if built is None:
        return None
    return replace(evidence, attribute=Attribute.BUILD_DATE, value=built.isoformat())


def _registrant(seen: str, relations: Relations, emit: Emit) -> Iterator[Evidence]:
    block = relations.registrant(seen)
    if block is None:
        return
    excerpt = f"{block.prefix}: {block.registrant}"
    yield emit("registrant", Attribute.REGISTRANT, block.registrant, Family.MAC_BLOCK, excerpt)
    if block.module_maker:
        return  # the maker of the radio, not of the device (facts: scoring 4, traps)
    if block.party is not None and relations.is_maker(block.party):
        yield emit("registrant", Attribute.MAKER, block.party, Family.MAC_BLOCK, excerpt)
    if (brand := relations.registrant_brand(block.registrant)) is not None:
        yield emit("registrant", Attribute.BRAND, brand, Family.MAC_BLOCK, excerpt)


def _stated(observation: Observation, fields: Fields, emit: Emit) -> Iterator[Evidence]:
    for field, attribute in _STATED.get(observation.kind, ()):
        for text in fields.get(field, ()):
            value = text
            if attribute is Attribute.MAC:
                value = mac(text)
            elif attribute is Attribute.UUID:
                value = uuid(text)
            if value:
                family = Family.CERTIFICATE if field == "spki-sha256" else Family.LABEL
                yield emit("stated", attribute, value, family, f"{field}: {text}")


def _offered(observation: Observation, fields: Fields, emit: Emit) -> Iterator[Evidence]:
    kind, port = observation.kind, observation.port
    name: str | None = None
    clear = False
    if kind in _WEB and fields.get("status"):
        unsure = not observation.tls and observation.job is None and port in _TLS_PORTS
        moved = fields.get("location", ("",))[0].casefold().startswith("https:")
        if not unsure and (observation.tls or not moved):
            name, clear = ("https", False) if observation.tls else ("http", True)
    elif kind is Kind.RTSP and fields.get("status"):
        name, clear = ("rtsps", False) if observation.tls else ("rtsp", True)
    elif kind is Kind.TELNET and not observation.tls:
        name, clear = "telnet", True
    elif kind is Kind.FTP and fields.get("code") and not observation.tls:
        name, clear = "ftp", True
    elif kind is Kind.SSH and fields.get("protocol"):
        name = "ssh"
    elif kind is Kind.HTTPS_CERT and fields.get("subject"):
        name = "tls"
    if name is None:
        return
    attribute = Attribute.SERVICE_CLEAR if clear else Attribute.SERVICE_ENCRYPTED
    what = "clear" if clear else "encrypted"
    yield emit(what, attribute, _at(name, port), Family.PROTOCOL, f"{kind} answered on {port}")


def _at(name: str, port: int | None) -> str:
    return name if port is None else f"{name}:{port}"


def _weak(observation: Observation, fields: Fields, emit: Emit) -> Iterator[Evidence]:
    def weak(value: str, excerpt: str) -> Evidence:
        return emit("tls-weak", Attribute.TLS_WEAK, value, Family.PROTOCOL, excerpt)

    if observation.kind is Kind.TLS:
        for version in fields.get("version", ()):
            if version in _OLD_TLS:
                yield weak(version, f"version: {version}")
    if observation.kind is not Kind.HTTPS_CERT:
        return
    bits = fields.get("key-bits", ("",))[0]
    key = fields.get("key-type", ("",))[0].casefold()
    if bits.isdecimal() and int(bits) < _MIN_RSA and key.startswith(("rsa", "dsa")):
        yield weak(f"key-{bits}", f"key-type: {key}, key-bits: {bits}")
    algorithm = fields.get("signature-algorithm", ("",))[0]
    for name in ("sha1", "md5"):
        if name in algorithm.casefold().replace("-", ""):
            yield weak(name, f"signature-algorithm: {algorithm}")
    end, seen = _day(fields.get("not-after", ("",))[0]), _day(observation.at or "")
    if end is not None and seen is not None and end < seen:
        yield weak("expired", f"not-after: {end.isoformat()}, seen {seen.isoformat()}")


def _day(text: str) -> date | None:
    try:
        return day_of(text)
    except (ValueError, OverflowError):
        return None


def _without_login(observation: Observation, fields: Fields, emit: Emit) -> Iterator[Evidence]:
    if "auth" in observation.flags or fields.get("status", ("",))[0] != "200":
        return
    name = ""
    if observation.kind is Kind.RTSP:
        described = (observation.request or "").startswith("DESCRIBE") or not observation.request
        if described and fields.get("sdp.media"):
            name = "rtsp"
    elif observation.kind is Kind.ISAPI and fields.get("path"):
        name = "isapi"
    elif observation.kind is Kind.ONVIF and (fields.get("model") or fields.get("serial")):
        name = "onvif"
    elif observation.kind is Kind.HTTP:
        path = fields.get("request-path", ("",))[0].casefold()
        machine = fields.get("kv") or "json" in fields.get("content-type", ("",))[0].casefold()
        machine = machine or "xml" in fields.get("content-type", ("",))[0].casefold()
        name = next((n for p, n in _PRIVATE_PATHS if path.startswith(p)), "") if machine else ""
    if name:
        excerpt = f"{observation.request or observation.kind}: 200 without a login"
        value = _at(name, observation.port)
        yield emit("no-login", Attribute.SERVICE_NO_LOGIN, value, Family.PROTOCOL, excerpt)


def _channels(observation: Observation, fields: Fields, emit: Emit) -> Iterator[Evidence]:
    names = _CHANNELS.get(observation.kind, ())
    counts = [int(t) for n in names for t in fields.get(n, ())[:1] if t.isdecimal() and len(t) < 5]
    if sum(counts) > 1:
        excerpt = ", ".join(f"{n}: {fields[n][0]}" for n in names if fields.get(n))
        yield emit(
            "channels", Attribute.CHANNELS_ANNOUNCED, str(sum(counts)), Family.PROTOCOL, excerpt
        )
