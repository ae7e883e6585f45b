"""What did a capture show: names, flows, services, facts about clients, and what could not be read?

Records of `observe/traffic` and of imported Zeek and Suricata logs. Each is stored in a run as one
observation (kind `name`, `flow`, `service` or `capture`) whose bytes are this record as JSON, so that
identify and attribute read captures and imported logs alike. Those there may be a million of are left out of
Python's search for cycles (`gc=False`): strings, numbers and tuples of them make none.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

STIMULI = ("power-cycle", "login", "motion", "time-change", "internet-cut")
"""Phases of a capture by these names count as stimuli (facts: scoring 5); any other name is a note."""


def phase_words(names: Iterable[str]) -> str:
    """`power-cycle; other phases: boot`, or `none stated`."""
    given = tuple(dict.fromkeys(names))
    notes = [name for name in given if name not in STIMULI]
    text = ", ".join(name for name in given if name in STIMULI) or "none stated"
    return f"{text}; other phases: {', '.join(notes)}" if notes else text


class NameSeen(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A client named a remote party over one protocol."""

    client: str
    """Address of the client, text form."""
    proto: str
    """dns | mdns | llmnr | tls | tls-cert | http | http-connect | quic | mqtt | rtsp | sip | ..."""
    name: str
    """Lower case, without trailing dot, control and bidi characters removed."""
    first: float
    """UTC seconds since the epoch."""
    last: float
    count: int
    client_mac: str | None = None
    remote: str | None = None
    """Server address of the flow in which it stood; None for DNS questions."""
    port: int | None = None
    answers: tuple[str, ...] = ()
    """DNS: addresses the name resolved to, through its CNAME chain."""
    aliases: tuple[str, ...] = ()
    """DNS: the CNAME chain in order."""
    alpn: tuple[str, ...] = ()
    ech: bool = False
    """An encrypted ClientHello was offered: the name is the outer one."""
    odd: bool = False
    """No host name that can be looked up (`*.example.com`): kept as sent, joined with nothing."""


class ServiceSeen(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A client spoke a camera service, by a signature of signatures/services/."""

    client: str
    service: str
    """Id of the signature."""
    remote: str
    port: int
    transport: str
    first: float
    last: float
    packets: int
    """Packets that matched."""
    client_mac: str | None = None
    announced: str = ""
    """Device id or serial the protocol announced."""
    detail: str = ""


class Minute(Struct, frozen=True, array_like=True, gc=False):
    """One minute of a flow."""

    start: int
    """UTC seconds since the epoch, a multiple of 60."""
    bytes_up: int
    bytes_down: int


class Flow(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All packets between one client and one remote port.

    Bytes are original frame lengths (of the inner frame where a mirror was unwrapped).
    """

    client: str
    remote: str
    port: int
    transport: str
    """tcp | udp | icmp | the IP protocol number as text."""
    bytes_up: int
    bytes_down: int
    packets_up: int
    packets_down: int
    first: float
    last: float
    client_mac: str | None = None
    names: tuple[str, ...] = ()
    """Names that led to this remote: DNS answer of this client, SNI, Host."""
    service: str = ""
    minutes: tuple[Minute, ...] = ()
    media: bool | None = None
    """Upload that looks like media; None = not judged."""
    media_why: str = ""


class ClientFact(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a client said of itself in a capture: a DHCP request, an announcement, an answer."""

    client: str
    kind: str
    """Kind of the observation this becomes: `dhcp`, `mdns`, `ssdp`, `http`, `rtsp`, `wsd`, `sadp` ..."""
    payload: bytes
    """As sent, at most 64 KB; secrets are cut before it is stored."""
    at: float
    port: int | None = None
    transport: str = "udp"
    client_mac: str | None = None
    request: str | None = None
    """What was asked, without path where one may hold a login; None where it was not seen."""
    flags: tuple[str, ...] = ()
    """`auth`: whether it took a login is not known."""


class CaptureSummary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Under which circumstances was it seen? The coverage record of scoring section 5."""

    vantage: str
    """mirror | file | host, as the user named it; `file` where nothing was named."""
    first: float | None = None
    last: float | None = None
    packets: int = 0
    bytes: int = 0
    lost: int | None = None
    """Packets the capture itself says it lost; None = it does not say."""
    clients: int = 0
    dns_visible: bool = False
    encrypted_resolvers: tuple[str, ...] = ()
    """Resolvers spoken to under encryption: names hidden."""
    phases: tuple[tuple[str, float, float], ...] = ()
    """(name, begin, end) of stimuli noted by the user."""
    link_types: tuple[str, ...] = ()
    encapsulations: tuple[tuple[str, int], ...] = ()
    """(tzsp | erspan2 | vxlan ..., packets unwrapped)"""
    not_examined: tuple[tuple[str, int], ...] = ()
    """(reason in words, packets): encapsulated, unknown link type, damaged ..."""
    local: tuple[str, ...] = ()
    """Ranges that counted as the owner's own; empty: private and link-local addresses."""
    media_judged: bool = True
    """False where the source has no minutes (logs of other tools)."""
    gaps: tuple[tuple[float, float, str], ...] = ()
    """(begin, end, why): time between `first` and `last` that was not examined."""
    notes: tuple[str, ...] = ()
    """What else a reader must know: files that cover the same time ..."""

    def seen(self, phase: tuple[str, float, float]) -> bool:
        """Whether a part of a phase lies in the window and outside its gaps."""
        if self.first is None or self.last is None:
            return False
        _, begin, end = phase
        if end < self.first or begin > self.last:
            return False
        begin, end = max(begin, self.first), min(end, self.last)
        return not any(first <= begin and end <= last for first, last, _ in self.gaps)


class Captured(Struct, frozen=True, kw_only=True):
    """Everything one capture, or one set of logs, showed."""

    summary: CaptureSummary
    names: tuple[NameSeen, ...] = ()
    flows: tuple[Flow, ...] = ()
    services: tuple[ServiceSeen, ...] = ()
    facts: tuple[ClientFact, ...] = ()


class Watch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """For how long and from where was one device watched? (facts: scoring 5)"""

    vantages: tuple[str, ...]
    first: float
    """Begin of the first window."""
    last: float
    """End of the last window."""
    days: int
    """Whole days of all windows together: the n of the bound in scoring 5."""
    packets: int
    bytes_up: int
    bytes_down: int
    lost: int | None = None
    dns_visible: bool = False
    encrypted_resolvers: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    not_examined: tuple[tuple[str, int], ...] = ()
    media_judged: bool = True
    gaps: tuple[tuple[float, float, str], ...] = ()
    """(begin, end, why): time within the windows that was not examined."""
    special: tuple[tuple[str, int, int, int], ...] = ()
    """(range, flows, bytes sent, bytes received): with special-purpose ranges outside, which are no parties."""

    @property
    def seconds(self) -> float:
        """From the first window to the last, without the time that was not examined."""
        return max(self.last - self.first - sum(end - begin for begin, end, _ in self.gaps), 0.0)


class DeviceTraffic(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report draws of one device: its window and its volumes to and from outside."""

    device_id: str
    watch: Watch
    width: int
    """Seconds of one interval."""
    minutes: tuple[Minute, ...] = ()
    """Volumes with parties outside the owner's networks."""
    local_up: int = 0
    """Bytes to the owner's own networks."""
    local_down: int = 0
