"""Which questions may be put to a device, and in which order?

Built by `knowledge` from signatures/probes.toml, handed to the observers by `audit`.
Observers never decide what an answer means; they ask a `NextJobs` function they were given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from camscan.model.observation import Attempt, Kind, Observation


class Exchange(StrEnum):
    """Closed list of exchanges the wire knows. Each is read-only by construction."""

    HTTP_GET = "http-get"
    HTTP_POST = "http-post"
    """Only the read-only SOAP body of ONVIF GetSystemDateAndTime (named in wire)."""
    IGD_MAPPINGS = "igd-mappings"
    """A gateway's description, then GetGenericPortMappingEntry entry by entry (reads only)."""
    FAVICON = "favicon"
    RTSP = "rtsp"
    """OPTIONS, then DESCRIBE of one listed path on the same connection."""
    TLS = "tls"
    BANNER = "banner"
    """Connect, send nothing, read what the server says first (FTP, telnet, SSH)."""
    GREETING = "greeting"
    """Connect, send the documented login-less greeting of a camera SDK port, read."""
    SNMP_ENGINE = "snmp-engine"
    UDP_SEARCH = "udp-search"
    """One unicast search message of a listed announcement protocol."""


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One exchange with one device: at most one TCP connection."""

    probe: str
    """Id in signatures/probes.toml."""
    kind: Kind
    exchange: Exchange
    port: int
    transport: str = "tcp"
    tls: bool = False
    path: str = ""
    """HTTP path, RTSP path, or name of the search message."""
    canary: bool = False
    slow: bool = False
    """Allow the long first-byte budget (TLS on old chips)."""


class Guard(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Condition on earlier answers of the same device under which a probe is worth its cost.

    All given parts must hold; an empty guard always holds.
    """

    open_port: tuple[int, ...] = ()
    """At least one of these ports is open."""
    platform: tuple[str, ...] = ()
    """At least one of these platforms is among the supported candidates."""
    http: bool = False
    """The port answered as HTTP."""
    tls: bool = False
    seen: tuple[str, ...] = ()
    """At least one of these probes gave an answer."""
    unknown: tuple[str, ...] = ()
    """At least one of these claim attributes is still unsettled."""


class Probe(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of signatures/probes.toml."""

    id: str
    about: str
    kind: Kind
    exchange: Exchange
    source: str
    transport: str = "tcp"
    ports: tuple[int, ...] = ()
    """Ports it is tried on where open; empty = every port in the role (`on`)."""
    on: str = "ports"
    """`ports`, `http` (every port that speaks HTTP) or `https`."""
    path: str = ""
    canary: bool = False
    slow: bool = False
    priority: int = 100
    """Lower first: expected information per cost."""
    guard: Guard = Guard()
    yields: tuple[str, ...] = ()
    """Claim attributes the answer may settle."""


class ProbePlan(Struct, frozen=True, kw_only=True):
    """All a scan may ask: frozen, hashed with the knowledge."""

    tcp_ports: tuple[int, ...]
    liveness_ports: tuple[int, ...]
    probes: tuple[Probe, ...]
    denied_ports: tuple[int, ...]
    announcements: tuple[str, ...]
    """Names of the search messages sent to groups, see observe/network."""


NextJobs = Callable[[Sequence[Observation], Sequence[Attempt]], tuple[Job, ...]]
"""Pure: what a device has said and refused so far -> the jobs still worth asking, best first.
An empty tuple means settled or exhausted."""
