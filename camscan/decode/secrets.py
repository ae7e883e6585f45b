"""Which spans of an answer are secrets or pictures, and never reach the disk (DESIGN rule 11)?

Each is replaced by `<cut:kind:length>`; no hash is kept. Everything else stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from camscan.decode.http import MAX_INFLATED, inflate, unchunk
from camscan.model.observation import Kind

_UNTOUCHED = frozenset(
    {Kind.FAVICON, Kind.NEIGHBOUR, Kind.PORTS, Kind.PPPP, Kind.TLS, Kind.DHCP, Kind.MDNS}
    | {Kind.NAME, Kind.FLOW, Kind.SERVICE, Kind.CAPTURE, Kind.IMAGE}
)
"""Kinds whose form has no place for a secret; those of captures are made of names and counts alone."""

# Names of elements, keys and parameters whose value is a secret. Compared without `_`, `-` and
# case. `key` alone is the EHome/ISUP key (facts: device_apis 1) and only cut in ISAPI answers:
# elsewhere it is a word of the format (Apple property lists).
_NAMES = (
    "(?:[a-z0-9_]{0,24}(?:password|passwd|passphrase)|(?:[a-z0-9_]{0,24}_)?(?:pwd|psk)|userpwd"
    "|loginpass|login_?pwd|pre_?shared_?key|wpa_?psk|shared_?key|verification_?code|validate_?code"
    "|secret_?key|private_?key|access_?key|access_?token|api_?key|auth_?key|client_?secret"
    "|(?:snmp|ro|rw|read|write)_?community|community_?string|wep_?key|ehome_?key)"
)
_PEM = re.compile(
    rb"-----BEGIN (?:[A-Z]{2,16} ){0,3}PRIVATE KEY-----[^-]{0,16384}"
    rb"(?:-----END (?:[A-Z]{2,16} ){0,3}PRIVATE KEY-----)?"
)
_HEADERS = re.compile(
    rb"^((?:Proxy-)?Authorization|Cookie|X-Auth-Token)([ \t]{0,8}:[ \t]{0,8})([^\r\n]{1,8192})",
    re.IGNORECASE | re.MULTILINE,
)
_SET_COOKIE = re.compile(
    rb"^(Set-Cookie[ \t]{0,8}:[ \t]{0,8}[^=;\r\n]{0,256}=)([^;\r\n]{1,8192})",
    re.IGNORECASE | re.MULTILINE,
)
_SDP_CRYPTO = re.compile(
    rb"^(a=crypto:[^\r\n]{0,128}?inline:)([^\r\n|]{1,512})", re.IGNORECASE | re.MULTILINE
)
_SDP_KEY = re.compile(
    rb"^(a=key-mgmt:[^\s]{1,32}[ \t]|k=[a-z0-9-]{1,16}:)([^\r\n]{1,4096})",
    re.IGNORECASE | re.MULTILINE,
)
_USERINFO = re.compile(
    rb"([a-z]{2,8}://[^\s/@:\"'<>]{0,64}:)([^\s/@\"'<>]{1,128})(?=@)", re.IGNORECASE
)
_NAME_BYTES = _NAMES.encode("ascii")
_XML = re.compile(
    rb"(<(?:[\w.-]{1,32}:)?" + _NAME_BYTES + rb"(?:\s[^<>]{0,256})?>)([^<]{1,4096})(?=</)",
    re.IGNORECASE,
)
_JSON = re.compile(
    rb"([\"']" + _NAME_BYTES + rb"[\"']\s{0,8}:\s{0,8})"
    rb"(\"(?:[^\"\\\r\n]|\\.){1,4096}\"|\d{1,64})",
    re.IGNORECASE,
)
_ISAPI_KEY = re.compile(
    rb"(<key>)([^<]{1,4096})(?=</key>)|(\"key\"\s{0,8}:\s{0,8}\")([^\"\r\n]{1,4096})"
)
_ASSIGNED = re.compile(
    rb"^([ \t]{0,64}(?:var[ \t]{1,4})?(?:[\w.\[\]-]{0,96}[._\]])?"
    + _NAME_BYTES
    + rb"[ \t]{0,4}=[ \t]{0,4}[\"']?)([^\"'\r\n;<>]{1,4096})",
    re.IGNORECASE | re.MULTILINE,
)
_QUERY = re.compile(rb"([?&]" + _NAME_BYTES + rb"=)([^&\s\"'<>]{1,512})", re.IGNORECASE)

_CRYPT = re.compile(
    rb"\$(?:[1567y]|2[abxy]?|gy|apr1|sha1|md5|scrypt|pbkdf2[a-z0-9-]{0,8})\$[./A-Za-z0-9$,=+-]{8,256}"
)
"""A password as crypt(3), Apache or Python's passlib keep it: `$kind$salt$hash`."""

_NAMED = (
    b"passw", b"passphrase", b"loginpass", b"pwd", b"psk", b"shared_key", b"sharedkey", b"verification",
    b"validate", b"secret", b"private_key", b"privatekey", b"access_key", b"accesskey", b"access_token",
    b"accesstoken", b"api_key", b"apikey", b"auth_key", b"authkey", b"community", b"wep_key", b"wepkey",
    b"ehome",
)  # fmt: skip
"""Without one of these words (lower case) no name of _NAMES can stand in an answer; looking for them
costs a hundredth of the expressions (an ordinary page holds none)."""

_RULES: tuple[tuple[str, re.Pattern[bytes], tuple[bytes, ...]], ...] = (
    ("cookie", _SET_COOKIE, (b"set-cookie",)),
    ("sdp-key", _SDP_CRYPTO, (b"a=crypto:",)),
    ("sdp-key", _SDP_KEY, (b"a=key-mgmt:", b"k=")),
    ("password", _USERINFO, (b"@",)),
    ("secret", _XML, _NAMED),
    ("secret", _ASSIGNED, _NAMED),
    ("secret", _QUERY, _NAMED),
)
"""(kind, expression, words of which one must stand in the lower-case answer)."""

_CREDENTIAL_WORDS = (b"authorization", b"cookie", b"x-auth-token")
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
_PICTURE_TYPE = re.compile(
    rb"^content-type[ \t]{0,8}:[ \t]{0,8}(?:image/(?!svg)|video/|audio/|multipart/x-mixed-replace)",
    re.IGNORECASE | re.MULTILINE,
)
_ENCODED = re.compile(
    rb"^content-encoding[ \t]{0,8}:[ \t]{0,8}(?:x-)?(?:gzip|deflate)", re.IGNORECASE | re.MULTILINE
)
_CHUNKED = re.compile(
    rb"^transfer-encoding[ \t]{0,8}:[^\r\n]{0,64}chunked", re.IGNORECASE | re.MULTILINE
)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_MARK = b"<cut:"


def cut(kind: Kind, data: bytes) -> tuple[bytes, bool]:
    """The answer without secrets and pictures, and whether anything was cut.

    Cutting twice changes nothing more. Never raises.
    """
    if kind in _UNTOUCHED or not data:
        return data, False
    if kind is Kind.MIIO:
        return _cut_token(data)
    result = data
    if b"PRIVATE KEY-----" in data:
        result = _PEM.sub(lambda match: _mark("private-key", match[0]), data)
    if kind not in {Kind.HTTPS_CERT, Kind.SSH, Kind.SNMP, Kind.NEIGHBOUR}:
        result = _cut_body(result)
        lower = result.lower()
        if _any(_CREDENTIAL_WORDS, lower):
            result = _HEADERS.sub(_keep(2, "credentials"), result)
        named = _any(_NAMED, lower)
        for name, rule, words in _RULES:
            if named if words is _NAMED else _any(words, lower):
                result = rule.sub(_keep(1, name), result)
        if named:
            result = _JSON.sub(_json, result)
        if kind is Kind.ISAPI:
            result = _ISAPI_KEY.sub(_isapi_key, result)
    return result, result != data


def spans(text: bytes) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of what is cut in a text that is no answer: a string of a firmware image.

    They come in no order and may overlap.
    """
    for match in _PEM.finditer(text):
        yield match.start(), match.end(), "private-key"
    for match in _CRYPT.finditer(text):
        yield match.start(), match.end(), "password-hash"
    lower = text.lower()
    rules = list(_RULES)
    rules.append(("secret", _JSON, _NAMED))
    for name, rule, words in rules:
        if _any(words, lower):
            for match in rule.finditer(text):
                quote = match[2].startswith(b'"') and rule is _JSON
                if not _is_no_secret(match[2]):
                    yield match.start(2) + quote, match.end(2) - quote, name
    if _any(_CREDENTIAL_WORDS, lower):
        for match in _HEADERS.finditer(text):
            yield match.start(3), match.end(3), "credentials"


def _any(words: tuple[bytes, ...], lower: bytes) -> bool:
    for word in words:  # noqa: SIM110 - a plain loop: this runs for every answer of a scan
        if word in lower:
            return True
    return False


def _cut_token(data: bytes) -> tuple[bytes, bool]:
    """Units that are not yet bound send their miIO token in bytes 16 to 31."""
    token = data[16:32]
    if data[:2] != b"\x21\x31" or token.startswith(_MARK) or not token.strip(b"\x00\xff"):
        return data, False
    return data[:16] + _mark("token", token) + data[32:], True


def _cut_body(data: bytes) -> bytes:
    """Replace a picture, and a compressed body that would hide a secret."""
    if data.startswith(_PICTURES):
        return _mark("image", data)
    if data[:5].upper() not in {b"HTTP/", b"RTSP/"}:
        return data
    end = _END_OF_HEAD.search(data, 0, 65_536)
    if end is None:
        return data
    head, body = data[: end.end()], data[end.end() :]
    if not body or body.startswith(_MARK):
        return data
    plain = unchunk(body) if _CHUNKED.search(head) else body
    if _PICTURE_TYPE.search(head) or plain.startswith(_PICTURES):
        return head + _mark("image", body)
    if _ENCODED.search(head) or plain.startswith(b"\x1f\x8b"):
        inflated = inflate(plain)[:MAX_INFLATED]
        if inflated.startswith(_PICTURES):
            return head + _mark("image", body)
        if inflated != plain and cut(Kind.HTTP, b"HTTP/1.0 200\r\n\r\n" + inflated)[1]:
            return head + _mark("compressed", body)
    return data


def _mark(kind: str, secret: bytes) -> bytes:
    return f"<cut:{kind}:{len(secret)}>".encode("ascii")


def _keep(groups: int, kind: str) -> Callable[[re.Match[bytes]], bytes]:
    """A replacement that keeps the leading groups and cuts the one after them."""

    def replace(match: re.Match[bytes]) -> bytes:
        secret = match[groups + 1]
        if _is_no_secret(secret):
            return match[0]
        return b"".join(match.groups()[:groups]) + _mark(kind, secret)

    return replace


def _is_no_secret(value: bytes) -> bool:
    """Whether a value is empty, cut already, or a flag (`isSupportPassword` is true or false)."""
    value = value.strip().strip(b'"').strip()
    return not value or value.startswith(_MARK) or value.lower() in {b"true", b"false", b"null"}


def _isapi_key(match: re.Match[bytes]) -> bytes:
    lead, secret = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    return match[0] if _is_no_secret(secret) else lead + _mark("secret", secret)


def _json(match: re.Match[bytes]) -> bytes:
    secret = match[2]
    if _is_no_secret(secret):
        return match[0]
    length = len(secret) - 2 if secret.startswith(b'"') else len(secret)
    return match[1] + b'"' + f"<cut:secret:{length}>".encode("ascii") + b'"'
