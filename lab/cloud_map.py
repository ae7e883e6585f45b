"""At which TEST-NET address does an emulated cloud name live?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
from msgspec import Struct

TEST_NETS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
DNS_SERVER = "192.0.2.53"
_FILE = Path(__file__).parent / "clouds.toml"


class CloudNetwork(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One emulated hosting network, with the columns of an owner's network table."""

    id: str
    name: str
    prefixes: tuple[str, ...]
    registry_country: str
    located_country: str
    parent: str
    parent_country: str


class Clouds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    network: tuple[CloudNetwork, ...]
    places: Mapping[str, str]


def load_clouds() -> Clouds:
    """lab/clouds.toml."""
    return msgspec.toml.decode(_FILE.read_bytes(), type=Clouds)


def place(names: Iterable[str], clouds: Clouds) -> dict[str, str]:
    """Name -> address, the same for the same set of names."""
    free = {
        network.id: iter(
            host for prefix in network.prefixes for host in IPv4Network(prefix).hosts()
        )
        for network in clouds.network
    }
    table: dict[str, str] = {}
    for name in sorted(set(names)):
        network = next(
            (
                where
                for pattern, where in clouds.places.items()
                if fnmatchcase(name, pattern) or name == pattern.removeprefix("*.")
            ),
            "unplaced",
        )
        address = next(free[network], None)
        if address is None:
            raise ValueError(f"lab/clouds.toml: network {network} is full")
        table[name] = str(address)
    return table


def networks_toml(clouds: Clouds) -> str:
    """A network table as an owner would write one."""
    lines = ["# Networks of the emulated clouds, as the owner of the lab declares them.", ""]
    for network in clouds.network:
        prefixes = ", ".join(f'"{prefix}"' for prefix in network.prefixes)
        lines += [
            "[[network]]",
            f'id = "{network.id}"',
            f'name = "{network.name}"',
            f"prefixes = [{prefixes}]",
            f'registry_country = "{network.registry_country}"',
            f'located_country = "{network.located_country}"',
            f'parent = "{network.parent}"',
            f'parent_country = "{network.parent_country}"',
            "owner_supplied = true",
            'source = "declared by the owner of the emulated network"',
            'as_of = "2026-11-01"',
            "",
        ]
    return "\n".join(lines)
