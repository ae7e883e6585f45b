"""Does a text that is built like a host name stand here as one?

The weaker its ending (`.top`, `.cc`, `.id`), the more its surroundings must say: a scheme, a quotation
mark, a string of its own, a key such as `server=`.
"""

from __future__ import annotations

import re

from camscan.observe.firmware.found import Found
from camscan.observe.firmware.roles import PROGRAM, SOURCE, Role
from camscan.observe.firmware.suffixes import COUNTRY, FILE, STRONG, WORD, strength

_SERVICE = re.compile(
    r"(?:www|api|apis|app|mqtts?|emq|iot|ntp|time|stun|turn|p2p|pppp|push|ota|up(?:date|grade|load)s?|fw|firmware|cloud|dev(?:ice)?s?|auth|login|oauth|sso|account|"
    r"passport|open|gw|gateway|logs?|stats?|data|media|rtmp|rtsp|live|video|stream|relay|dispatch|disp|cfg|conf(?:ig)?|s3|oss|cos|cdn|static|img|image|files?|"
    r"down(?:load)?s?|dl|user|portal|smtp|imap|pop|mail|ftp|ddns|dns|master|slave|main|server|srv|svr|cams?|camera|ipc(?:am)?|nvr|dvr|alarm|alert|event|msg|message|"
    r"im|sip|web|h5|m|wap|test|beta|stg|staging|pre|prod|ws|wss|http|https|hub|node|core|edge|home|smart|service|services|ss|rest|v\d|eu|us|cn|sg|ap|asia|de|ru|hk|in|kr|jp|"
    r"register|reg|lb|proxy|vas|msgsrv|report|track|collect|metrics|monitor|a\d|s\d|p\d|t\d|cert|ca|get|set|sdk|store|storage|pay|shop|check|connect|link|talk|sys)"
    r"\d{0,3}(?:[-_].*)?"
)
_KEY = re.compile(
    r"(?:server|svr|srv|host|hostname|url|uri|domain|addr|address|ntp|dns|mqtt|stun|(?<![a-z])turn|broker|endpoint|cloud|peer|(?<![a-z])site|(?<![a-z])api|(?<![a-z])ip|push|proxy|upgrade|update|smtp|rtmp|p2p|relay|gateway|ddns|(?<![a-z])time|(?<![a-z])ping|nslookup|wget|curl|connect)"
    r"[\w\"'\]\\-]{0,24}\s{0,4}(?:[:=>,(\s]|-[a-zA-Z]\s)\s{0,4}\\?[\"'(<\[]?$",
    re.IGNORECASE,
)
_OPEN = frozenset(" \t\"'`=:,;(<>[{|/@!&?\\+*#%$}~-")
_CLOSE = frozenset(" \t\"'`=:,;)<>]}|/?&\\.!#+*%$@~")
_FIRST_LABELS = frozenset({"com", "org", "net", "edu", "gov"})
_FILES = frozenset(
    {
        "sh",
        "py",
        "pl",
        "so",
        "rs",
        "md",
        "zip",
        "gz",
        "bz",
        "js",
        "java",
        "dat",
        "bin",
        "mk",
        "tf",
        "mov",
        "ps",
        "mp",
        "doc",
        "map",
        "ml",
        "mm",
        "swift",
        "dev",
        "page",
    }
)
_FILE_LABELS = frozenset(
    {
        "html",
        "htm",
        "js",
        "css",
        "json",
        "xml",
        "txt",
        "tar",
        "bin",
        "png",
        "jpg",
        "gif",
        "svg",
        "so",
        "conf",
        "cfg",
        "ini",
        "sh",
        "py",
        "lua",
        "min",
        "img",
        "log",
        "tmp",
        "bak",
        "pem",
        "crt",
        "key",
    }
)
_PLAIN = frozenset({"de", "fr", "nl", "tv", "ch", "ca"})
"""Countries whose two letters are no word of code."""
_SOURCE_FILE = frozenset(
    {"cc", "sh", "py", "pl", "so", "rs", "mm", "ml", "ps", "md", "mk", "la", "in", "js", "gs", "tf"}
)


def identifier(found: Found) -> bool:
    """`com.vendor.app`: a domain written backwards names a package or a service of a bus."""
    labels = found.labels
    return (
        len(labels) >= 3 and labels[0] in _FIRST_LABELS and not found.scheme and not found.template
    )


def source_file(found: Found) -> bool:
    return not found.scheme and found.ending in _SOURCE_FILE and found.port is None


def _file_name(found: Found) -> bool:
    """`index.html.br`: the label before the ending is an ending of files itself."""
    labels = found.labels
    return len(labels) >= 3 and labels[-2] in _FILE_LABELS and found.port is None


def service_name(host: str) -> bool:
    return _SERVICE.fullmatch(host.partition(".")[0]) is not None


def keyed(found: Found) -> bool:
    """Whether a key such as `server=` stands before it."""
    return _KEY.search(found.left[-64:]) is not None


def stands_alone(found: Found) -> bool:
    """Whether the string holds nothing else."""
    return not found.left.strip() and not found.right.strip(". \t/")


def quoted(found: Found) -> bool:
    left = found.left[-1:]
    if left in {'"', "'", "`"}:
        return found.right[:1] in {left, "/", ":", "?", ",", ";", "\\", " "} or not found.right
    return found.left.endswith("\\") and found.right[:1] == "\\"


def accepted(found: Found, role: Role, *, known: bool) -> bool:
    """Whether it is a host name here. `known`: signatures/ name it or a name above it."""
    host, count = found.host, len(found.labels)
    grade = strength(found.ending)
    if found.address:
        return True
    if found.scheme:
        return True
    if (identifier(found) or _file_name(found)) and not known:
        return False
    if found.template and host.startswith("*."):
        return _pattern(found, role, grade)
    if role in SOURCE or role is Role.WEB_PAGE:
        return _in_source(found, role, grade, known=known)
    if not _bounded(found, role):
        return False
    if known:
        return True
    if role in PROGRAM:
        return _in_program(found, grade)
    if _in_path(found):
        return False
    if grade is STRONG:
        return True
    service = service_name(host)
    key = keyed(found)
    if grade is COUNTRY:
        return count >= 3 or key
    if grade is WORD:
        return (count >= 3 and (service or key)) or (
            key and quoted(found) and found.port is not None
        )
    return count >= 3 and service and (key or quoted(found)) and found.ending not in _FILES


def _pattern(found: Found, role: Role, grade: int) -> bool:
    """`.example.com` alone: the end of names that are put together at run time."""
    if found.far_left[-1:] == "*" and len(found.ending) == 2 and len(found.labels) < 4:
        return found.ending == "cn"  # `*.tar.br` is a pattern of files
    if grade < STRONG:
        return False
    if role in PROGRAM:
        return not found.left.strip() or found.left[-1:] in {'"', "'", " ", "s", "d"}
    return found.left[-1:] in {'"', "'", "`", " ", "=", ",", "|", "*", ""} and (
        role not in SOURCE or quoted(found)
    )


def _in_source(found: Found, role: Role, grade: int, *, known: bool) -> bool:
    count, service = len(found.labels), service_name(found.host)
    if found.left.endswith(("${", "{{", "{{ ")) and not found.template:
        return False
    if found.left[-1:] == "@":
        return grade is STRONG
    if quoted(found) or found.left.endswith("//"):
        if known or grade is STRONG:
            return True
        if grade is COUNTRY:
            return count >= 3 or (service and keyed(found))
        # `settings.device.info` is the key of a text.
        return grade is WORD and count >= 3 and service and keyed(found)
    if found.template:
        return grade is STRONG
    if known and grade is STRONG and count >= 3:
        return found.left[-1:] in _OPEN or not found.left
    if grade is STRONG and count >= 3 and service:
        return not re.search(r"[\w)\]]$", found.left) and found.right[:1] not in {"(", "="}
    return (
        role is Role.WEB_PAGE
        and grade is STRONG
        and found.left[-1:] in {">", " "}
        and (service or count >= 3)
    )


def _bounded(found: Found, role: Role) -> bool:
    if found.split:
        return True
    before, after = found.left[-1:], found.right[:1]
    if role not in PROGRAM:
        return (not before or before in _OPEN or before > "\x7e") and (
            not after or after in _CLOSE or after > "\x7e"
        )
    if (before or "\0") > "\x7e" or (after or "\0") > "\x7e":
        # Texts in Chinese have no space before a name; random bytes make no `api.` and no `.com`.
        return (
            strength(found.ending) is STRONG and len(found.labels) >= 3 and service_name(found.host)
        )
    return (not before or before in _OPEN) and (not after or after in _CLOSE)


def _in_path(found: Found) -> bool:
    return found.left[-1:] in {"/", "\\"} and not found.left.endswith(("//", "\\/\\/"))


def _in_program(found: Found, grade: int) -> bool:
    host, count = found.host, len(found.labels)
    service = service_name(host)
    if _in_path(found):
        return grade is STRONG and count >= 3 and service
    alone = stands_alone(found) or found.split
    if grade is STRONG:
        if len(found.ending) == 2 and len(host) < 7:
            return alone and keyed(found)
        if alone:
            return len(host) > 5
        return len(found.left) + len(found.right) + len(host) >= 10
    if grade is COUNTRY:
        if alone:
            return count >= 3 or (found.ending in _PLAIN and len(host) > 7) or keyed(found)
        return count >= 3 and (service or keyed(found))
    if grade is WORD:
        return count >= 3 and service
    return grade is FILE and count >= 3 and service and found.ending not in _FILES
