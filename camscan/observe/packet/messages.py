"""What may be said to the packet helper, and what does it answer?

JSON lines over one socketpair; every line is one Struct with its tag as `type`. No message
carries bytes that would be put on the wire (DESIGN section 6).
"""

from __future__ import annotations

from msgspec import Struct

ARP_CAP = 20_000
"""ARP requests and neighbour solicitations per second, whatever is asked (speed fast)."""
SYN_CAP = 50_000
"""SYN per second, all devices together."""
HOST_CAP = 40
"""SYN per second and device (DESIGN rule 10)."""
NET_CAP = 5_000
"""SYN per second into one /24 (/64 in IPv6): the switch port or radio link behind it."""
LINE_LIMIT = 32 * 1024 * 1024


class Request(Struct, frozen=True, kw_only=True, tag_field="type", tag=lambda name: name.lower()):
    job: int = 0


class Start(Request, frozen=True, kw_only=True):
    """First line, once. `scope` is the JSON of a Scope; the helper builds its own from it."""

    scope: str
    denied: tuple[int, ...]
    neighbours: bool


class ArpSweep(Request, frozen=True, kw_only=True):
    targets: tuple[str, ...]
    """Addresses or CIDR ranges."""
    interface: str
    source: str
    rate: float
    rounds: int = 2
    seed: int = 0


class NdSweep(ArpSweep, frozen=True, kw_only=True):
    pass


class SynSweep(Request, frozen=True, kw_only=True):
    """`macs` non-empty: frames to those link addresses; empty: the kernel routes the packets."""

    targets: tuple[str, ...]
    ports: tuple[int, ...]
    interface: str
    source: str
    rate: float
    per_host_rate: float
    per_net_rate: float = NET_CAP
    macs: dict[str, str] = {}
    liveness: tuple[int, ...] = ()
    """Asked first; the other ports only where one of these was answered."""
    retries: int = 1
    seed: int = 0


class SetNeighbours(Request, frozen=True, kw_only=True):
    add: bool
    interface: str
    entries: tuple[tuple[str, str], ...]
    """(address, MAC)"""


class Capture(Request, frozen=True, kw_only=True):
    """The write end of a pipe comes with this line (SCM_RIGHTS)."""

    interface: str
    program: tuple[tuple[int, int, int, int], ...] = ()
    """Classic BPF, empty = everything; only chooses what is read."""
    snaplen: int = 65_535


class Stop(Request, frozen=True, kw_only=True):
    """End the verb `job`."""


AnyRequest = Start | ArpSweep | NdSweep | SynSweep | SetNeighbours | Capture | Stop


class Neighbour(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An address answered ARP or a neighbour solicitation."""

    address: str
    mac: str
    rtt: float
    """Seconds."""
    round: int
    """0 = first."""
    via: str = ""
    """Layer-2 source where it differs from the MAC in the answer (a proxy)."""


class PortAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`state`: open (SYN/ACK) | closed (RST) | unreachable (ICMP)."""

    address: str
    port: int
    state: str
    rtt: float
    ttl: int
    attempt: int = 0


class SweepSummary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a verb did. `complete` False: stopped, or the kernel lost something on the way."""

    sent: int = 0
    asked: int = 0
    """Addresses asked at least once."""
    answered: int = 0
    """Distinct (address) or (address, port) that answered."""
    first_try: int = 0
    late: int = 0
    """Answered only when asked again."""
    loss: float = 0.0
    """Estimate for one packet and its answer: late / (first_try + late)."""
    skipped: tuple[str, ...] = ()
    """Addresses of targets that were not asked: network, broadcast, own."""
    dropped: int = 0
    """Answers the kernel dropped because our buffer was full."""
    overflows: int = 0
    """Neighbour table overflows of the kernel while the verb ran."""
    backoffs: int = 0
    """How often the rate was halved."""
    rate: float = 0.0
    """Packets per second at the end."""
    seconds: float = 0.0
    smoothed_rtt: float = 0.0
    complete: bool = True
    promiscuous: bool = True
    """capture: whether the card agreed to show frames to other stations."""


class Ready(Struct, frozen=True, kw_only=True, tag_field="type", tag="ready"):
    uid: int
    capabilities: int
    notes: tuple[str, ...]


class Neighbours(Struct, frozen=True, kw_only=True, tag_field="type", tag="neighbours"):
    job: int
    items: tuple[Neighbour, ...]


class PortAnswers(Struct, frozen=True, kw_only=True, tag_field="type", tag="ports"):
    job: int
    items: tuple[PortAnswer, ...]


class Counted(Struct, frozen=True, kw_only=True, tag_field="type", tag="counted"):
    """capture: once a second, how many packets were handed over and how many the kernel dropped so far."""

    job: int
    packets: int
    dropped: int


class Done(Struct, frozen=True, kw_only=True, tag_field="type", tag="done"):
    job: int
    summary: SweepSummary


class Refused(Struct, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """`kind`: scope | privilege | usage | error. Nothing was sent for what is refused."""

    job: int
    kind: str
    message: str


AnyReply = Ready | Neighbours | PortAnswers | Counted | Done | Refused
