"""What is said of a device, by which evidence, how strongly, and where does it talk to?"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Attribute(StrEnum):
    """Closed vocabulary of claim attributes."""

    MAKER = "maker"
    BRAND = "brand"
    PLATFORM = "platform"
    MODEL = "model"
    FIRMWARE = "firmware"
    BUILD_DATE = "build_date"
    ROLE = "role"
    SERIAL = "serial"
    MAC = "mac"
    UUID = "uuid"
    CERTIFICATE_KEY = "certificate_key"
    REGISTRANT = "registrant"
    DEVICE_NAME = "device_name"
    ACTIVATED = "activated"
    CLOUD_SUPPORTED = "cloud.supported"
    CLOUD_ENABLED = "cloud.enabled"
    CLOUD_ACCOUNT = "cloud.account"
    P2P_SUPPORTED = "p2p.supported"
    P2P_ENABLED = "p2p.enabled"
    P2P_ID = "p2p.id"
    DNS_SERVER = "dns.server"
    FACE_DETECTION = "capability.face_detection"
    FACE_RECOGNITION = "capability.face_recognition"
    FACE_ACTIVE = "analytics.face.active"
    PLATE = "capability.plate"
    PLATE_ACTIVE = "analytics.plate.active"
    ATTRIBUTE_ANALYTICS = "capability.person_attributes"
    AUDIO = "capability.audio"
    CHANNELS_ANNOUNCED = "channels.announced"
    ADDRESS_STATED = "address.stated"
    SERVICE_CLEAR = "service.clear"
    """A management or media service offered without encryption: `http:80`, `rtsp:554`."""
    SERVICE_ENCRYPTED = "service.encrypted"
    SERVICE_NO_LOGIN = "service.no_login"
    """Content or identity given without a login: `rtsp:554`, `isapi:80`."""
    TLS_WEAK = "tls.weak"
    """`TLSv1`, `key-1024`, `sha1`, `expired`."""
    UPNP_MAPPING = "upnp.mapping"
    PLATFORM_LINK = "platform.link"
    COMPONENT = "component"


class Role(StrEnum):
    """What kind of thing a device is. The first seven are networked video surveillance."""

    CAMERA = "camera"
    RECORDER = "recorder"
    ENCODER = "encoder"
    DOORBELL = "doorbell"
    INTERCOM = "intercom"
    VIDEO_SERVER = "video-server"
    VIDEO_DEVICE = "video-device"
    """Surveillance for certain, camera or recorder not known."""
    PLUG = "plug"
    PRINTER = "printer"
    NAS = "nas"
    ROUTER = "router"
    SWITCH = "switch"
    ACCESS_POINT = "access-point"
    COMPUTER = "computer"
    PHONE = "phone"
    SPEAKER = "speaker"
    RADAR = "radar"
    SENSOR = "sensor"
    HUB = "hub"
    LAMP = "lamp"
    ACCESS_CONTROL = "access-control"
    MIDDLEBOX = "middlebox"
    OTHER = "other"


VIDEO_ROLES = frozenset(
    {
        Role.CAMERA,
        Role.RECORDER,
        Role.ENCODER,
        Role.DOORBELL,
        Role.INTERCOM,
        Role.VIDEO_SERVER,
        Role.VIDEO_DEVICE,
    },
)


class Family(StrEnum):
    """Who would have to lie (DESIGN rule 3)."""

    MAC_BLOCK = "mac-block"
    LABEL = "label"
    PROTOCOL = "protocol"
    CERTIFICATE = "certificate"
    TRAFFIC = "traffic"
    FIRMWARE = "firmware"
    SETTINGS = "settings"
    DOCUMENT = "document"


class Level(StrEnum):
    """Evidence strength (facts: scoring section 4)."""

    E0 = "E0"
    E1 = "E1"
    E2 = "E2"
    E3 = "E3"
    E4 = "E4"


class Confidence(StrEnum):
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


class State(StrEnum):
    """The five states of a finding or claim (facts: scoring section 3)."""

    OBSERVED = "observed"
    OBSERVED_NOT = "observed_not"
    NOT_OBSERVED = "not_observed"
    DECLARED = "declared"
    CONFLICTING = "conflicting"


class Mark(StrEnum):
    """How an endpoint is connected with a device; the four never turn into each other."""

    NAMED = "named"
    EMBEDDED = "embedded"
    CONFIGURED = "configured"
    CONTACTED = "contacted"


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One signature matched one observation and supports one value."""

    signature: str
    version: str
    """Short content hash of the signature record."""
    family: Family
    level: Level
    """Cap of this evidence alone."""
    observation: str
    attribute: Attribute
    value: str
    excerpt: str = ""
    """The matched text, control characters removed, at most 200 characters."""
    note: str = ""
    local: bool = False


class Claim(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement about one subject that evidence supports."""

    subject: str
    attribute: Attribute
    value: str | None
    """None with state conflicting or not_observed."""
    state: State
    level: Level
    confidence: Confidence
    evidence: tuple[Evidence, ...] = ()
    values: tuple[str, ...] = ()
    """All competing values where the state is conflicting."""
    reason: str = ""


class Visibility(StrEnum):
    DIRECT = "direct"
    DECLARED = "declared by recorder"
    COUNTED = "counted only"
    LISTED = "asset list only"


class Endpoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A remote name or address a device is connected with."""

    device_id: str
    name: str | None
    address: str | None
    port: int | None
    marks: tuple[Mark, ...]
    purpose: str = ""
    service_operator: str | None = None
    service_parent_country: str | None = None
    network_operator: str | None = None
    network_parent_country: str | None = None
    registry_country: str | None = None
    located_country: str | None = None
    sources: tuple[str, ...] = ()
    """`column: source (date)` for each attribution column that is filled."""
    evidence: tuple[Evidence, ...] = ()
    transport: str = ""
    """tcp, udp; empty where no flow was seen."""
    bytes_up: int = 0
    """Bytes the device sent there; frame lengths as captured."""
    bytes_down: int = 0
    packets: int = 0
    first: str = ""
    """UTC, ISO 8601; empty where neither a name nor a flow was seen."""
    last: str = ""
    named_by: tuple[str, ...] = ()
    """Protocols in which the device named it: dns, tls, http, quic ...; cname, certificate: not the device."""
    also_named: tuple[str, ...] = ()
    """Other names that led the device to the same address."""
    services: tuple[str, ...] = ()
    """Camera services spoken (ids of signatures/services)."""
    classes: tuple[str, ...] = ()
    """What the traffic is, from services, ports and volumes: media, signalling, time, name ..."""
    why: tuple[str, ...] = ()
    """How a class was reached, in words."""
    inbound: bool = False
    """The other side opened the conversation."""
    phases: tuple[str, ...] = ()
    """Phases of the capture in which it was seen, to the minute."""
    level: Level = Level.E2
    """Strength of the marks that captures gave."""
    observations: tuple[str, ...] = ()


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device = its claims + endpoints.

    `claims` holds at most one claim per attribute, but for MANY_VALUED attributes one per value.
    """

    device_id: str
    """Stable in a run: the address, `address#port`, or what the import gave."""
    addresses: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    is_camera: bool | None = None
    role: Role | None = None
    claims: tuple[Claim, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    observations: tuple[str, ...] = ()
    behind: str | None = None
    """device_id of the recorder or router it sits behind."""
    visibility: Visibility = Visibility.DIRECT
    joins: tuple[str, ...] = ()
    """Why observations were joined into this device, in words."""
    notes: tuple[str, ...] = ()
    """What a reader must know: `answers any path alike`, `claims three unrelated makers`."""
    place: str | None = None
    listed_as: str | None = None
    """Id of the asset-list row this device was matched with."""

    def claim(self, attribute: Attribute) -> Claim | None:
        """The first claim of that attribute, None if nothing is said."""
        return next((c for c in self.claims if c.attribute is attribute), None)

    def value(self, attribute: Attribute) -> str | None:
        """The settled value, None if unknown or conflicting."""
        claim = self.claim(attribute)
        return claim.value if claim is not None else None

    def values(self, attribute: Attribute) -> tuple[str, ...]:
        """All settled values of a many-valued attribute."""
        return tuple(c.value for c in self.claims if c.attribute is attribute and c.value)


MANY_VALUED = frozenset(
    {
        Attribute.MAC,
        Attribute.REGISTRANT,
        Attribute.DNS_SERVER,
        Attribute.SERVICE_CLEAR,
        Attribute.SERVICE_ENCRYPTED,
        Attribute.SERVICE_NO_LOGIN,
        Attribute.TLS_WEAK,
        Attribute.ADDRESS_STATED,
        Attribute.COMPONENT,
        Attribute.UPNP_MAPPING,
        Attribute.PLATFORM_LINK,
        Attribute.UUID,
        Attribute.CERTIFICATE_KEY,
    },
)
