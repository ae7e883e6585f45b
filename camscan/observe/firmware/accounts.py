"""Which accounts, services started at boot and unsigned update paths do the files of an image state?

No password is tried and no hash is kept: an entry of a password file is told as an account that is
present, with the kind of its hash. Conditions around a line of a script are not evaluated, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from camscan.decode.text import clean
from camscan.model.firmware import ImageKey

_FILES = re.compile(r"(^|/)(passwd|shadow)([-~._][\w.-]{0,12})?$")
_BOOT = re.compile(
    r"(^|/)(inittab|rc\.local|rcS|rc\.sysinit|inetd\.conf|init|preinit|linuxrc)$|(^|/)(init\.d|rc\d?\.d|rcS\.d|systemd/system)/[^/]+$|(?i:(^|/)[^/]*(start|boot|init|run|load|auto)[^/]*\.sh$)"
)
_LINE = re.compile(rb"[^\n\r]{1,400}")
_ENTRY = re.compile(
    rb"(?<![\w.-])([a-z_][a-z0-9_-]{0,31}):([^:\s\x00]{0,128}):(\d{0,6}):(\d{0,6}):[^:\n\x00]{0,60}:[^:\n\x00]{0,80}:([^\n\s\x00:]{0,60})"
)
_SHADOW = re.compile(rb"^([a-z_][a-z0-9_-]{0,31}):([^:\s]{0,128}):\d{0,6}:", re.MULTILINE)
_SERVICES = re.compile(
    rb"(?<![\w/.-])(?:[\w/.-]{0,60}/)?(telnetd|utelnetd|tcpsvd|vsftpd|ftpd|pure-ftpd|tftpd|dropbear|sshd|adbd|gdbserver|rlogind|rshd|nc|socat|snmpd)(?![\w.-]|\s*\))([^\n\r]{0,120})"
)
_OPEN = frozenset(
    {
        "telnetd",
        "utelnetd",
        "tcpsvd",
        "ftpd",
        "vsftpd",
        "pure-ftpd",
        "tftpd",
        "dropbear",
        "sshd",
        "adbd",
        "gdbserver",
        "rlogind",
        "rshd",
        "snmpd",
    }
)
_QUIET = re.compile(
    rb"\b(?:kill(?:all)?|pidof|pgrep|grep|which|echo|rm|ls|chmod|cp|mv|ln|test|command -v|type)\b[^\n]{0,60}$"
)
_DOWNLOAD = re.compile(
    rb"\b(?:wget|curl|tftp|ftpget)\b[^\n]{0,120}(?:http://|ftp://|\btftp\b|\bftpget\b)"
)
_FLASH = re.compile(
    rb"\b(?:flashcp|flash_eraseall|mtd_write|mtd\s+write|nandwrite|updater|dd\b[^\n]{0,80}of=/dev/(?:mtd|mmcblk))"
)
_CHECK = re.compile(
    rb"\bopenssl\s+(?:dgst|rsautl|pkeyutl|smime|cms)|\bverify|signature|\bsig\b|\.sig\b|\bgpg|rsa",
    re.IGNORECASE,
)
_MOST = 200
_HEAD = 1 << 20
"""Bytes of a file that are looked through."""


def find(path: str, data: bytes) -> Iterator[ImageKey]:
    """Accounts, services and update scripts of one file."""
    name = path.rpartition("!/")[2] if "!/" in path else path
    where = clean(path)
    if _FILES.search(name):
        yield from _accounts(where, data[:_HEAD], shadow="shadow" in name.rpartition("/")[2])
    elif b"\0" in data[:4096] and data.find(b"root:", 0, _HEAD) >= 0:
        yield from _embedded(where, data)
    if b"\0" in data[:1024]:
        return
    body = data[:_HEAD]
    if _BOOT.search(name):
        yield from _services(where, body)
    if body.startswith(b"#!") or name.endswith(".sh"):
        yield from _updates(where, body)


def _accounts(path: str, body: bytes, *, shadow: bool) -> Iterator[ImageKey]:
    form = _SHADOW if shadow else _ENTRY
    for number, match in enumerate(form.finditer(body)):
        if number >= _MOST:
            return
        shell = b"" if shadow else match[5]
        if (found := _account(path, match, shell)) is not None:
            yield found


def _embedded(path: str, data: bytes) -> Iterator[ImageKey]:
    """A password line written into a program: `root:...:0:0:...`."""
    for match in re.finditer(rb"root:[^:\s\x00]{0,128}:0:0:[^\n\x00]{0,120}", data):
        entry = _ENTRY.match(bytes(match[0]))
        if (
            entry is not None
            and (found := _account(path, entry, entry[5], match.start())) is not None
        ):
            yield found
            return


def _account(
    path: str, match: re.Match[bytes], shell: bytes, base: int | None = None
) -> ImageKey | None:
    if shell.endswith((b"nologin", b"false", b"sync", b"halt", b"shutdown")):
        return None
    kind = hash_kind(match[2])
    if not kind:
        return None
    user = match[1].decode("ascii")
    root = user == "root" or ((match.lastindex or 0) > 3 and match[3] == b"0")
    words = {
        "empty": "account present, without a password",
        "des-crypt": "account present, its password kept in a form of the 1970s (DES crypt, 8 characters)",
        "md5-crypt": "account present, its password kept in a weak form (MD5 crypt)",
        "plain": "account present, its password kept in a form that is no known hash",
    }
    note = words.get(kind, f"account present, with a password ({kind})")
    return ImageKey(
        what="account", path=path, offset=match.start() if base is None else base, type=kind, subject=user,
        note=note + ("; it is the administrator" if root else ""),
    )  # fmt: skip


def hash_kind(text: bytes) -> str:
    """Which form a password field has; empty where nobody can log in or the hash stands elsewhere."""
    if text in {b"x", b"*", b"!", b"!!", b"*LK*", b"NP"} or text.startswith((b"!", b"*")):
        return ""
    if not text:
        return "empty"
    prefixes = {
        b"$1$": "md5-crypt",
        b"$2": "bcrypt",
        b"$5$": "sha256-crypt",
        b"$6$": "sha512-crypt",
        b"$y$": "yescrypt",
    }
    for prefix, kind in prefixes.items():
        if text.startswith(prefix):
            return kind
    return "des-crypt" if re.fullmatch(rb"[./0-9A-Za-z]{13}", text) else "plain"


def _services(path: str, body: bytes) -> Iterator[ImageKey]:
    seen: set[str] = set()
    for line in _LINE.finditer(body):
        text = line[0].strip()
        if text.startswith((b"#", b";", b"//")):
            continue
        for match in _SERVICES.finditer(line[0]):
            service = match[1].decode("ascii")
            before = line[0][: match.start()]
            if service not in _OPEN or service in seen or _QUIET.search(before) or b"#" in before:
                continue
            seen.add(service)
            yield ImageKey(
                what="service-at-boot", path=path, offset=line.start() + match.start(1), type=service,
                note="named in a file that is run at boot; conditions around the line were not evaluated",
            )  # fmt: skip


def _updates(path: str, body: bytes) -> Iterator[ImageKey]:
    load, write = _DOWNLOAD.search(body), _FLASH.search(body)
    if load is not None and write is not None and not _CHECK.search(body):
        yield ImageKey(
            what="update-without-signature", path=path, offset=load.start(), type="script",
            note="the script loads over an open protocol and writes to flash; no check of a signature stands in it; what other programs check is not known",
        )  # fmt: skip
