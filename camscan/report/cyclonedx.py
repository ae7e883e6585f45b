"""The components of firmware images as a CycloneDX 1.6 document (ECMA-424), for inventories and SBOM tools.

What was read from an image is never a complete list: every image is declared `incomplete`, and a flaw
matched by version text is `in_triage`, because patches of the builder are not known.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from camscan.decode.text import clean, clean_lines
from camscan.model.firmware import ExaminedImage, ImageComponent
from camscan.report.model import ReportModel

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""Of URLs (RFC 4122, appendix C); the name is the run, its knowledge and its day."""
_TRIAGE = "matched by the version text alone; patches of whoever built the image are not known"
_KINDS = {"linux": "operating-system", "u-boot": "firmware", "busybox": "application"}


class Hash(Struct, frozen=True):
    alg: str
    content: str


class Occurrence(Struct, frozen=True):
    location: str
    offset: int


class Evidence(Struct, frozen=True):
    occurrences: tuple[Occurrence, ...]


class Property(Struct, frozen=True):
    name: str
    value: str


class Part(Struct, frozen=True, kw_only=True):
    type: str
    name: str
    ref: str | UnsetType = field(default=UNSET, name="bom-ref")
    version: str | UnsetType = UNSET
    hashes: tuple[Hash, ...] | UnsetType = UNSET
    evidence: Evidence | UnsetType = UNSET
    properties: tuple[Property, ...] | UnsetType = UNSET
    components: tuple[Part, ...] | UnsetType = UNSET


class Tools(Struct, frozen=True):
    components: tuple[Part, ...]


class Metadata(Struct, frozen=True):
    timestamp: str
    tools: Tools


class Affects(Struct, frozen=True):
    ref: str


class Analysis(Struct, frozen=True):
    state: str
    detail: str


class Vulnerability(Struct, frozen=True, kw_only=True):
    ref: str = field(name="bom-ref")
    id: str
    description: str
    analysis: Analysis
    affects: tuple[Affects, ...]


class Composition(Struct, frozen=True):
    aggregate: str
    assemblies: tuple[str, ...]


class Document(Struct, frozen=True, kw_only=True):
    schema: str = field(name="$schema")
    format: str = field(name="bomFormat")
    spec: str = field(name="specVersion")
    serial: str = field(name="serialNumber")
    version: int
    metadata: Metadata
    components: tuple[Part, ...]
    vulnerabilities: tuple[Vulnerability, ...]
    compositions: tuple[Composition, ...]


def write(model: ReportModel) -> str:
    """One JSON document; the same bytes for the same model."""
    a = model.assessment
    names = {i.subject: i for i in a.images}
    document = Document(
        schema="http://cyclonedx.org/schema/bom-1.6.schema.json",
        format="CycloneDX",
        spec="1.6",
        serial=f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{a.run_id} {a.knowledge_hash} {a.as_of}')}",
        version=1,
        metadata=Metadata(
            a.as_of, Tools((Part(type="application", name="camscan", version=a.tool_version),))
        ),
        components=tuple(_image(i) for i in a.images),
        vulnerabilities=tuple(_vulnerabilities(a.images)),
        compositions=tuple(Composition("incomplete", (name,)) for name in names),
    )
    return clean_lines(msgspec.json.format(msgspec.json.encode(document), indent=1).decode()) + "\n"


def _image(image: ExaminedImage) -> Part:
    identity = image.identity
    told = (
        ("maker", identity.maker),
        ("platform", identity.platform),
        ("model", identity.model),
        ("build_date", identity.build_date),
        ("not_examined_parts", str(len(image.report.not_examined))),
    )
    return Part(
        type="firmware",
        ref=image.subject,
        name=clean(image.report.image) or image.subject,
        version=clean(identity.version) if identity.version else UNSET,
        hashes=(Hash("SHA-256", image.report.sha256),),
        properties=tuple(
            Property(f"camscan:{name}", clean(value)) for name, value in told if value
        ),
        components=tuple(_part(image.subject, c) for c in image.report.components),
    )


def _part(subject: str, c: ImageComponent) -> Part:
    told = [("camscan:signature", c.signature), ("camscan:excerpt", c.excerpt)]
    if c.support_ended:
        told.append(("camscan:support_ended", c.support_ended))
    if c.unverified:
        told.append(("camscan:dates_and_ranges", "unverified"))
    if c.known_exploited:
        told.append(("camscan:known_exploited_since", c.known_exploited))
    return Part(
        type=_KINDS.get(c.component, "library"),
        ref=_ref(subject, c),
        name=c.component,
        version=clean(c.version) if c.version else UNSET,
        evidence=Evidence((Occurrence(clean(c.path) or "image", c.offset),)),
        properties=tuple(Property(name, clean(value)) for name, value in told if value),
    )


def _ref(subject: str, c: ImageComponent) -> str:
    return f"{subject}/{c.component}@{c.version or 'unknown'}"


def _vulnerabilities(images: Iterable[ExaminedImage]) -> Iterable[Vulnerability]:
    affected: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for image in images:
        for c in image.report.components:
            for advisory in c.advisories:
                name, _, title = advisory.partition(": ")
                titles.setdefault(name, title)
                affected.setdefault(name, []).append(_ref(image.subject, c))
    for name, refs in sorted(affected.items()):
        yield Vulnerability(
            ref=f"vulnerability/{name}",
            id=name,
            description=titles[name] or name,
            analysis=Analysis("in_triage", _TRIAGE),
            affects=tuple(Affects(r) for r in dict.fromkeys(refs)),
        )
