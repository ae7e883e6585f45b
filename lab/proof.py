"""Is it certain that no packet can leave the lab? If not, it does not start."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from lab.netns import NamespaceError, Namespaces

_ALLOWED_ZERO = "0.0.0.0/0"


class ProofError(NamespaceError):
    """Something could leave; the lab refuses to start."""


def _ip(*arguments: str) -> list[dict[str, object]]:
    done = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=True)
    found: list[dict[str, object]] = json.loads(done.stdout or "[]")
    return found


def links() -> set[str]:
    """Interfaces of the current namespace."""
    return {name for _index, name in socket.if_nameindex()}


def routes() -> list[str]:
    """Destinations of all unicast routes of the current namespace, default as 0.0.0.0/0."""
    found = []
    for entry in _ip("-4", "route", "show", "table", "all"):
        if entry.get("type", "unicast") in {"unicast", "throw", "nat"}:
            destination = str(entry["dst"])
            found.append(_ALLOWED_ZERO if destination == "default" else destination)
    return found


def check_here(name: str, veths: Sequence[str], allowed: Sequence[str]) -> None:
    """The current namespace has only its veths and lo, and routes only to `allowed`."""
    extra = links() - {"lo", *veths}
    if extra:
        raise ProofError(f"namespace {name} has further interfaces: {', '.join(sorted(extra))}")
    networks = [IPv4Network(text) for text in allowed]
    for text in routes():
        network = IPv4Network(text, strict=False)
        if not any(network.subnet_of(one) for one in networks):
            raise ProofError(f"namespace {name} has a route to {text}, which is not of the plan")
    for entry in _ip("-6", "route", "show", "table", "all"):
        if entry.get("dst") == "default" and entry.get("type", "unicast") == "unicast":
            raise ProofError(f"namespace {name} has a default IPv6 route")


def prove(
    spaces: Namespaces, veths: Mapping[str, Sequence[str]], allowed: Mapping[str, Sequence[str]]
) -> list[str]:
    """Check all three namespaces. Raises ProofError; answers what was proved, one line each."""
    lines = []
    for name, descriptor in (("lab", spaces.lab), ("scan", spaces.scan), ("wan", spaces.wan)):
        with spaces.inside(descriptor):
            identity = os.readlink("/proc/thread-self/ns/net")
            if identity in spaces.outside:
                raise ProofError(f"{name} is not a namespace of its own ({identity})")
            check_here(name, veths[name], allowed[name])
        lines.append(
            f"{name}: only lo and {', '.join(veths[name])}; no default route; "
            f"routes only to {', '.join(allowed[name])}"
        )
    return lines
