"""How is one firmware image told as one line of JSON (DESIGN section 5, `firmware --json`)?"""

from __future__ import annotations

from msgspec import Struct, field

from camscan.decode.text import clean
from camscan.model.firmware import (
    ExaminedImage,
    ImageComponent,
    ImageEndpoint,
    ImageFact,
    ImageKey,
    Opened,
    Unopened,
)


class EndpointLine(Struct, frozen=True, kw_only=True):
    host: str
    class_: str = field(name="class")
    live: bool
    basis: str
    path: str
    offset: int
    length: int
    port: int | None
    url: str
    why: str
    context: str
    paired: str
    operator: str | None
    parent_country: str | None
    also: tuple[tuple[str, int], ...]


class ImageLine(Struct, frozen=True, kw_only=True):
    """Stated values are null where the image states none, or several that disagree (then in conflicts)."""

    image: str
    sha256: str
    size: int
    maker: str | None
    brand: str | None
    platform: str | None
    model: str | None
    version: str | None
    build_date: str | None
    build_date_from: str
    conflicts: tuple[str, ...]
    endpoints: tuple[EndpointLine, ...]
    keys: tuple[ImageKey, ...]
    components: tuple[ImageComponent, ...]
    facts: tuple[ImageFact, ...]
    advisories: tuple[tuple[str, str, str], ...]
    opened: tuple[Opened, ...]
    not_examined: tuple[Unopened, ...]
    files: int
    bytes_examined: int
    limits: tuple[str, ...]


def image_line(image: ExaminedImage) -> ImageLine:
    """What was not examined stands in `not_examined`: an empty list of endpoints is no result without it."""
    report, identity = image.report, image.identity
    return ImageLine(
        image=clean(report.image),
        sha256=report.sha256,
        size=report.size,
        maker=identity.maker,
        brand=identity.brand,
        platform=identity.platform,
        model=identity.model,
        version=identity.version,
        build_date=identity.build_date,
        build_date_from=identity.build_date_from,
        conflicts=identity.conflicts,
        endpoints=tuple(_endpoint(e) for e in report.endpoints),
        keys=report.keys,
        components=report.components,
        facts=report.facts,
        advisories=image.advisories,
        opened=report.opened,
        not_examined=report.not_examined,
        files=report.files,
        bytes_examined=report.bytes_examined,
        limits=report.limits,
    )


def _endpoint(e: ImageEndpoint) -> EndpointLine:
    return EndpointLine(
        host=e.host, class_=e.kind, live=e.live, basis=e.basis, path=e.path, offset=e.offset, length=e.length, port=e.port, url=e.url,
        why=e.why, context=e.context, paired=e.paired, operator=e.operator, parent_country=e.parent_country, also=e.also,
    )  # fmt: skip


class ImageDifference(Struct, frozen=True, kw_only=True):
    """What one image has that another has not."""

    old: str
    new: str
    endpoints_added: tuple[str, ...]
    endpoints_removed: tuple[str, ...]
    components_added: tuple[str, ...]
    components_removed: tuple[str, ...]
    keys_added: tuple[str, ...]
    keys_removed: tuple[str, ...]
    not_examined_old: int
    not_examined_new: int
    note: str


def difference(old: ExaminedImage, new: ExaminedImage) -> ImageDifference:
    """Live endpoints, components with versions, and keys: added and removed."""
    a, b = old.report, new.report
    hosts = [{f"{e.host} ({e.kind})" for e in r.endpoints if e.live} for r in (a, b)]
    parts = [
        {f"{c.component} {c.version or 'version unknown'}" for c in r.components} for r in (a, b)
    ]
    keys = [{_key(k) for k in r.keys} for r in (a, b)]
    closed = len(a.not_examined), len(b.not_examined)
    return ImageDifference(
        old=clean(a.image),
        new=clean(b.image),
        endpoints_added=tuple(sorted(hosts[1] - hosts[0])),
        endpoints_removed=tuple(sorted(hosts[0] - hosts[1])),
        components_added=tuple(sorted(parts[1] - parts[0])),
        components_removed=tuple(sorted(parts[0] - parts[1])),
        keys_added=tuple(sorted(keys[1] - keys[0])),
        keys_removed=tuple(sorted(keys[0] - keys[1])),
        not_examined_old=closed[0],
        not_examined_new=closed[1],
        note="parts of an image were not opened: what seems added or removed may lie in them"
        if any(closed)
        else "",
    )


def _key(key: ImageKey) -> str:
    return " ".join(p for p in (key.what, key.type, key.subject, key.fingerprint[:16]) if p)
