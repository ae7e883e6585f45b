"""What is one emulated device model, and is its file valid?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

PERSONAS = Path(__file__).parent / "personas"

HTTP_QUIRKS = (
    "lf_only",
    "no_reason",
    "dup_len",
    "slowloris",
    "drip",
    "endless",
    "silent",
    "rst",
    "gzip_bomb",
)
Version = Literal["1.0", "1.1", "1.2", "1.3"]
Role = Literal[
    "camera",
    "recorder",
    "doorbell",
    "nas",
    "printer",
    "router",
    "switch",
    "pc",
    "phone",
    "plug",
    "middlebox",
    "tarpit",
    "honeypot",
    "other",
]


class PersonaError(Exception):
    """A persona file is wrong: names file, place and what to do."""


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables: unknown keys are errors."""


class Truth(_Table):
    is_camera: bool
    role: Role
    maker: str | None = None
    brand: str | None = None
    platform: str | None = None
    model: str | None = None
    firmware: str | None = None
    build_date: str | None = None
    cloud: tuple[str, ...] = ()
    channels_announced: int | None = None
    channels_seen: int | None = None
    notes: str = ""


class Latency(_Table):
    connect_ms: float = 0
    first_byte_ms: float = 0
    tls_ms: float = 0


class Limits(_Table):
    max_connections: int | None = None
    crash_seconds: float = 20


class Quirks(_Table):
    stated_ip: str | None = None
    all_ports: bool = False
    ping: bool = True


class Certificate(_Table):
    subject: str = "CN=localhost"
    issuer: str = ""
    sans: tuple[str, ...] = ()
    key: Literal["rsa", "ec"] = "rsa"
    key_bits: int = 2048
    days: int = 3650
    not_before: str = "2020-01-01"
    hash: Literal["sha1", "sha256"] = "sha256"
    shared: str = ""


class Tls(_Table):
    min: Version = "1.2"
    max: Version = "1.3"
    handshake_ms: float = 0
    cert: Certificate = Certificate()


class Route(_Table):
    path: str
    method: str = "GET"
    response: str | None = None
    response_hex: str | None = None
    body_hex: str | None = None
    body_file: str | None = None
    body_base64: str | None = None
    delay_ms: float = 0
    contains: str | None = None
    """The request (head and body) must hold this text."""


class Greeting(_Table):
    match_hex: str = ""
    min_length: int = 0
    response: str | None = None
    response_hex: str | None = None
    head_hex: str | None = None
    """Bytes before the text of `response`."""
    close: bool = False


class Tcp(_Table):
    proto: Literal["http", "https", "rtsp", "rtsps", "raw", "raw-tls", "silent", "tarpit"]
    port: int | None = None
    ports: tuple[int, ...] = ()
    close: bool = False
    quirks: tuple[str, ...] = ()
    banner: str | None = None
    banner_hex: str | None = None
    tarpit: Literal["slowloris", "endless", "silent", "drip", "banner"] | None = None
    route: tuple[Route, ...] = ()
    greeting: tuple[Greeting, ...] = ()
    tls: Tls | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """All ports of the service."""
        return (*((self.port,) if self.port is not None else ()), *self.ports)


class Record(_Table):
    """One DNS-SD service instance."""

    type: str
    instance: str
    port: int
    host: str
    txt: tuple[str, ...] = ()


class Udp(_Table):
    service: str
    port: int | None = None
    groups: tuple[str, ...] | None = None
    delay_ms: float | None = None
    destination: Literal["sender", "port", "group"] | None = None
    unicast: bool = True
    group: bool = True
    types: tuple[str, ...] = ("dn:NetworkVideoTransmitter",)
    st: tuple[str, ...] = ("upnp:rootdevice",)
    match_hex: str | None = None
    reply: str | None = None
    replies: tuple[str, ...] = ()
    reply_hex: str | None = None
    fields: Mapping[str, str | int] = {}
    record: tuple[Record, ...] = ()


class PhoneHome(_Table):
    name: str
    proto: Literal["dns+tls", "dns+http", "dns+tcp", "dns+udp", "udp-p2p", "ntp"]
    port: int
    every_s: float = 60
    jitter_s: float = 0
    phase_s: float | None = None
    bytes_up: int = 200
    bytes_down: int = 200
    request: str | None = None
    request_hex: str | None = None


class Beacon(_Table):
    """A datagram the device broadcasts by itself."""

    form: Literal["tuya", "tuya-plain", "text"]
    port: int
    text: str
    every_s: float = 5


class Persona(_Table):
    """One device model; schema and meaning: lab/PERSONAS.md."""

    id: str
    about: str
    mac: str | tuple[str, ...]
    truth: Truth
    serial: str = "############"
    uuid: str | None = None
    latency: Latency = Latency()
    limits: Limits = Limits()
    quirks: Quirks = Quirks()
    sources: Mapping[str, str] = {}
    tcp: tuple[Tcp, ...] = ()
    udp: tuple[Udp, ...] = ()
    phone_home: tuple[PhoneHome, ...] = ()
    beacon: tuple[Beacon, ...] = ()

    @property
    def macs(self) -> tuple[str, ...]:
        """Registrant prefixes."""
        return (self.mac,) if isinstance(self.mac, str) else self.mac


_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_PREFIX = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){2,4}")
_TOKEN = re.compile(r"\{([A-Za-z][A-Za-z-]*)(?::(\d+))?\}")


def _hex(text: str | None, where: str) -> Iterator[str]:
    if text is not None:
        try:
            bytes.fromhex(text)
        except ValueError:
            yield f"{where}: not hexadecimal: {text[:40]!r}"


def _tcp_problems(tcp: Tcp, folder: Path) -> Iterator[str]:
    where = f"tcp {tcp.numbers}"
    if not tcp.numbers:
        yield f"{where}: give port or ports"
    for number in tcp.numbers:
        if not 0 < number < 65536:
            yield f"{where}: port {number} is not 1 to 65535"
    for quirk in tcp.quirks:
        if quirk not in HTTP_QUIRKS:
            yield f"{where}: unknown quirk {quirk!r}; known: {', '.join(HTTP_QUIRKS)}"
    if tcp.proto in {"http", "https", "rtsp", "rtsps"} and not tcp.route:
        yield f"{where}: {tcp.proto} needs at least one [[tcp.route]]"
    if tcp.proto in {"https", "rtsps", "raw-tls"} and tcp.tls is None:
        yield f"{where}: {tcp.proto} needs [tcp.tls]"
    if tcp.proto == "tarpit" and tcp.tarpit is None:
        yield f"{where}: proto tarpit needs tarpit = slowloris | endless | silent | drip | banner"
    yield from _hex(tcp.banner_hex, f"{where}: banner_hex")
    for route in tcp.route:
        at = f"{where}: route {route.method} {route.path}"
        if not (route.path == "*" or route.path.startswith("/")):
            yield f'{at}: path starts with "/" or is "*"'
        if (route.response is None) == (route.response_hex is None):
            yield f"{at}: give either response or response_hex"
        yield from _hex(route.response_hex, f"{at}: response_hex")
        yield from _hex(route.body_hex, f"{at}: body_hex")
        if route.body_file and not (folder / route.body_file).is_file():
            yield f"{at}: body_file {route.body_file} is not there (looked below {folder.name}/)"
    for greeting in tcp.greeting:
        yield from _hex(greeting.match_hex, f"{where}: greeting match_hex")
        yield from _hex(greeting.response_hex, f"{where}: greeting response_hex")
        yield from _hex(greeting.head_hex, f"{where}: greeting head_hex")
        if greeting.response is not None and greeting.response_hex is not None:
            yield f"{where}: greeting has both response and response_hex"


def _tokens(persona: Persona) -> Iterator[str]:
    from lab.unit import TOKENS

    texts: list[tuple[str, str]] = []
    for tcp in persona.tcp:
        texts += [(f"tcp {tcp.numbers}: route {r.path}", r.response or "") for r in tcp.route]
        texts.append((f"tcp {tcp.numbers}: banner", tcp.banner or ""))
    for udp in persona.udp:
        texts += [(f"udp {udp.service}", text) for text in (udp.reply or "", *udp.replies)]
        texts += [(f"udp {udp.service}", str(value)) for value in udp.fields.values()]
    texts += [(f"beacon {beacon.port}", beacon.text) for beacon in persona.beacon]
    for where, text in texts:
        head = text.replace("\r", "").partition("\n\n")[0] if where.startswith("tcp") else text
        for name, _number in _TOKEN.findall(head):
            if name not in TOKENS:
                yield f"{where}: unknown placeholder {{{name}}}; known: {', '.join(sorted(TOKENS))}"


def problems(persona: Persona, path: Path) -> list[str]:
    """All that is wrong with a persona beyond types."""
    from lab.udp_services import udp_problems

    found: list[str] = []
    if persona.id != path.stem:
        found.append(f"id {persona.id!r} differs from the file name {path.stem!r}")
    if not _NAME.fullmatch(persona.id):
        found.append(f"id {persona.id!r}: lower-case letters, digits and - only")
    for prefix in persona.macs:
        if not _PREFIX.fullmatch(prefix):
            found.append(f"mac {prefix!r}: 3 to 5 octets, lower-case, with colons")
        elif int(prefix[:2], 16) & 1:
            found.append(f"mac {prefix!r} is a group address")
    if not persona.sources:
        found.append("[sources] is empty: name where the form of each answer is documented")
    if persona.truth.is_camera and persona.truth.role not in {"camera", "recorder", "doorbell"}:
        found.append(f"truth: is_camera is true but the role is {persona.truth.role}")
    ports = [number for tcp in persona.tcp for number in tcp.numbers]
    twice = sorted({port for port in ports if ports.count(port) > 1})
    found += [f"tcp port {number} is given twice" for number in twice]
    for tcp in persona.tcp:
        found += _tcp_problems(tcp, path.parent)
    for udp in persona.udp:
        found += udp_problems(udp)
    for home in persona.phone_home:
        found += _hex(home.request_hex, f"phone_home {home.name}: request_hex")
        if home.every_s < 1:
            found.append(f"phone_home {home.name}: every_s below 1")
    found += [
        f"beacon {beacon.port}: every_s below 1" for beacon in persona.beacon if beacon.every_s < 1
    ]
    for name in persona.truth.cloud:
        if name not in {home.name for home in persona.phone_home}:
            found.append(f"truth.cloud names {name}, but no [[phone_home]] goes there")
    found += _tokens(persona)
    return found


def load_persona(path: Path) -> Persona:
    """One persona. Raises PersonaError naming file and place."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Persona)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise PersonaError(f"{path.name}: {error}. See lab/PERSONAS.md.") from error


def load_personas(folder: Path = PERSONAS) -> dict[str, Persona]:
    """All valid personas by id, in order of id. Raises PersonaError on the first wrong one."""
    return {path.stem: load_persona(path) for path in sorted(folder.glob("*.toml"))}


def lint(folder: Path = PERSONAS) -> list[str]:
    """All problems of all personas, as `file: problem`."""
    found: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            persona = load_persona(path)
        except PersonaError as error:
            found.append(str(error))
            continue
        found += [f"{path.name}: {problem}" for problem in problems(persona, path)]
    return found
