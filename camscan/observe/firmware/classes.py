"""Which class has a name or address that stands in a firmware file, and is it an endpoint at all?

The classes that are informational come first (facts: firmware 3); what none of them explains is an
endpoint, with the kind of service its name, port or key states.
"""

from __future__ import annotations

import re

from msgspec import Struct

from camscan.observe.firmware import addresses, shape
from camscan.observe.firmware.found import Found
from camscan.observe.firmware.roles import Role
from camscan.observe.firmware.words import Words


class Graded(Struct, frozen=True):
    kind: str
    live: bool
    why: str


_NAMESPACE = re.compile(
    r"XMLSchema|/wsdl|\.wsdl|\.xsd|\.dtd|/soap/|/ns/|/ver\d{2}/|/schemas?/|/namespaces?/|/xmlns",
    re.IGNORECASE,
)
_XMLNS = re.compile(
    r"(?:xmlns(?::\w{1,24})?|targetNamespace|namespace|schemaLocation)\s*=\s*\\?[\"'][^\"'<>]{0,120}$",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\b(?:see|visit|refer(?:\s+to)?|reference|report(?:ing)?\s+bugs?|bug\s*reports?|bugs?\s+to|more\s+info\w*|information|documentation|docs|manual|copyright|license[ds]?|licence|licensed|homepage|"
    r"home\s*page|project|available\s+(?:at|from)|based\s+on|derived\s+from|powered\s+by|written\s+by|author|maintainer|e-?mail|instructions|learn|wiki|faq|details|help|tutorial|specification|rfc\s?\d+|e\.g\.|example)\b[^\n]{0,60}$",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\w \((?:https?://)?$|\w <(?:https?://)?$")
_MANUAL = re.compile(
    r"/(?:projects?|docs?|documentation|blog|wiki|faq|manuals?|licen[cs]es?|guidelines|specs?|rfc\d*|tutorials?|bugs?|issues|download/?\.html)\b",
    re.IGNORECASE,
)
_INTERFACE = re.compile(
    r"/(?:api|v\d|ws|gw|gateway|rest|open|iot|device|rpc|oauth)\w*(?:/|$|\?)", re.IGNORECASE
)
_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|0\.0\.0\.0|::1)[\s\\t]+(?:[\w.-]+[ \t]+){0,8}$")
_COMMENT = re.compile(r"^\s*(?:#|//|/?\*+|<!--|;|--|%)(?!/)|[^:\"'=]//[^\"']*$|/\*(?!.*\*/)|<!--")
_LINK = re.compile(
    r"<a\b[^<>]{0,120}href=\\?[\"'](?:https?:)?(?:\\?/){2}(?:www\.)?$|\bhref\s*[:=]\s*\\?[\"'](?:https?:)?(?:\\?/){2}$",
    re.IGNORECASE,
)
_ANCHOR_TAG = re.compile(r"<a\b[^<>]{0,120}href=\\?[\"'](?:https?:)?(?:\\?/){2}$", re.IGNORECASE)
_STAND_IN = re.compile(
    r"(?:^|\.)(?:example\d?|(?:your|my)[-_]?(?:domain|host|server|site|company)\d?)\.(?:[a-z]{2,3}|(?:com?|net|org)\.[a-z]{2})$"
)
_STATUS = re.compile(r"(?:ocsp|crl\d?|pki|cps|certs?|cacerts?|aia|tsa|timestamp)\d{0,2}[.-]")
_STATUS_PATH = re.compile(
    r"\.(?:crl|crt|cer|p7c|der|asn1)\b|/(?:cps|ocsp|repository|rpa|legal)\b", re.IGNORECASE
)
_STAGE = re.compile(
    r"(?:^|[.-])(?:stg|stage|staging|beta|test|tst|testing|pre|preprod|prerelease|uat|sandbox|qa|alpha|daily|debug)\d{0,2}(?=[.-])|(?:test|stg|beta)\d{0,2}[.-]"
)
_RESOLVER = re.compile(r"nameserver|\bdns\w*|resolv", re.IGNORECASE)

_SCHEMES = {
    "mqtt": "mqtt", "mqtts": "mqtt", "stun": "stun", "stuns": "stun", "turn": "relay", "turns": "relay", "rtmp": "media", "rtmps": "media",
    "ntp": "ntp", "smtp": "mail", "smtps": "mail", "ftp": "storage", "rtsp": "media", "srt": "media", "sip": "p2p",
}  # fmt: skip
_PORTS = {
    123: "ntp",
    1883: "mqtt",
    8883: "mqtt",
    3478: "stun",
    19302: "stun",
    5349: "stun",
    1935: "media",
    53: "dns",
    25: "mail",
    465: "mail",
    587: "mail",
}
_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"(?:^|[.-])(?:{words})\d{{0,3}}(?:-\w+)?(?=[.-])"))
    for kind, words in (
        ("ntp", r"ntp[a-z]?|time|clock|sntp|timeserver"),
        ("stun", "stuns?"),
        ("relay", "turn|relay|forward|transit|trs|streamer|vtm"),
        ("mqtt", "mqtts?|emqx?|broker"),
        ("push", "push|apns|fcm|gcm|jpush|xg|notify|notification|msgpush"),
        ("update", "ota|upgrade|update|upd|firmware|fota|fw|download|dl|swupdate|autoupdate"),
        ("ddns", "ddns|dyndns|dynupdate|dynamic|members"),
        ("p2p", "p2p|pppp|ppcs|iotc|kalay|rendezvous|vtun|wns|nat"),
        ("mail", "smtps?|imap|pop3?|mail|mx"),
        (
            "storage",
            "oss(?:-cn)?|s3|cos|obs|bos|storage|upload|bucket|file|files|ftp|cloudstorage|vod|record",
        ),
        (
            "telemetry",
            "logs?|stats?|statistics?|analytics|metrics?|report|collect(?:or)?|track(?:er|ing)?|telemetry|crash|bugly|monitor|dclog|data-report|trace",
        ),
        ("media", "rtmp|live|stream|media|video"),
    )
)
_KEYS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"(?:{words})[\w\"'\] .-]{{0,24}}[\s:=,>(\"']{{1,8}}$", re.IGNORECASE))
    for kind, words in (
        ("ntp", "s?ntp|time_?server|timesync"),
        ("dns", "nameserver|dns"),
        ("stun", "stun"),
        ("relay", "relay|(?<![a-z])turn"),
        ("mqtt", "mqtt|broker"),
        ("push", "push|notif"),
        ("update", "upgrade|update|ota|firmware"),
        ("ddns", "ddns"),
        ("p2p", "p2p|pppp|master"),
        ("mail", "smtp|mail"),
        ("storage", "storage|upload|oss|s3|ftp"),
        ("telemetry", "report|stat|log_?server|telemetry|collect"),
    )
)


def grade(found: Found, role: Role, words: Words) -> Graded:
    """The class of a name or address that was accepted as one."""
    if role is Role.HOSTS or _LOOPBACK.search(found.left[-120:]):
        if _LOOPBACK.search(found.left[-120:]):
            return Graded(
                "blocked", live=False, why="the firmware itself points this name to its own address"
            )
        if found.address:
            return Graded("private_address", live=False, why="address of a hosts file")
    if found.address:
        return _address(found, role, words)
    return _noise(found, role, words) or _live(found, words)


def _address(found: Found, role: Role, words: Words) -> Graded:
    kind, why = addresses.kind_of(found)
    if kind:
        return Graded(kind, live=False, why=why)
    if words.listed(found.host, "resolver"):
        if _RESOLVER.search(found.left[-48:]) and not re.search(r"\bping\b", found.left[-48:]):
            return Graded("dns", live=True, why="a public resolver, named as name server")
        return Graded(
            "connectivity_check",
            live=False,
            why="a public resolver, asked to see whether there is a way out",
        )
    if (noise := _place(found, role)) is not None:
        return noise
    if ("." in found.host and len(set(found.labels)) == 1) or found.host in {
        "1.2.3.4",
        "2.3.4.5",
        "1.2.3.5",
    }:
        return Graded("placeholder", live=False, why="stands for any address")
    return _live(found, words)


def _place(found: Found, role: Role) -> Graded | None:
    """What the file or the line it stands in says."""
    match role:
        case Role.SAMPLE:
            return Graded(
                "sample_config", live=False, why="a sample configuration that came with a program"
            )
        case Role.DOCUMENT | Role.TABLE | Role.CATALOGUE:
            return Graded(
                "documentation",
                live=False,
                why=f"a file of {'notices' if role is Role.DOCUMENT else role.value}",
            )
        case Role.CERTIFICATE:
            return Graded("certificate", live=False, why="stands in a certificate file")
        case Role.SCHEMA:
            return Graded("namespace", live=False, why="stands in a schema")
        case Role.CONFIG | Role.SCRIPT | Role.CODE | Role.WEB_CODE | Role.WEB_PAGE | Role.TEXT:
            line = found.left.replace("://", ":__")
            if _COMMENT.search(line[-120:]):
                return Graded("documentation", live=False, why="stands in a comment")
        case _:
            pass
    return None


def _noise(found: Found, role: Role, words: Words) -> Graded | None:
    host, url = found.host.lstrip("*."), found.path
    if found.left[-1:] == "@" and not found.scheme:
        return Graded("mail_domain", live=False, why="the domain of a mail address")
    if (
        _XMLNS.search(found.left[-150:])
        or words.within(host, "namespace")
        or (found.scheme and _NAMESPACE.search(url))
    ):
        return Graded("namespace", live=False, why="a URL that names a schema")
    if words.within(host, "certificate") or (
        _STATUS.match(host)
        and (role in {Role.CERTIFICATE, Role.ELF, Role.BINARY} or _STATUS_PATH.search(url))
    ):
        return Graded("certificate", live=False, why="a name of a certification authority")
    if _STATUS_PATH.search(url) and found.scheme == "http":
        return Graded("certificate", live=False, why="a revocation list or certificate")
    if (noise := _place(found, role)) is not None:
        return noise
    if _ANCHOR_TAG.search(found.left[-140:]):
        return Graded(
            "web_link", live=False, why="a link of a page, followed by a reader's browser"
        )
    if words.within(host, "placeholder") or _STAND_IN.search(host):
        return Graded("placeholder", live=False, why="a name that stands for any name")
    if words.within(host, "time"):
        return None
    if words.within(host, "documentation"):
        return Graded("documentation", live=False, why="home of a project, licence or standard")
    if words.listed(host, "connectivity"):
        return Graded(
            "connectivity_check", live=False, why="asked to see whether there is a way out"
        )
    if words.known(host):
        return None
    if _TOLD.search(found.left.replace("\\n", " ")[-90:]) and (
        found.scheme or host.startswith("www.")
    ):
        return Graded("documentation", live=False, why="a text refers the reader to it")
    if (_ASIDE.search(found.left) and (found.scheme or host.startswith("www."))) or (
        found.scheme and _MANUAL.match(url)
    ):
        return Graded("documentation", live=False, why="a text refers the reader to it")
    if (
        role in {Role.WEB_CODE, Role.WEB_PAGE}
        and found.scheme in {"", "http", "https"}
        and _web(found)
    ):
        return Graded(
            "web_link",
            live=False,
            why="a link of the web interface, followed by a reader's browser",
        )
    return None


def _web(found: Found) -> bool:
    if _LINK.search(found.left[-140:]):
        return True
    first = found.host.partition(".")[0]
    if _INTERFACE.match(found.path):
        return False
    return first == "www" or (found.host.count(".") == 1 and not shape.keyed(found))


def _live(found: Found, words: Words) -> Graded:
    host = found.host.lstrip("*.") if not found.address else found.host
    kind, why = _service(found, host, words)
    if found.template:
        return Graded("template", live=True, why=f"a pattern filled in at run time ({kind}: {why})")
    if not found.address and _STAGE.search(host):
        return Graded("test_env", live=True, why=f"its name says test or staging ({kind}: {why})")
    return Graded(kind, live=True, why=why)


def _service(found: Found, host: str, words: Words) -> tuple[str, str]:
    if words.within(host, "time"):
        return "ntp", "a public time service"
    purpose = words.purpose(host)
    if purpose and (purpose in {"ntp", "dns", "ddns"} or words.single(host)):
        return purpose, "purpose stated in signatures/endpoints"
    for key, kind in (("ddns", "ddns"), ("push", "push")):
        if words.within(host, key):
            return kind, f"a {kind} provider"
    if found.scheme in _SCHEMES:
        return _SCHEMES[found.scheme], f"scheme {found.scheme}"
    for kind, pattern in _NAMES:
        if not found.address and pattern.search(f"{host.rpartition('.')[0]}."):
            return kind, "a word in the name"
    if found.port in _PORTS:
        return _PORTS[found.port], f"port {found.port}"
    for kind, pattern in _KEYS:
        if pattern.search(found.left[-64:]):
            return kind, "the key before it"
    if words.within(host, "storage"):
        return "storage", "a cloud provider's storage or delivery name"
    if purpose:
        return purpose, "purpose stated in signatures/endpoints"
    if found.scheme:
        return "cloud_api", f"scheme {found.scheme}"
    if not found.address and shape.service_name(host):
        return "cloud_api", "a word in the name"
    return "unclassified", "no word, port or key says what it is for"
