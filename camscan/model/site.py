"""What do only people know of a site?

Input of `scan` and `assess` as `site.toml`; printed as declared, never as found.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Asset(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the owner's asset list."""

    id: str
    address: str | None = None
    mac: str | None = None
    place: str = ""
    brand: str = ""
    model: str = ""
    serial: str = ""
    behind: str | None = None
    """Id of the recorder's row."""
    note: str = ""


class Declaration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A statement of a named person or function of the owner."""

    factor: str
    """P C D x m"""
    value: str
    """`P2`, `C1`, `yes`, `no`"""
    by: str
    date: str
    subjects: tuple[str, ...] = ("*",)
    """Addresses, asset ids, CIDR, or `*`."""
    text: str = ""


DOCUMENT_CONDITIONS = ("doc-procurement", "doc-dpia", "doc-legal-basis", "doc-processor")
"""Conditions that only a document answers; a person declares whether it is there."""


class Document(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a named person says of a document: whether it is there. Its content is nobody's finding."""

    condition: str
    """One of DOCUMENT_CONDITIONS."""
    present: bool
    by: str
    date: str
    text: str = ""
    """Title, number, date of the document."""


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Addresses and the place the owner names for them."""

    name: str
    targets: tuple[str, ...]
    sensitivity: str = ""
    """P level the owner declares for it, for example `P2`."""


class Site(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """site.toml. See `camscan scope init --site` for a commented example."""

    owner: str = ""
    name: str = ""
    jurisdiction: str = ""
    """`RS` or `EU:xx`"""
    declared_by: str = ""
    date: str = ""
    places: tuple[Place, ...] = ()
    declarations: tuple[Declaration, ...] = ()
    documents: tuple[Document, ...] = ()
    assets: tuple[Asset, ...] = ()
    asset_list: str = ""
    """Path of a CSV with the columns of Asset, relative to site.toml."""
    supplier_documents: tuple[str, ...] = ()
    notes: Mapping[str, str] = {}
