"""How is what the owner declares read: site.toml, the asset list, the network table?

All three are the owner's words. They are checked for form here and printed as declared everywhere.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from camscan.errors import InputError
from camscan.model.claim import Device
from camscan.model.knowledge import Network
from camscan.model.site import DOCUMENT_CONDITIONS, Asset, Site

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FACTORS = ("P", "C", "D", "x", "m")
_UNION = re.compile(
    "AT|BE|BG|CY|CZ|DE|DK|EE|ES|FI|FR|GR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK"
)
"""Member states of the European Union (ISO 3166)."""
_ASSET_COLUMNS = Asset.__struct_fields__
_LIMIT = 8 * 1024 * 1024


def load_site(path: Path) -> Site:
    """site.toml with the asset list it names; InputError says what is wrong and where."""
    table = _toml(path)
    try:
        site = msgspec.convert(table, Site, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{path}: {error}; see `camscan scope init --site` for a commented example"
        ) from error
    unknown = sorted(set(table) - set(Site.__struct_fields__))
    if unknown:
        raise InputError(
            f"{path}: unknown key {unknown[0]!r}; known: {', '.join(Site.__struct_fields__)}"
        )
    if site.jurisdiction and not is_jurisdiction(site.jurisdiction):
        raise InputError(
            f"{path}: jurisdiction {site.jurisdiction!r}: RS or EU:xx (for example EU:HR)"
        )
    for number, declaration in enumerate(site.declarations, 1):
        if declaration.factor not in _FACTORS:
            raise InputError(
                f"{path}: declaration {number}: factor {declaration.factor!r} is not one of "
                f"{', '.join(_FACTORS)}",
            )
        if not declaration.by:
            raise InputError(
                f"{path}: declaration {number}: a declaration needs a named function (by)"
            )
    for number, document in enumerate(site.documents, 1):
        if document.condition not in DOCUMENT_CONDITIONS:
            raise InputError(
                f"{path}: document {number}: {document.condition!r} is not one of {', '.join(DOCUMENT_CONDITIONS)}"
            )
        if not document.by:
            raise InputError(f"{path}: document {number}: needs a named function (by)")
    if site.asset_list:
        listed = load_assets(path.parent / site.asset_list)
        site = msgspec.structs.replace(site, assets=(*site.assets, *listed))
    seen: set[str] = set()
    for asset in site.assets:
        if asset.id in seen:
            raise InputError(
                f"{path}: asset id {asset.id!r} appears twice; ids name one device each"
            )
        seen.add(asset.id)
    return site


def is_jurisdiction(text: str) -> bool:
    """`RS`, or `EU:` with a member state: the places whose rules signatures/rules holds as binding."""
    return text == "RS" or (text.startswith("EU:") and _UNION.fullmatch(text[3:]) is not None)


def load_assets(path: Path) -> tuple[Asset, ...]:
    """An asset list: CSV with a header; columns `id`, then any of the columns of Asset."""
    text = _read(path).decode("utf-8-sig", errors="replace")
    dialect = "excel"
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    rows = csv.DictReader(text.splitlines(), dialect=dialect, delimiter=delimiter)
    names = tuple(name.strip() for name in rows.fieldnames or ())
    if "id" not in names:
        raise InputError(
            f"{path}: the first line must name the columns, among them id (found: {first[:80]})"
        )
    assets = []
    for number, row in enumerate(rows, 2):
        values = {
            k.strip(): (v or "").strip()
            for k, v in row.items()
            if k is not None and k.strip() in _ASSET_COLUMNS
        }
        if not values.get("id"):
            raise InputError(f"{path}:{number}: a row without id")
        address = values.get("address")
        if address:
            try:
                values["address"] = str(ipaddress.ip_address(address))
            except ValueError as error:
                raise InputError(f"{path}:{number}: {address!r} is not an address") from error
        if values.get("mac"):
            values["mac"] = _mac(values["mac"], f"{path}:{number}")
        cleaned = {k: v for k, v in values.items() if v or k not in {"address", "mac", "behind"}}
        assets.append(msgspec.convert(cleaned, Asset))
    return tuple(assets)


def load_networks(path: Path) -> tuple[Network, ...]:
    """The owner's network table: TOML `[[network]]`; outranks the shipped table (DESIGN rule 6)."""
    table = _toml(path)
    records = table.get("network")
    if not isinstance(records, list) or set(table) != {"network"}:
        raise InputError(f"{path}: a network table holds [[network]] records and nothing else")
    networks = []
    for number, record in enumerate(records, 1):
        try:
            network = msgspec.convert(record, Network)
            for prefix in network.prefixes:
                ipaddress.ip_network(prefix)
        except (msgspec.ValidationError, ValueError) as error:
            raise InputError(f"{path}: network {number}: {error}") from error
        networks.append(msgspec.structs.replace(network, owner_supplied=True))
    return tuple(networks)


def placed(devices: Iterable[Device], site: Site) -> tuple[Device, ...]:
    """The devices, each with its place: that of its asset row, else the first place that names its address."""
    places = [(place.name, _targets(place.targets)) for place in site.places]
    return tuple(
        device
        if device.place or (name := _place_of(device.addresses, places)) is None
        else msgspec.structs.replace(device, place=name)
        for device in devices
    )


def _targets(targets: Iterable[str]) -> tuple[_Network, ...]:
    """Addresses and CIDR of a place; ids of the asset list are not addresses and are matched elsewhere."""
    found = []
    for target in targets:
        with contextlib.suppress(ValueError):
            found.append(ipaddress.ip_network(target, strict=False))
    return tuple(found)


def _place_of(
    addresses: Iterable[str], places: Iterable[tuple[str, tuple[_Network, ...]]]
) -> str | None:
    own = [ipaddress.ip_address(address) for address in addresses]
    return next(
        (name for name, networks in places if any(a in n for a in own for n in networks)), None
    )


def file_digest(path: Path) -> str:
    """SHA-256 of an input, as recorded in the assessment."""
    return hashlib.sha256(_read(path)).hexdigest()


def _mac(text: str, where: str) -> str:
    digits = "".join(c for c in text.lower() if c in "0123456789abcdef")
    if len(digits) != 12:
        raise InputError(f"{where}: {text!r} is not a MAC address")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def _toml(path: Path) -> dict[str, object]:
    import tomllib  # only where the owner declares something

    try:
        return tomllib.loads(_read(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error})") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > _LIMIT:
        raise InputError(f"{path}: larger than {_LIMIT} bytes, not a site file or list")
    return data
