"""What was looked at, what was not, and why?

Printed before any result (DESIGN rule 1). Counts subjects per test; a subject that gave no answer appears
under its reason code. Silence on a datagram search is an ordinary answer of the network, not an unfinished
test; a stream test that timed out, lost packets or failed is unfinished (exit code 2).
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from camscan.judge import capture_coverage
from camscan.model.claim import Attribute, Device, Visibility
from camscan.model.finding import Coverage, TestCoverage
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Attempt, Kind, Observation, Reason
from camscan.model.run import IntakeInfo
from camscan.model.site import Site

UNFINISHED = frozenset({Reason.TIMEOUT, Reason.LOSS, Reason.ERROR})
_ANNOUNCED = "announce."
_STAGES = {
    "neighbours": "Whether the address lives, and its MAC address (own segment only).",
    "port-stage": "Which TCP ports are open.",
    "igd-mappings": "The port mappings a gateway lists.",
    "udp-searches": "Search messages to the single device, beyond those that answered to the group.",
}
_AREAS = (
    ("traffic", "data path: no capture was made, so no destination, volume or protocol is known"),
    ("settings", "settings: no login was used, so what only a login shows is not known"),
    ("firmware", "firmware images: none was read"),
)
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def coverage(  # noqa: PLR0917 - six separate inputs, called by audit alone
    intakes: Sequence[IntakeInfo],
    observations: Iterable[Observation],
    attempts: Iterable[Attempt],
    devices: Sequence[Device],
    knowledge: Knowledge,
    site: Site,
) -> Coverage:
    """The coverage table of a run. Pure; order is by test name."""
    tried = tuple(attempts)
    seen = tuple(observations)
    allowed = _allowed(intakes)
    direct = [d for d in devices if d.visibility is Visibility.DIRECT]
    announced, through = _channels(devices)
    kinds = {intake.kind for intake in intakes}
    if capture_coverage.captured(seen):
        kinds.add("traffic")
    captures = capture_coverage.summaries(seen)
    return Coverage(
        addresses_in_scope=sum(n.num_addresses for n in allowed),
        addresses_answered=_answered(seen, allowed),
        devices=len(direct),
        cameras=sum(1 for d in direct if d.is_camera),
        tests=_tests(seen, tried, knowledge),
        segments=tuple(dict.fromkeys(line for intake in intakes for line in intake.segments)),
        listed=len(site.assets) if site.assets else None,
        listed_found=_found(direct, site) if site.assets else None,
        announced_channels=announced,
        channels_seen=through,
        vantages=tuple(dict.fromkeys(intake.vantage for intake in intakes if intake.vantage)),
        not_examined=(
            *_areas(kinds, seen, announced - through),
            *capture_coverage.left_out(captures),
        ),
        incomplete=_unfinished(tried, seen, knowledge),
        out_of_scope_seen=_outside(seen, tried, allowed),
    )


def _allowed(intakes: Iterable[IntakeInfo]) -> list[_Network]:
    """Ranges in scope without the excluded ones, collapsed, IPv4 first."""
    wanted: set[_Network] = set()
    for intake in intakes:
        kept = _networks(intake.scope)
        for hole in _networks(intake.excluded):
            kept = [part for network in kept for part in _without(network, hole)]
        wanted |= set(kept)
    four = [n for n in wanted if isinstance(n, ipaddress.IPv4Network)]
    six = [n for n in wanted if isinstance(n, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def _networks(texts: Iterable[str]) -> list[_Network]:
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            first, dash, last = text.partition("-")
            if not dash:
                continue
            try:
                ends = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
                found += list(ipaddress.summarize_address_range(*ends))
            except (ValueError, TypeError):
                continue
    return found


def _without(network: _Network, hole: _Network) -> list[_Network]:
    if network.version != hole.version or not network.overlaps(hole):
        return [network]
    if network.subnet_of(hole):  # type: ignore[arg-type] # versions were compared above
        return []
    return list(network.address_exclude(hole))  # type: ignore[arg-type] # versions were compared above


def _inside(address: str | None, allowed: Sequence[_Network]) -> bool | None:
    """None where the text is no address."""
    try:
        number = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    return any(number in network for network in allowed)


def _answered(seen: Iterable[Observation], allowed: Sequence[_Network]) -> int:
    addresses = {o.address or o.device_id for o in seen}
    return sum(1 for address in addresses if _inside(address, allowed))


def _outside(
    seen: Iterable[Observation], tried: Iterable[Attempt], allowed: Sequence[_Network]
) -> tuple[str, ...]:
    if not allowed:
        return ()
    found = {o.address for o in seen if o.address and _inside(o.address, allowed) is False}
    found |= {
        a.device_id
        for a in tried
        if a.reason is Reason.OUT_OF_SCOPE and _inside(a.device_id, allowed) is False
    }
    return tuple(sorted(found, key=_address_order))


def _address_order(text: str) -> tuple[int, int]:
    address = ipaddress.ip_address(text)
    return address.version, int(address)


def _tests(
    seen: Sequence[Observation], tried: Iterable[Attempt], knowledge: Knowledge
) -> tuple[TestCoverage, ...]:
    answered: dict[str, set[str]] = defaultdict(set)
    failed: dict[str, dict[str, str]] = defaultdict(dict)
    for observation in seen:
        answered[observation.job or observation.kind.value].add(observation.device_id)
    for attempt in tried:
        failed[attempt.test].setdefault(attempt.device_id, attempt.reason.value)
    about = {p.id: p.about for p in knowledge.probe_plan.probes}
    notes = {Kind.CAPTURE.value: capture_coverage.note(capture_coverage.summaries(seen))}
    rows = []
    for test in sorted({*answered, *failed}):
        missing = {d: r for d, r in failed[test].items() if d not in answered[test]}
        rows.append(
            TestCoverage(
                test=test,
                about=about.get(test, "")
                or _about_stage(test)
                or capture_coverage.ABOUT.get(test, ""),
                asked=len(answered[test]) + len(missing),
                answered=len(answered[test]),
                not_examined=tuple(sorted(Counter(missing.values()).items())),
                note=notes.get(test, ""),
            ),
        )
    return tuple(rows)


def _about_stage(test: str) -> str:
    """What a step of the scan itself asks; empty where its name says it."""
    if test.startswith(_ANNOUNCED):
        return f"Group search or broadcast of the protocol {test.removeprefix(_ANNOUNCED)}."
    return _STAGES.get(test, "")


def _found(direct: Iterable[Device], site: Site) -> int:
    ids = {a.id for a in site.assets}
    return len(ids & {d.listed_as for d in direct})


def _channels(devices: Sequence[Device]) -> tuple[int, int]:
    """(announced by recorders, cameras behind them that were seen themselves)."""
    announced = through = 0
    behind = Counter(d.behind for d in devices if d.visibility is Visibility.DIRECT and d.behind)
    for device in devices:
        value = device.value(Attribute.CHANNELS_ANNOUNCED)
        if value is not None and value.isdigit() and int(value) > 1:
            announced += int(value)
            through += min(int(value), behind[device.device_id])
    return announced, through


def _areas(kinds: Iterable[str], seen: Sequence[Observation], hidden: int) -> tuple[str, ...]:
    areas = [text for kind, text in _AREAS if kind not in set(kinds)]
    if any(o.kind is not Kind.IMAGE for o in seen) and not any(o.mac for o in seen):
        areas.append("MAC addresses: none was seen (routed vantage, no privilege, or an import)")
    if hidden > 0:
        areas.append(f"{hidden} channels that recorders announce: no camera of theirs was seen")
    return tuple(areas)


def _unfinished(
    tried: Iterable[Attempt], seen: Iterable[Observation], knowledge: Knowledge
) -> tuple[str, ...]:
    datagram = {p.id for p in knowledge.probe_plan.probes if p.transport == "udp"}
    done = {(o.device_id, o.job) for o in seen if o.job}
    open_: dict[tuple[str, str], set[str]] = defaultdict(set)
    # An input is no device: what counts is why it could not be read.
    alone: dict[str, set[str]] = defaultdict(set)
    for attempt in tried:
        if (
            attempt.reason in UNFINISHED
            and attempt.test not in datagram
            and not attempt.test.startswith(_ANNOUNCED)
            and (attempt.device_id, attempt.test) not in done
        ):
            if attempt.device_id:
                open_[attempt.test, attempt.reason.value].add(attempt.device_id)
            else:
                alone[attempt.test].add(attempt.detail or attempt.reason.value)
    devices = tuple(
        f"{test}: {reason} for {len(subjects)}: {_first(subjects, ', ')}"
        for (test, reason), subjects in sorted(open_.items())
    )
    inputs = (f"{test}: {_first(reasons, '; ')}" for test, reasons in sorted(alone.items()))
    return (*devices, *inputs)


def _first(texts: Iterable[str], between: str) -> str:
    found = sorted(texts)
    return between.join(found[:3]) + (" ..." if len(found) > 3 else "")
