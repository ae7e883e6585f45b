"""What does a firmware image contain, where, and what of it was not opened?

`observe/firmware` opens an image into entries and examines them; an `ImageReport` is stored in a run as
one observation (kind `image`) whose bytes are this record as JSON.
"""

from __future__ import annotations

from msgspec import Struct


class Unopened(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an image nobody looked into."""

    path: str
    """Inner path of the container it lies in; empty for the image itself."""
    offset: int
    size: int
    reason: str
    """encrypted | unknown-format | damaged | budget | no-library | permission"""
    detail: str = ""
    entropy: float | None = None
    """Bits per byte, 0 to 8."""


class Opened(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A container that was opened: one node of the tree picture."""

    path: str
    """Inner path, nested containers joined by `!/`; empty for the image itself."""
    offset: int
    """In the bytes at the path of its parent."""
    size: int
    form: str
    """squashfs | jffs2 | cramfs | ubi | ext | fat | cpio | tar | zip | gzip | xz | uimage | dahua-zip ..."""
    files: int = 0
    label: str = ""
    """What the container says of itself: image name, label, version."""
    created: str = ""
    """ISO time the container states."""


class ImageEndpoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A remote name or address that stands in an image."""

    host: str
    """Name, pattern (`%s.example.com`, `*.example.com`) or address."""
    kind: str
    """Class: cloud_api, p2p, relay, push, update, ntp, dns, ddns, storage, telemetry, stun, mqtt,
    connectivity_check, template, test_env, blocked, library_default, namespace, documentation ..."""
    basis: str
    """plain | utf16 | decoded:ppcs ..."""
    path: str
    offset: int
    """Of the first byte, in the bytes at `path`."""
    length: int
    port: int | None = None
    url: str = ""
    context: str = ""
    """Neighbouring text, control characters removed, secrets cut, at most 200 characters."""
    why: str = ""
    """Why this class."""
    live: bool = True
    """False: informational (noise classes)."""
    paired: str = ""
    """The other half of a domestic/overseas or production/staging pair."""
    also: tuple[tuple[str, int], ...] = ()
    """Other places (path, offset), at most 20."""
    operator: str | None = None
    """Party id, filled by attribute."""
    parent_country: str | None = None


class ImageKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key, certificate or account in an image; never its secret."""

    what: str
    """private-key | certificate | account | service-at-boot | update-without-signature"""
    path: str
    offset: int
    type: str = ""
    bits: int | None = None
    fingerprint: str = ""
    """SHA-256 of the public half (SubjectPublicKeyInfo), lower-case hex."""
    subject: str = ""
    expires: str = ""
    note: str = ""


class ImageComponent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A software component by a signature of signatures/components/."""

    component: str
    version: str | None
    path: str
    offset: int
    signature: str
    excerpt: str = ""
    support_ended: str = ""
    advisories: tuple[str, ...] = ()
    known_exploited: str = ""
    unverified: bool = False
    """Support date and ranges are named with their source, but were not read there again."""


class ImageFact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of evidence for what the image is: maker, platform, model, version, build date."""

    attribute: str
    value: str
    path: str
    offset: int
    excerpt: str = ""
    signature: str = ""
    note: str = ""


class ImageReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that was read from one image."""

    image: str
    """File name as the user gave it."""
    size: int
    sha256: str
    opened: tuple[Opened, ...] = ()
    not_examined: tuple[Unopened, ...] = ()
    files: int = 0
    bytes_examined: int = 0
    facts: tuple[ImageFact, ...] = ()
    endpoints: tuple[ImageEndpoint, ...] = ()
    keys: tuple[ImageKey, ...] = ()
    components: tuple[ImageComponent, ...] = ()
    limits: tuple[str, ...] = ()
    """What was left out of the lists because there was too much of it."""


class ImageIdentity(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an image is, by its own facts. None: not stated, or stated differently (then in `conflicts`)."""

    maker: str | None = None
    brand: str | None = None
    platform: str | None = None
    model: str | None = None
    version: str | None = None
    build_date: str | None = None
    """ISO date the image states, else the youngest date of its parts (see `build_date_from`)."""
    build_date_from: str = ""
    conflicts: tuple[str, ...] = ()
    """`platform: dahua | xiongmai`"""


class ExaminedImage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image as it is judged: what was read, what it is, and the observation it rests on."""

    subject: str
    """`image:<first 12 digits of its sha256>`"""
    observation: str
    report: ImageReport
    identity: ImageIdentity
    devices: tuple[str, ...] = ()
    """device_ids of the run that state the same maker, model and version."""
    advisories: tuple[tuple[str, str, str], ...] = ()
    """(advisory id, outcome, reason) by the version or build date of the image."""
