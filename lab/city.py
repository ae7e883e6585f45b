"""How is a city raised, run beside a command, and taken down?"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab import wiring, workdir
from lab.beacon import BeaconEngine
from lab.cloud import CLOUD_CA, CloudEngine
from lab.cloud_map import load_clouds, place
from lab.mode import Mode, choose
from lab.netns import (
    NamespaceError,
    Namespaces,
    die_with_parent,
    make_namespaces,
    mount,
    private_mounts,
    setns,
)
from lab.persona import PERSONAS, Certificate, load_personas
from lab.phone_home import PhoneHomeEngine
from lab.plan import load_plan
from lab.population import City, populate
from lab.sniffer import Sniffer, write_pcap
from lab.stats import Stats
from lab.tcp import TcpEngine
from lab.tls import warm
from lab.udp import UdpEngine
from lab.wire_stats import WireStats

_OFFSET = 20000
_REAL_LATENCY = (0.080, 0.400)  # HTTP first byte, TLS handshake, seconds (issue: latency profile)


@dataclass(kw_only=True)
class Options:
    """What the caller wants."""

    plan: str
    mode: str = "auto"
    seed: int | None = None
    personas: Path = PERSONAS
    stats: Path | None = None
    truth: Path | None = None
    workdir: Path | None = None
    latency: str = "none"
    mask_lab: bool = False
    phone_home: bool = True
    hurry: float = 1.0
    capture: Path | None = None
    command: Sequence[str] = ()
    seconds: float | None = None
    quiet: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def _say(options: Options, text: str) -> None:
    if not options.quiet:
        print(f"lab: {text}", file=sys.stderr, flush=True)


def _unprivileged_ports() -> bool:
    """Whether ports below 1024 are refused here (root of a user namespace is refused too)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.bind(("127.77.255.254", 80))
        except PermissionError:
            return True
        except OSError:
            return False
    return False


def _files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class CityRun:
    """One raised city."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.started = time.monotonic()
        mode, lines = choose(options.mode)
        self.mode: Mode = mode
        for line in lines:
            _say(options, line)
        _say(options, f"mode {mode}")
        _files()
        self.offset = _OFFSET if mode == "loopback" and _unprivileged_ports() else 0
        plan = load_plan(options.plan)
        self.seed = plan.seed if options.seed is None else options.seed
        self.city: City = populate(
            plan,
            load_personas(options.personas),
            seed=self.seed,
            loopback=mode == "loopback",
            port_offset=self.offset,
        )
        clouds = load_clouds()
        homes = [h for u in self.city.units for h in u.persona.phone_home]
        self.homes = list(dict.fromkeys(homes))
        self.names = place((home.name for home in homes), clouds)
        if options.workdir is not None:
            workdir.write(options.workdir, self.city, clouds, self.seed)
        else:
            workdir.asset_rows(self.city, self.seed)
        if options.truth is not None:
            workdir.write_truth(options.truth, self.city, self.names, mode)
        services = {t.tls.cert for u in self.city.units for t in u.persona.tcp if t.tls}
        warm((*services, Certificate(issuer=CLOUD_CA)))
        self.spaces: Namespaces | None = None
        if mode != "loopback":
            self.spaces = make_namespaces(user=mode == "userns")
            for line in wiring.wire(self.spaces, self.city):
                _say(options, line)
        for line in self.city.notes:
            _say(options, line)
        self.stats = Stats()
        for unit in self.city.units:
            if unit.reachable:
                device = self.stats.device(unit.address)
                device.persona = "+".join(filter(None, (device.persona, unit.persona.id)))

    async def run(self) -> int:
        """Raise, run the command (or wait), take down. The command's exit code."""
        options, loopback = self.options, self.spaces is None
        sniffer = None if loopback else Sniffer("vl0")
        recorder = None
        if sniffer is not None:
            sniffer.start()
        latency = _REAL_LATENCY if options.latency == "real" else (0.0, 0.0)
        tcp = TcpEngine(self.stats, latency=latency)
        broadcasts = [
            str(s.plan.network.broadcast_address)
            for s in self.city.segments
            if s.plan.kind == "on-link"
        ]
        udp = UdpEngine(
            self.stats,
            interface=None if loopback else "vl0",
            broadcasts=() if loopback else broadcasts,
            dead=tcp.dead,
        )
        on_link = {s.plan.id for s in self.city.segments if s.plan.kind == "on-link"}
        for unit in self.city.units:
            if unit.reachable:
                tcp.add(unit)
                if not unit.port_map:  # a port forwarding forwards no searches
                    udp.add(unit, groups=unit.segment in on_link)
        udp.open_groups()
        beacons = BeaconEngine(
            {}
            if loopback
            else {
                s.plan.id: str(s.plan.network.broadcast_address)
                for s in self.city.segments
                if s.plan.kind == "on-link"
            },
            self.seed,
        )
        for unit in self.city.units:
            if unit.reachable and not unit.port_map:
                beacons.add(unit)
        cloud = CloudEngine(self.names)
        home = PhoneHomeEngine(cloud, self.names, self.seed, options.hurry)
        if self.spaces is not None and (options.phone_home or options.capture):
            with self.spaces.inside(self.spaces.wan):
                cloud.open(self.homes)
            if options.capture:
                recorder = Sniffer("vu0", head=65535, datagram=65535)
                recorder.start()
            for unit in self.city.units:
                if unit.reachable and not unit.port_map:
                    home.add(unit)
        _say(
            options,
            f"{self.city.plan.id}: {len(self.stats.devices)} addresses answer, "
            f"ready after {time.monotonic() - self.started:.2f} s",
        )
        code = await self._wait()
        beacons.close()
        await home.close()
        await cloud.close()
        for source in (sniffer, recorder):
            if source is not None:
                asyncio.get_running_loop().remove_reader(source.fileno())
                source.stop()
        await tcp.close()
        udp.close()
        if recorder is not None and options.capture is not None:
            count = write_pcap(recorder.packets(), options.capture)
            _say(options, f"{count} packets in {options.capture}; conversations: {home.done}")
        self._report(sniffer, (*udp.problems, *beacons.problems), home)
        return code

    def _report(
        self, sniffer: Sniffer | None, problems: Sequence[str], home: PhoneHomeEngine
    ) -> None:
        for problem in problems:
            _say(self.options, problem)
        if self.options.stats is None:
            return
        document: dict[str, object] = {
            "plan": self.city.plan.id,
            "mode": self.mode,
            "seconds": round(time.monotonic() - self.started, 3),
            "phone_home": {"done": home.done, "failed": home.failed},
        }
        if sniffer is not None:
            live = [unit.address for unit in self.city.units if unit.reachable and not unit.foreign]
            wire = WireStats(self.stats, wiring.networks(self.city), self.city.scanner, live)
            wire.read(sniffer.packets())
            wire.finish()
            document["wire"] = wire.to_json() | {"lost": sniffer.lost}
        else:
            document["wire"] = None
        document |= self.stats.to_json()
        self.options.stats.write_text(json.dumps(document, indent=1), encoding="utf-8")

    async def _wait(self) -> int:
        if not self.options.command:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop.set)
            if self.spaces is not None and self.options.seconds is None:
                _say(self.options, f"enter the scanner's network: {self._nsenter()}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.options.seconds)
            return 0
        environment = {
            **os.environ,
            **self.options.environment,
            "CAMSCAN_LAB_PORT_OFFSET": str(self.offset),
            "CAMSCAN_LAB_TARGETS": ",".join(workdir.targets(self.city)),
        }
        if self.options.workdir is not None:
            environment["CAMSCAN_DEMO_DIR"] = str(self.options.workdir.resolve())
            if self.spaces is None:  # thousands of addresses do not fit into the environment
                path = self.options.workdir.resolve() / "targets.txt"
                environment["CAMSCAN_LAB_TARGETS"] = f"@{path}"
        loop = asyncio.get_running_loop()
        process = await asyncio.create_subprocess_exec(
            *self.options.command, env=environment, preexec_fn=self._enter
        )

        def forward(number: int) -> None:
            with suppress(ProcessLookupError):
                process.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, forward, number)
        # Ctrl-C reaches the command through the terminal; the lab stays until it ends
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        code = await process.wait()
        return code if code >= 0 else 128 - code

    def _nsenter(self) -> str:
        assert self.spaces is not None
        user = f"--user=/proc/{os.getpid()}/ns/user " if self.mode == "userns" else ""
        return f"nsenter {user}--net=/proc/{os.getpid()}/fd/{self.spaces.scan}"

    def _enter(self) -> None:
        """In the child, before the command: into scan, lab/ masked if asked."""
        die_with_parent()
        if self.spaces is not None:
            setns(self.spaces.scan)
            if self.options.mask_lab:
                private_mounts()
                folder = Path(__file__).parent
                for place_ in (folder, folder.parent / "tests" / "lab" / "personas"):
                    if place_.is_dir():
                        mount("none", str(place_), "tmpfs", 0)


def run(options: Options) -> int:
    """Raise a city and run the command in it. Raises NamespaceError, PlanError, PersonaError."""
    if options.command and shutil.which(options.command[0]) is None:
        raise NamespaceError(f"cannot run {options.command[0]}: no such program")
    if options.mask_lab and not options.command:
        raise NamespaceError("--mask-lab needs a command")
    city = CityRun(options)
    if options.mask_lab and city.spaces is None:
        raise NamespaceError("--mask-lab needs namespaces; the loopback mode has none")
    return asyncio.run(city.run())
