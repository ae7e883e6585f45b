"""Which lines do the tables of one firmware image have, what was not opened first?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from camscan.decode.text import clean
from camscan.model.firmware import (
    ExaminedImage,
    ImageComponent,
    ImageEndpoint,
    ImageKey,
    Opened,
    Unopened,
)
from camscan.model.knowledge import Knowledge
from camscan.report.text import en

MOST_NODES = 60
"""Containers shown under one; the rest is counted."""
MOST_ROWS = 2000


class Node(Struct, frozen=True, kw_only=True):
    """One container or closed part of the tree picture."""

    text: str
    closed: bool
    children: tuple[Node, ...] = ()


class ImageEndpointRow(Struct, frozen=True, kw_only=True):
    host: str
    kind: str
    basis: str
    place: str
    operator: str
    parent_country: str
    paired: str
    why: str
    context: str


class ImageRow(Struct, frozen=True, kw_only=True):
    """One image."""

    subject: str
    name: str
    sha256: str
    closed: tuple[tuple[str, str, str, str], ...]
    """Not opened: (place, size, reason, detail)."""
    front: tuple[tuple[str, str], ...]
    tree: tuple[Node, ...]
    endpoints: tuple[ImageEndpointRow, ...]
    """The live ones."""
    apart: str
    """What was told apart and is no endpoint, counted by class."""
    keys: tuple[tuple[str, str, str, str], ...]
    """(what, type and size, place, note)"""
    components: tuple[tuple[str, str, str, str, str], ...]
    """(component, version, support ended, published flaws, place)"""
    facts: tuple[tuple[str, str, str], ...]
    devices: str
    limits: tuple[str, ...]


def image_rows(images: Iterable[ExaminedImage], knowledge: Knowledge) -> tuple[ImageRow, ...]:
    return tuple(_row(image, knowledge) for image in images)


def _row(image: ExaminedImage, knowledge: Knowledge) -> ImageRow:
    report, identity = image.report, image.identity
    parties = {p.id: p.name for p in knowledge.parties.values()}
    names = {c.id: c.name for c in knowledge.firmware.components}
    built = f"{identity.build_date} ({identity.build_date_from})" if identity.build_date else ""
    conflicts = dict(c.partition(": ")[::2] for c in identity.conflicts)
    stated = (
        ("Maker", "maker", parties.get(identity.maker or "", identity.maker or "")),
        ("Brand", "brand", identity.brand or ""),
        ("Platform", "platform", identity.platform or ""),
        ("Model", "model", identity.model or ""),
        ("Version", "version", identity.version or ""),
        ("Built", "build_date", built),
    )
    apart = Counter(e.kind for e in report.endpoints if not e.live)
    return ImageRow(
        subject=image.subject,
        name=clean(report.image),
        sha256=report.sha256,
        closed=tuple(_closed(p) for p in report.not_examined[:MOST_ROWS]),
        front=(
            ("SHA-256", report.sha256),
            ("Size", f"{report.size} bytes"),
            ("Read", f"{report.files} files, {report.bytes_examined} bytes, {len(report.opened)} containers opened"),
            *((name, _stated(value, conflicts.get(key))) for name, key, value in stated),
        ),
        tree=_tree(report.opened, report.not_examined),
        endpoints=tuple(_endpoint(e, parties) for e in report.endpoints if e.live),
        apart=", ".join(f"{count} {kind}" for kind, count in apart.most_common()),
        keys=tuple(_key(k) for k in report.keys[:MOST_ROWS]),
        components=tuple(_component(c, names) for c in report.components),
        facts=tuple((f.attribute, clean(f.value), f"{clean(f.path)}:{f.offset}") for f in report.facts),
        devices=", ".join(clean(d) for d in image.devices),
        limits=report.limits,
    )  # fmt: skip


def _stated(value: str, conflict: str | None) -> str:
    if conflict is not None:
        return f"{en.CONFLICT}: {clean(conflict)}"
    return clean(value) or en.UNKNOWN


def _closed(part: Unopened) -> tuple[str, str, str, str]:
    detail = clean(part.detail)
    if part.entropy is not None:
        detail = f"{detail} (entropy {part.entropy:.2f} of 8 bits)".strip()
    return (
        f"{clean(part.path) or 'the image'} at {part.offset}",
        f"{part.size} bytes",
        part.reason,
        detail,
    )


def _endpoint(e: ImageEndpoint, parties: Mapping[str, str]) -> ImageEndpointRow:
    return ImageEndpointRow(
        host=clean(e.host) + (f":{e.port}" if e.port else ""),
        kind=e.kind,
        basis=e.basis,
        place=f"{clean(e.path)}:{e.offset}" + (f" and {len(e.also)} more" if e.also else ""),
        operator=parties.get(e.operator or "", en.UNKNOWN),
        parent_country=e.parent_country or en.UNKNOWN,
        paired=clean(e.paired),
        why=clean(e.why),
        context=clean(e.context),
    )


def _key(k: ImageKey) -> tuple[str, str, str, str]:
    kind = " ".join(p for p in (k.type, f"{k.bits} bits" if k.bits else "") if p)
    told = [
        clean(k.subject),
        f"expires {k.expires[:10]}" if k.expires else "",
        f"public half sha256 {k.fingerprint}" if k.fingerprint and k.what == "private-key" else "",
        clean(k.note),
    ]
    return k.what, clean(kind), f"{clean(k.path)}:{k.offset}", "; ".join(t for t in told if t)


def _component(c: ImageComponent, names: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    flaws = "; ".join(clean(a) for a in c.advisories)
    if c.known_exploited:
        flaws += f" (one on the known-exploited list since {c.known_exploited})"
    doubt = " (unverified)" if c.unverified else ""
    return (
        names.get(c.component, c.component),
        clean(c.version or en.UNKNOWN),
        f"{c.support_ended}{doubt}" if c.support_ended else "",
        f"{flaws}{doubt}" if flaws else "",
        f"{clean(c.path)}:{c.offset}",
    )


def _tree(opened: Iterable[Opened], closed: Iterable[Unopened]) -> tuple[Node, ...]:
    """Containers inside containers, and between them what stayed closed."""
    every = list(opened)
    known = frozenset(o.path for o in every)
    parents = {o.path: _above(o.path, known) for o in every}
    below: dict[str | None, list[Node]] = {}
    for part in closed:
        home = part.path if part.path in parents else _above(part.path + "!/", known)
        text = f"{clean(part.path.rpartition('!/')[2]) or 'image'} at {part.offset}, {part.size} bytes, not opened: {part.reason}"
        below.setdefault(home, []).append(Node(text=text, closed=True))
    for container in reversed(every):
        path = container.path
        label = f", {clean(container.label)}" if container.label else ""
        made = f", made {container.created[:10]}" if container.created else ""
        name = clean(path.rpartition("!/")[2]) or "image"
        text = f"{name} ({container.form}) at {container.offset}, {container.size} bytes, {container.files} {'file' if container.files == 1 else 'files'}{label}{made}"
        children = below.pop(path, [])
        parent = parents[path]
        below.setdefault(parent, []).insert(
            0, Node(text=text, closed=False, children=_few(children))
        )
    return _few(below.get(None, []))


def _few(nodes: list[Node]) -> tuple[Node, ...]:
    if len(nodes) <= MOST_NODES:
        return tuple(nodes)
    ordered = sorted(nodes, key=lambda n: not n.closed)
    return (*ordered[:MOST_NODES], Node(text=f"and {len(nodes) - MOST_NODES} more", closed=False))


def _above(path: str, known: frozenset[str]) -> str | None:
    """The container a path lies in: the longest opened one that is its beginning."""
    while path:
        path = path.rpartition("/")[0].removesuffix("!")
        if path in known:
            return path
    return None
