"""camscan doctor: what can this machine do, and what not?"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from camscan.errors import CamscanError
from camscan.lookups import TOR_GEOIP
from camscan.observe.packet import privilege
from camscan.observe.packet.client import PacketHelper
from camscan.observe.wire.interfaces import Interface, interfaces
from camscan.worker import limited

PROGRAMS: tuple[tuple[str, str, str], ...] = (
    # program, Debian package, what it is for
    ("ip", "iproute2", "the emulated city (camscan demo)"),
    ("nft", "nftables", "a MAC address per emulated device"),
    ("nmap", "nmap", "--engine nmap and the benchmarks"),
    ("tcpdump", "tcpdump", "filter expressions of captures"),
    ("chromium", "chromium", "the browser tests of the report"),
)
PACKAGES: tuple[tuple[str, str, str], ...] = (
    ("scapy", "camscan[packets]", "ARP and SYN sweeps, captures"),
    ("nmap", "camscan[nmap]", "--engine nmap"),
    ("lz4", "camscan[firmware]", "LZ4 in firmware images"),
    ("lzallright", "camscan[firmware]", "LZO in firmware images"),
)
_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
_MAX = "/proc/sys/user/max_user_namespaces"
_THRESHOLD = "/proc/sys/net/ipv4/neigh/default/gc_thresh3"


class Tool(Struct, frozen=True, kw_only=True):
    name: str
    found: bool
    package: str
    used_for: str


class Ability(Struct, frozen=True, kw_only=True):
    """Something camscan can or cannot do here; `why` says what is missing."""

    what: str
    works: bool
    why: str = ""


class Health(Struct, frozen=True, kw_only=True):
    """`camscan doctor --json`"""

    platform: str
    python: str
    root: bool
    cap_net_raw: bool
    cap_net_admin: bool
    user_namespaces: bool
    user_namespaces_note: str
    interfaces: tuple[Interface, ...]
    programs: tuple[Tool, ...]
    packages: tuple[Tool, ...]
    apt: str
    pip: str
    neighbour_table_limit: int | None
    knowledge_as_of: str | None
    knowledge_note: str
    abilities: tuple[Ability, ...]


@click.command()
@click.option("--json", "as_json", is_flag=True)
def doctor(*, as_json: bool) -> int:
    """Say what works on this machine and what does not. Sends nothing."""
    health = examine()
    if as_json:
        click.echo(msgspec.json.encode(health).decode())
    else:
        _show(health)
    return 0


def examine() -> Health:
    capabilities = privilege.effective()
    programs = tuple(
        Tool(name=name, found=_program(name), package=package, used_for=use)
        for name, package, use in PROGRAMS
    )
    packages = tuple(
        Tool(
            name=name,
            found=importlib.util.find_spec(name) is not None,
            package=package,
            used_for=use,
        )
        for name, package, use in PACKAGES
    )
    namespaces, note = user_namespaces()
    as_of, knowledge_note = _knowledge()
    missing = [tool.package for tool in programs if not tool.found]
    extras = list(dict.fromkeys(tool.package for tool in packages if not tool.found))
    return Health(
        platform=platform.platform(),
        python=platform.python_version(),
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        cap_net_raw=bool(capabilities >> privilege.CAP_NET_RAW & 1),
        cap_net_admin=bool(capabilities >> privilege.CAP_NET_ADMIN & 1),
        user_namespaces=namespaces,
        user_namespaces_note=note,
        interfaces=interfaces(),
        programs=programs,
        packages=packages,
        apt=f"sudo apt install {' '.join(missing)}" if missing else "",
        pip=f"pip install {' '.join(repr(extra) for extra in extras)}" if extras else "",
        neighbour_table_limit=_number(_THRESHOLD),
        knowledge_as_of=as_of,
        knowledge_note=knowledge_note,
        abilities=_abilities(programs, namespaces, note, capabilities),
    )


def user_namespaces() -> tuple[bool, str]:
    """Whether an ordinary user may make a user namespace, from what the kernel says of itself.

    Read, not tried; a container's seccomp filter can still refuse (facts: scanning 1).
    """
    if not Path("/proc/self/ns/user").exists():
        return False, "this system has no user namespaces"
    if _number(_APPARMOR) == 1:
        return False, (
            f"AppArmor restricts them ({_APPARMOR} = 1); run as root, or "
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if _number(_CLONE) == 0:
        return False, f"switched off ({_CLONE} = 0); run as root"
    if _number(_MAX) == 0:
        return False, f"switched off ({_MAX} = 0); run as root"
    return True, ""


def _abilities(
    programs: tuple[Tool, ...], namespaces: bool, note: str, capabilities: int
) -> tuple[Ability, ...]:
    raw, why = PacketHelper.available()
    admin = bool(capabilities >> privilege.CAP_NET_ADMIN & 1)
    have = {tool.name for tool in programs if tool.found}
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    lacking = [name for name in ("ip", "nft") if name not in have]
    city = not lacking and (root or namespaces)
    steps = _compiled_steps()
    nmap = "nmap" in have and importlib.util.find_spec("nmap") is not None
    return (
        Ability(what="scan by plain connections, announcements, report", works=True),
        Ability(what="neighbours and MAC addresses (ARP), SYN port stage", works=raw, why=why),
        Ability(
            what="permanent neighbours for more than half a neighbour table of devices",
            works=raw and admin,
            why="" if raw and admin else why or "needs CAP_NET_ADMIN; waves are smaller without",
        ),
        Ability(
            what="emulated city in namespaces (camscan demo)",
            works=city,
            why=""
            if city
            else (f"missing: {', '.join(lacking)}" if lacking else note)
            + "; the demo falls back to loopback",
        ),
        Ability(
            what="--engine nmap",
            works=nmap,
            why="" if nmap else "needs the program nmap and pip install 'camscan[nmap]'",
        ),
        Ability(
            what="memory limits of the processes that read images and captures",
            works=limited(sys.platform),
            why=""
            if limited(sys.platform)
            else "this system has none; read hostile files elsewhere",
        ),
        Ability(
            what="large captures at full speed",
            works=steps,
            why=""
            if steps
            else "steps.c is not compiled: install a C compiler (on Debian gcc and "
            "libc6-dev) and install camscan anew; what is found is the same",
        ),
        Ability(
            what="place of an address without a database of your own",
            works=(TOR_GEOIP / "geoip").is_file(),
            why="" if (TOR_GEOIP / "geoip").is_file() else "needs tor-geoipdb, or --located FILE",
        ),
    )


def _program(name: str) -> bool:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def _compiled_steps() -> bool:
    from camscan.observe.traffic.steps import compiled

    return compiled is not None


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None


def _knowledge() -> tuple[str | None, str]:
    try:
        from camscan.knowledge import load

        return load().as_of, ""
    except (ImportError, CamscanError) as error:
        return None, f"the shipped knowledge cannot be read: {error}"


def _show(health: Health) -> None:
    from tabulate import tabulate

    click.echo(f"{health.platform}, Python {health.python}")
    rights = ("root" if health.root else "ordinary user",
              f"CAP_NET_RAW {_yes(health.cap_net_raw)}",
              f"CAP_NET_ADMIN {_yes(health.cap_net_admin)}",
              f"user namespaces {_yes(health.user_namespaces)}")  # fmt: skip
    click.echo(", ".join(rights))
    if health.user_namespaces_note:
        click.echo(f"user namespaces: {health.user_namespaces_note}")
    rows = [
        (i.name, "up" if i.up else "down", i.mac or "-", ", ".join(i.addresses) or "-")
        for i in health.interfaces
    ]
    click.echo("")
    click.echo(
        tabulate(rows, headers=("interface", "state", "MAC", "addresses"), disable_numparse=True)
    )
    click.echo("")
    tools = [(t.name, _yes(t.found), t.used_for) for t in (*health.programs, *health.packages)]
    click.echo(tabulate(tools, headers=("optional", "there", "used for"), disable_numparse=True))
    for command in (health.apt, health.pip):
        if command:
            click.echo(f"To get what is missing: {command}")
    click.echo("")
    limit = health.neighbour_table_limit
    entries = "not shown to this network namespace" if limit is None else f"{limit} entries"
    click.echo(f"Neighbour table: {entries} (gc_thresh3)")
    click.echo(f"Knowledge as of: {health.knowledge_as_of or health.knowledge_note}")
    click.echo("")
    for ability in health.abilities:
        tail = f" ({ability.why})" if ability.why else ""
        click.echo(f"{'works' if ability.works else 'does not work'}: {ability.what}{tail}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
