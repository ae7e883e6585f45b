"""Which typed values does signatures/ hold? `camscan.knowledge` alone reads TOML into them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from camscan.model.claim import Attribute, Family, Level
from camscan.model.imprint import FirmwareKnowledge
from camscan.model.observation import Kind
from camscan.model.party import Party
from camscan.model.probe import ProbePlan
from camscan.model.product import ProductLine, Withdrawn
from camscan.model.service import ServiceSignature


class Test(StrEnum):
    """How a field value is compared. All run in linear time."""

    __test__ = False  # not a pytest class

    EQUALS = "equals"
    IEQUALS = "iequals"
    PREFIX = "prefix"
    CONTAINS = "contains"
    REGEX = "regex"
    """RE2 syntax, searched; anchor it."""
    PRESENT = "present"
    KNOWN = "known"
    """The text begins with the name of a maker or brand that signatures/ holds."""


class Condition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One comparison on one field; holds if any value of the field passes."""

    field: str
    test: Test
    value: str = ""


class Extract(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Take the value of an attribute out of a field.

    `pattern`: RE2 with exactly one group; without it the whole value. `values` maps raw text to
    claim text; text not in the map gives no claim if `strict`. `known`: only the name of a maker or
    brand of signatures/ with which the text begins, as printed there; other text gives no claim.
    """

    attribute: Attribute
    field: str
    pattern: str = ""
    values: Mapping[str, str] = {}
    strict: bool = False
    known: bool = False
    level: Level | None = None


class Says(Struct, frozen=True, kw_only=True, omit_defaults=True):
    attribute: Attribute
    value: str


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A positive sample or near miss. `response` is text (latin-1 bytes), or `response_hex`."""

    response: str = ""
    response_hex: str = ""
    port: int | None = None
    request: str | None = None
    origin: str = "constructed"
    """`documented` (a manual or fact sheet shows it) or `constructed` (caps the level at E2)."""
    source: str = ""
    expect: Mapping[str, str] = {}
    """attribute -> value that the signature must give on this sample."""


class Signature(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of knowledge: this answer supports these values (DESIGN rule 7)."""

    id: str
    """`<platform>.<kind>.<what>`, unique; `local.` for user signatures."""
    about: str
    kind: Kind
    family: Family
    when: tuple[Condition, ...]
    """All must hold."""
    source: str
    as_of: str
    unless: tuple[Condition, ...] = ()
    """None may hold: what else the same words could mean."""
    level: Level = Level.E2
    says: tuple[Says, ...] = ()
    extract: tuple[Extract, ...] = ()
    sample: tuple[Sample, ...] = ()
    near_miss: tuple[Sample, ...] = ()
    verification: str = "sourced"
    """`sourced` or `unverified`."""
    not_proof_of: str = ""
    platforms_sharing: tuple[str, ...] = ()
    """Other platforms whose samples may match: declared, not an error."""
    origin: str = "documented"
    version: str = ""  # short hash of the record, filled by the loader
    local: bool = False

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (*self.when, *self.unless)


class Platform(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A firmware family and the party that builds it."""

    id: str
    name: str
    maker: str | None = None
    """Party id; None where several makers share it and the answer does not tell."""
    role: str = ""
    """What runs it, said of devices of which nothing else says a role; empty where that differs."""
    source: str
    as_of: str
    verification: str = "sourced"
    note: str = ""


class BrandRelation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A brand and a maker whose platform it (partly) carries."""

    id: str
    brand: str
    """Name as printed."""
    maker: str
    kind: str
    """own | oem | part | ended | related | mixed | component | unclear"""
    strength: str
    source: str
    as_of: str
    spellings: tuple[str, ...] = ()
    """Exact texts devices print for this brand (compared case-insensitively)."""
    registrants: tuple[str, ...] = ()
    """Exact registry names of MAC blocks of this brand."""
    note: str = ""


class MacBlock(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A MAC prefix (lower-case hex, 6, 7 or 9 digits) and its registrant."""

    prefix: str
    registrant: str
    party: str | None = None
    source: str
    as_of: str
    module_maker: bool = False
    verification: str = "sourced"


class EndpointName(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cloud name or pattern: `*.hik-connect.com` matches on label borders."""

    id: str
    match: str
    operator: str
    purpose: tuple[str, ...]
    confidence: str
    source: str
    as_of: str
    platform: str | None = None
    port: int | None = None
    proto: str = ""
    cn_listed: bool | None = None
    note: str = ""
    hosts: tuple[str, ...] = ()
    hosting: str = ""
    matchable: bool = True
    verification: str = "sourced"


class Network(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An address block or AS and who operates it."""

    id: str
    name: str
    prefixes: tuple[str, ...]
    parent_country: str | None
    source: str
    as_of: str
    registry_country: str | None = None
    located_country: str | None = None
    parent: str = ""
    asn: tuple[int, ...] = ()
    owner_supplied: bool = False
    operator: str = ""
    """Id of the network operator; several blocks share it."""
    kind: str = ""
    """cloud | cdn | carrier | transit | isp | academic | platform | resolver"""
    confidence: str = ""
    note: str = ""
    technology_supplier: str = ""
    verification: str = "sourced"


class ConditionText(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a check answers, and what it does not show."""

    id: str
    title: str
    shows: str
    does_not_show: str
    source: str
    as_of: str
    needs: tuple[str, ...] = ()
    next_test: str = ""
    """The cheapest test that would settle it, in words with a command."""
    next_cost: int = 5
    """1 (a minute) to 9 (days); `camscan next` sorts by it."""


class Concern(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A concern of the report or of related reporting, as data."""

    id: str
    title: str
    claim: str
    testable: str
    """network | partly | documents | out_of_scope"""
    source: tuple[str, ...]
    as_of: str
    supports: tuple[str, ...] = ()
    precondition: tuple[str, ...] = ()
    refutes: tuple[str, ...] = ()
    makers: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    cannot_decide: str = ""
    caution: str = ""
    detail: str = ""
    analogue: str = ""
    origin: str = ""


class Law(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One article of a statute of the PRC (DESIGN rule 8)."""

    id: str
    instrument: str
    article: str
    addressee: str
    paraphrase: str
    proves: str
    does_not_prove: str
    status: str
    source: str
    as_of: str
    verification: str
    triggers: tuple[str, ...] = ()
    in_force_from: str = ""
    note: str = ""


class LawPosition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A position on how far the statutes reach, or how a claim of the reporting decomposes."""

    id: str
    position: str
    paraphrase: str
    source: str
    as_of: str
    verification: str = "sourced"
    articles: tuple[str, ...] = ()


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule an operator answers to, or a foreign reference point."""

    id: str
    jurisdiction: str
    instrument: str
    article: str
    effect: str
    rs_municipality: str
    paraphrase: str
    source: str
    as_of: str
    verification: str
    triggers: tuple[str, ...] = ()
    makers: tuple[str, ...] = ()
    covered: str = ""
    in_force_from: str = ""
    used_by: tuple[str, ...] = ()
    note: str = ""


class Advisory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published flaw and how a read-only audit compares versions with it."""

    id: str
    platform: str
    title: str
    rule: str
    """build_before | version_lt | version_le | range | product_only | eol"""
    source: str
    as_of: str
    models: tuple[str, ...] = ()
    """RE2, full match on the model; empty = all of the platform."""
    value: str = ""
    value_from: str = ""
    fixed: str = ""
    cvss: str = ""
    known_exploited: str = ""
    """Date added to the known-exploited list, empty if not on it."""
    known_exploited_as_of: str = ""
    impact: str = ""
    verification: str = "sourced"
    party: str = ""
    """Whose product the advisory names, in the words of the facts."""
    brand: str = ""
    """Brand (or maker id) the entry is limited to; empty = every device of the platform."""
    cves: tuple[str, ...] = ()
    affected: tuple[str, ...] = ()
    """The affected products as the source words them."""
    product: str = ""
    cwe: str = ""
    note: str = ""
    comparable: bool = False
    """Whether models and value can be compared by software; else the entry is only listed."""
    all_versions: bool = False


class DecisionRow(Struct, frozen=True, kw_only=True):
    row: int
    text: str
    any_of: tuple[tuple[str, ...], ...]
    """Outer: alternatives; inner: conjunction of `factor op level`: `("D=4", "P>=1", "J=4")`."""
    action: str


class DecisionTable(Struct, frozen=True, kw_only=True):
    version: str
    source: str
    as_of: str
    factors: Mapping[str, tuple[str, ...]]
    """`J` -> ("J0", ..., "J4"), ordinal."""
    levels: Mapping[str, str]
    """`J2` -> what the level means."""
    rows: tuple[DecisionRow, ...]


class Knowledge(Struct, frozen=True, kw_only=True):
    """All of signatures/, validated and frozen."""

    content_hash: str
    as_of: str
    signatures: tuple[Signature, ...]
    platforms: Mapping[str, Platform]
    brands: tuple[BrandRelation, ...]
    parties: Mapping[str, Party]
    mac_blocks: tuple[MacBlock, ...]
    endpoints: tuple[EndpointName, ...]
    networks: tuple[Network, ...]
    conditions: Mapping[str, ConditionText]
    concerns: Mapping[str, Concern]
    laws: Mapping[str, Law]
    rules: Mapping[str, Rule]
    advisories: tuple[Advisory, ...]
    decision: DecisionTable
    probe_plan: ProbePlan
    law_nexus: tuple[str, ...]
    sources: Mapping[str, str]
    """Source key of the concerns file -> title and address."""
    files: Mapping[str, str]
    """File below signatures/ -> sha256."""
    law_positions: tuple[LawPosition, ...] = ()
    services: tuple[ServiceSignature, ...] = ()
    vocabulary: Mapping[str, tuple[str, ...]] = {}
    """From vocab/: claim attribute -> words allowed beside ids of other records."""
    lines: tuple[ProductLine, ...] = ()
    withdrawn: Mapping[str, Withdrawn] = {}
    firmware: FirmwareKnowledge = FirmwareKnowledge()
    places: Mapping[str, str] = {}  # `signature axis.ftp.banner` -> file below signatures/


class TrafficKnowledge(Struct, frozen=True, kw_only=True):
    """The part of it that tells what a capture shows, and who stands behind that."""

    content_hash: str
    parties: Mapping[str, Party]
    endpoints: tuple[EndpointName, ...]
    networks: tuple[Network, ...]
    services: tuple[ServiceSignature, ...]


Attributing = Knowledge | TrafficKnowledge
"""What attribution is a function of: all of it, or the part."""
