# SPDX-License-Identifier: MIT
"""How is the port stage done by nmap, in a process of its own, paced and scoped by us?

python-nmap (GPL) is imported only in the child: `python -I -m camscan.observe.records.nmap_adapter`
reads one order as JSON on stdin and writes one answer as JSON on stdout. Called in chunks,
since a killed nmap leaves no readable result (facts: scanning 2.4).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Collection, Iterable

import msgspec
from msgspec import Struct

from camscan.errors import ObserveError, ProgramMissingError
from camscan.model.observation import Reason

_PER_HOST_DELAY_MS = 28
"""Between two probes to one device: below 40 a second (DESIGN rule 10)."""
_STATES = {"open": "open", "closed": "closed"}


class Order(Struct, frozen=True, kw_only=True):
    targets: tuple[str, ...]
    arguments: tuple[str, ...]


class Result(Struct, frozen=True, kw_only=True):
    states: dict[str, dict[int, str]] = {}
    error: str = ""


def arguments(
    ports: Iterable[int],
    *,
    denied: Collection[int],
    rate: int,
    excluded: Iterable[str] = (),
    raw: bool = False,
    interface: str | None = None,
) -> tuple[str, ...]:
    """Options of nmap: no name look-up, no discovery, no scripts, no version probes."""
    wanted = sorted({p for p in ports if p not in denied})
    if not wanted:
        raise ObserveError(Reason.REFUSED_BY_POLICY, "every port is on the deny list")
    out = [
        "-n",
        "-Pn",
        "-sS" if raw else "-sT",
        "--max-rate",
        str(rate),
        "--max-parallelism",
        "1",
        "--scan-delay",
        f"{_PER_HOST_DELAY_MS}ms",
        "--max-retries",
        "1",
        "--host-timeout",
        "30s",
        "-p",
        ",".join(map(str, wanted)),
    ]
    outside = ",".join(excluded)
    if outside:
        out += ["--exclude", outside]
    if interface:
        out += ["-e", interface]
    return tuple(out)


class NmapPorts:
    """Port states by nmap, one chunk at a time."""

    def __init__(self, *, denied: Collection[int], excluded: Iterable[str] = ()) -> None:
        if shutil.which("nmap") is None:
            raise ProgramMissingError(
                "--engine nmap: the program nmap is not installed; apt install nmap, or leave the option out"
            )
        self._denied = frozenset(denied)
        self._excluded = tuple(excluded)
        self.raw = hasattr(os, "geteuid") and os.geteuid() == 0
        """SYN scan where this user may send raw packets, else plain connections."""

    async def sweep(
        self, targets: tuple[str, ...], ports: tuple[int, ...], *, rate: int, interface: str | None
    ) -> dict[str, dict[int, str]]:
        """`{address: {port: open | closed}}`; ports that are not there gave no answer."""
        order = Order(
            targets=targets,
            arguments=arguments(
                ports,
                denied=self._denied,
                rate=rate,
                excluded=self._excluded,
                raw=self.raw,
                interface=interface,
            ),
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "camscan.observe.records.nmap_adapter",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            data, _ = await process.communicate(msgspec.json.encode(order))
        except BaseException:
            process.kill()
            await process.wait()
            raise
        try:
            result = msgspec.json.decode(data, type=Result)
        except msgspec.MsgspecError as problem:
            raise ObserveError(Reason.ERROR, f"nmap gave no result: {problem}") from None
        if result.error:
            raise ObserveError(Reason.ERROR, f"nmap: {result.error}")
        asked = set(targets)
        return {a: states for a, states in result.states.items() if a in asked}


def _scan(order: Order) -> Result:
    try:
        import nmap
    except ImportError:
        return Result(error="python-nmap is not installed; pip install 'camscan[nmap]'")
    scanner = nmap.PortScanner()
    try:
        scanner.scan(hosts=" ".join(order.targets), arguments=" ".join(order.arguments))
    except nmap.PortScannerError as problem:
        return Result(error=str(problem)[:400])
    states: dict[str, dict[int, str]] = {}
    for address in scanner.all_hosts():
        ports = scanner[address].get("tcp", {})
        states[address] = {
            int(port): _STATES[entry["state"]]
            for port, entry in ports.items()
            if entry["state"] in _STATES
        }
    return Result(states=states)


if __name__ == "__main__":
    _order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(_scan(_order)))
