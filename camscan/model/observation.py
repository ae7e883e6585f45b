"""What was seen, what could not be seen, and in which fields can it be read?

An `Observation` holds raw bytes and circumstances only. Fields are derived by
`camscan.decode` every time they are needed, so better decoders reread old runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

Fields = Mapping[str, tuple[str, ...]]
"""Decoded fields of one observation: closed names (FIELDS), every value a tuple of texts."""


class Kind(StrEnum):
    """Closed list of observation kinds. The first 22 are the exchange format's (DESIGN 4)."""

    HTTP = "http"
    RTSP = "rtsp"
    HTTPS_CERT = "https-cert"
    SSH = "ssh"
    FTP = "ftp"
    TELNET = "telnet"
    SNMP = "snmp"
    SSDP = "ssdp"
    UPNP_XML = "upnp-xml"
    WSD = "wsd"
    ONVIF = "onvif"
    SADP = "sadp"
    DHDISCOVER = "dhdiscover"
    DVRIP = "dvrip"
    KASA = "kasa"
    MDNS = "mdns"
    DHCP = "dhcp"
    ISAPI = "isapi"
    FAVICON = "favicon"
    TITLE = "title"
    SERVER_HEADER = "server-header"
    WWWAUTH = "wwwauth"
    VENDOR_DISC = "vendor-disc"
    # camscan's own
    TLS = "tls"
    PPPP = "pppp"
    MIIO = "miio"
    NEIGHBOUR = "neighbour"
    PORTS = "ports"
    GREETING = "greeting"
    # records of captures and of other tools' traffic logs (model/traffic.py), as JSON
    NAME = "name"
    FLOW = "flow"
    SERVICE = "service"
    CAPTURE = "capture"
    IMAGE = "image"
    """What was read from a firmware image: an ImageReport as JSON."""


class Reason(StrEnum):
    """Why a test gave no result (facts: scoring section 3; DESIGN rule 1)."""

    NOT_REQUESTED = "not-requested"
    NO_CREDENTIALS = "no-credentials"
    ENCRYPTED = "encrypted"
    NO_CAPTURE = "no-capture"
    WINDOW_TOO_SHORT = "window-too-short"
    DEVICE_OFFLINE = "device-offline"
    OUT_OF_SCOPE = "out-of-scope"
    REFUSED_BY_POLICY = "refused-by-policy"
    ERROR = "error"
    TIMEOUT = "timeout"
    LOSS = "loss"
    NO_PRIVILEGE = "no-privilege"
    NO_DATABASE = "no-database"
    BUDGET = "budget"
    ENCAPSULATED = "encapsulated"


class Observation(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One answer as it came, after secrets and pictures were cut (DESIGN rule 11)."""

    id: str
    """`<intake>:<line>`, for example `0001-scan:17`; for imported records the record's own id."""
    device_id: str
    """Grouping key of the intake: the address for a scan, as given for an import."""
    kind: Kind
    response: bytes
    port: int | None = None
    transport: str = ""
    """`tcp`, `udp`, `l2` or empty when not known."""
    tls: bool = False
    """Whether the answer came through TLS."""
    request: str | None = None
    """What was asked, in words of the protocol: `GET /`, `OPTIONS rtsp://...`, `Probe`."""
    job: str | None = None
    """Id of the probe that asked (signatures/probes), None for imports."""
    address: str | None = None
    """Source address of the answer (text form, no zone)."""
    mac: str | None = None
    """Layer-2 source as seen in the device's own segment: `aa:bb:cc:dd:ee:ff`."""
    interface: str | None = None
    at: str | None = None
    """UTC, ISO 8601."""
    truncated: bool = False
    canary: bool = False
    """The answer to a path that no device has (tells servers that answer anything alike)."""
    flags: tuple[str, ...] = ()
    """Imported circumstances: fragment, auth, derived, sanitised; `cut` when bytes were cut."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A test that gave no result, and why. Never evidence for anything but coverage."""

    id: str
    device_id: str
    test: str
    """Id of the probe or stage: `http-root`, `arp`, `announce.sadp`, `port-stage`."""
    reason: Reason
    detail: str = ""
    port: int | None = None
    at: str | None = None
    kind: Kind | None = None


class Vantage(StrEnum):
    """From where was it seen?"""

    ON_LINK = "on-link"
    ROUTED = "routed"
    MIRROR = "mirror"
    FILE = "file"
    BENCH = "bench"


_HTTP = (
    "version",
    "status",
    "reason",
    "header-names",
    "header-style",
    "server",
    "www-authenticate",
    "realm",
    "auth-scheme",
    "auth-params",
    "location",
    "location-path",
    "content-type",
    "cookie-names",
    "header",
    "title",
    "generator",
    "script-src",
    "body",
    "body-sha256",
    "request-path",
    "kv",
)
"""HTTP fields. header-names: names as sent, in order, joined by `,`; header-style: `lower`,
`upper`, `title` or `mixed`; header: `name: value` with lower-case name, one value per line;
kv: `key=value` lines of text/plain bodies; body: text, control characters removed, 32 KB."""

_XML = ("root", "namespace", "path")
"""path: every leaf as `a/b/c=text` with local names, in document order, at most 512."""

_CERTIFICATE = (
    "subject", "subject.cn", "subject.o", "subject.ou", "subject.email", "subject.l", "subject.c",
    "issuer", "issuer.cn", "issuer.o", "san", "serial", "not-before", "not-after", "self-signed",
    "key-type", "key-bits", "signature-algorithm", "spki-sha256", "sha256",
)  # fmt: skip

FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.HTTP: _HTTP,
    Kind.TITLE: _HTTP,
    Kind.SERVER_HEADER: _HTTP,
    Kind.WWWAUTH: _HTTP,
    Kind.ISAPI: (*_HTTP, *_XML),
    Kind.UPNP_XML: (
        *_HTTP,
        *_XML,
        "device-type",
        "friendly-name",
        "manufacturer",
        "manufacturer-url",
        "model-name",
        "model-number",
        "model-description",
        "serial",
        "udn",
        "presentation-url",
        "mapping",
        "mapping-client",
    ),
    Kind.ONVIF: (
        *_HTTP,
        *_XML,
        "action",
        "manufacturer",
        "model",
        "firmware",
        "serial",
        "hardware-id",
        "utc-time",
        "fault",
    ),
    Kind.RTSP: (
        "version",
        "status",
        "reason",
        "server",
        "public",
        "realm",
        "auth-scheme",
        "auth-params",
        "header-names",
        "header-style",
        "header",
        "method",
        "sdp.origin",
        "sdp.session",
        "sdp.info",
        "sdp.tool",
        "sdp.media",
        "sdp.attribute",
    ),
    Kind.HTTPS_CERT: _CERTIFICATE,
    Kind.TLS: ("version", "cipher", "alert", "fallback"),
    Kind.SSH: ("protocol", "software", "comment", "banner"),
    Kind.FTP: ("code", "text", "banner"),
    Kind.TELNET: ("banner", "login", "options"),
    Kind.SNMP: (
        "sysdescr",
        "sysobjectid",
        "sysname",
        "syscontact",
        "syslocation",
        "enterprise",
        "engine-id",
        "engine-enterprise",
        "engine-format",
        "engine-mac",
        "engine-text",
        "varbind",
    ),
    Kind.SSDP: (
        "method",
        "status",
        "server",
        "location",
        "location-host",
        "location-path",
        "st",
        "nt",
        "nts",
        "usn",
        "uuid",
        "header",
        "header-names",
    ),
    Kind.WSD: (
        *_XML,
        "action",
        "types",
        "scope",
        "scope.name",
        "scope.hardware",
        "scope.location",
        "scope.profile",
        "scope.type",
        "scope.manufacturer",
        "scope.version",
        "scope.serial",
        "scope.macaddr",
        "scope.model",
        "xaddr",
        "xaddr-host",
        "endpoint",
        "namespace-prefixes",
        "form",
    ),
    Kind.SADP: (
        "root",
        "field",
        "uuid",
        "types",
        "device-type",
        "device-description",
        "device-sn",
        "command-port",
        "http-port",
        "mac",
        "ipv4-address",
        "ipv4-gateway",
        "dhcp",
        "analog-channels",
        "digital-channels",
        "software-version",
        "dsp-version",
        "boot-time",
        "activated",
        "hc-platform-support",
        "hc-platform-enable",
        "oem-info",
        "oem-code",
        "ezviz-code",
        "build-date",
    ),
    Kind.DHDISCOVER: (
        "form",
        "method",
        "mac",
        "device-class",
        "device-type",
        "vendor",
        "manufacturer",
        "machine-name",
        "serial",
        "version",
        "build-date",
        "port",
        "http-port",
        "ipv4-address",
        "dns",
        "video-inputs",
        "remote-video-inputs",
        "field",
    ),
    Kind.DVRIP: (
        "form",
        "message-id",
        "mac",
        "host-name",
        "host-ip",
        "http-port",
        "tcp-port",
        "udp-port",
        "ssl-port",
        "serial",
        "version",
        "build-date",
        "device-type",
        "channels",
        "realm",
        "field",
        "greeting",
    ),
    Kind.KASA: (
        "form",
        "device-type",
        "device-model",
        "model",
        "mac",
        "ip",
        "firmware",
        "hardware",
        "owner-set",
        "iot-cloud",
        "factory-default",
        "obd-src",
        "type",
        "description",
        "field",
    ),
    Kind.MDNS: ("name", "service", "instance", "txt", "host", "address", "port"),
    Kind.DHCP: ("vendor-class", "hostname", "parameter-list", "client-id", "option"),
    Kind.FAVICON: ("md5", "mmh3", "sha256", "size"),
    Kind.VENDOR_DISC: (
        "protocol",
        "model",
        "name",
        "mac",
        "ipv4-address",
        "serial",
        "firmware",
        "dns",
        "uid",
        "port",
        "field",
    ),
    Kind.PPPP: ("message", "id", "id-prefix", "obfuscated"),
    Kind.MIIO: ("device-id", "stamp"),
    Kind.NEIGHBOUR: ("mac", "registrant", "local", "oui"),
    Kind.IMAGE: ("fact", "component", "endpoint"),
    Kind.PORTS: ("open", "closed", "silent", "udp-closed", "open-count", "probed-count"),
    Kind.GREETING: ("port", "hex", "text", "length"),
    Kind.NAME: ("proto", "name", "remote", "port", "answer", "alias", "alpn", "ech", "odd"),
    Kind.FLOW: ("remote", "port", "transport", "bytes-up", "bytes-down", "name", "service"),
    Kind.SERVICE: ("service", "remote", "port", "transport", "announced", "packets", "detail"),
    Kind.CAPTURE: ("vantage", "packets", "bytes", "lost", "clients", "dns-visible", "phase"),
}
