"""What kind of file is this, as far as the meaning of a name in it is concerned?"""

from __future__ import annotations

import re
from enum import StrEnum

_HEAD = 4096
_ENDINGS = {
    "config": "ini conf cfg json xml yaml yml toml prop properties env plist config cnf defaults default rc",
    "script": "sh ash bash",
    "code": "lua py pl php rb c h cc cpp hpp java ts go rs awk pyc",
    "web-code": "js mjs jsx",
    "web-page": "html htm asp aspx css svg shtml shtm cgi vue xhtml",
    "certificate": "pem crt cer der ca-bundle p7b key csr",
    "document": "map txt md rst man 1 5 8 pdf rtf license copyright readme",
    "catalogue": "mo po lang qm dic",
}
_BY_ENDING = {ending: role for role, endings in _ENDINGS.items() for ending in endings.split()}
_NOTICE = re.compile(
    r"(licen[cs]e|copying|copyright|notice|readme|changelog|authors|credits|third.?party|opensource|oss[-_]notice)",
    re.IGNORECASE,
)
_MANUALS = re.compile(r"(^|/)(docs?|man\d?|manuals?|licen[cs]es|info)/", re.IGNORECASE)
_PACKAGE = re.compile(
    r"(^|/)(package(-lock)?|composer|bower|installed)\.(json|lock)$|(^|/)(tests?|fixtures?|__tests__|spec)/",
    re.IGNORECASE,
)
_SAMPLE = re.compile(
    r"(openssl\.cnf$|udhcpd\.conf|\.sample$|\.example$|[-_.]sample[-_.]|/examples?/|ppp/(peers|chap|pap)|wvdial|resolv\.conf\.head)",
    re.IGNORECASE,
)
_BUNDLE = re.compile(
    r"(ca-?bundle|ca-?certificates|cacert|root[-_]?ca|/certs?/|/ssl/)", re.IGNORECASE
)
_HOSTS = re.compile(r"(^|/)hosts(\.[a-z]+)?$")
_TABLES = re.compile(
    r"(^|/)(protocols|services|ethertypes|rpc|networks|mime\.types|magic|oui\.txt|ieee-oui\.txt|usb\.ids|pci\.ids)$"
)
_SCHEMA = re.compile(r"\.(wsdl|xsd|xsl|xslt|dtd)$", re.IGNORECASE)
_ZONES = re.compile(r"(^|/)(zoneinfo|tzdata|locale|i18n|charsets?|gconv)(/|$)")


class Role(StrEnum):
    ELF = "elf"
    BINARY = "binary"
    CONFIG = "config"
    SCRIPT = "script"
    CODE = "code"
    WEB_CODE = "web-code"
    WEB_PAGE = "web-page"
    CERTIFICATE = "certificate"
    DOCUMENT = "document"
    SCHEMA = "schema"
    HOSTS = "hosts"
    TABLE = "table"
    """Numbers of protocols, vendors, devices: no file of settings."""
    SAMPLE = "sample"
    CATALOGUE = "catalogue"
    TEXT = "text"


PROGRAM = frozenset({Role.ELF, Role.BINARY})
SOURCE = frozenset({Role.CODE, Role.WEB_CODE})


def role_of(path: str, data: bytes | memoryview) -> Role:
    """By the content where it says something, else by the name."""
    head = bytes(data[:_HEAD])
    name = path.replace("!/", "/")
    if head.startswith(b"\x7fELF"):
        return Role.ELF
    base = name.rpartition("/")[2]
    if _HOSTS.search(name) and b"\0" not in head:
        return Role.HOSTS
    if _SCHEMA.search(base):
        return Role.SCHEMA
    if _TABLES.search(name):
        return Role.TABLE
    if _SAMPLE.search(name):
        return Role.SAMPLE
    if (
        _MANUALS.search(name)
        and b"\0" not in head
        and not base.endswith((".conf", ".sh", ".json", ".ini"))
    ):
        return Role.DOCUMENT
    if _PACKAGE.search(name) and b"\0" not in head:
        return Role.DOCUMENT
    if _NOTICE.search(base) and not base.endswith((".js", ".json", ".so")):
        return Role.DOCUMENT
    text = not _binary(head)
    if text and head.startswith(b"#!"):
        first = head[:64].split(b"\n", 1)[0]
        if re.search(rb"lua|python|perl|php|node|ruby", first):
            return Role.CODE
        return Role.SCRIPT
    if b"-----BEGIN CERTIFICATE" in head or (
        _BUNDLE.search(name) and base.endswith((".pem", ".crt", ".cer", ".der", ".0"))
    ):
        return Role.CERTIFICATE
    if not text:
        return (
            Role.CATALOGUE if _ZONES.search(name) or base.endswith((".mo", ".qm")) else Role.BINARY
        )
    ending = base.rpartition(".")[2].lower() if "." in base else ""
    if ending in _BY_ENDING:
        return Role(_BY_ENDING[ending])
    if _ZONES.search(name):
        return Role.CATALOGUE
    start = head.lstrip()[:16]
    if start.startswith((b"{", b"[", b"<?xml")):
        return Role.CONFIG
    if start[:9].lower().startswith((b"<!doctype", b"<html")):
        return Role.WEB_PAGE
    if "/etc/" in f"/{name}" and ("/init.d/" in name or base.startswith("rc")):
        return Role.SCRIPT
    return Role.CONFIG if re.search(r"(^|/)(etc|conf|config|default)/", name) else Role.TEXT


def _binary(head: bytes) -> bool:
    if not head:
        return False
    if b"\0" in head:
        return True
    odd = len(head) - len(
        head.translate(None, bytes((*range(14, 27), *range(28, 32), *range(1, 7))))
    )
    return odd * 20 > len(head)
