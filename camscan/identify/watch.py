"""For how long and from where was each device watched, and how much did it send when?

Only what a capture shows of the device itself counts; a device of the scan that no capture shows was not
watched. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from camscan.decode.own_networks import is_group
from camscan.identify.destinations import Seen, Traffic
from camscan.model.claim import Device
from camscan.model.traffic import CaptureSummary, DeviceTraffic, Minute, Watch

MAX_BARS = 240
_DAY = 86_400
_WIDTHS = (60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, _DAY, 7 * _DAY, 28 * _DAY)


def watched(devices: Iterable[Device], traffic: Traffic) -> tuple[DeviceTraffic, ...]:
    """One record per device that a capture shows, in order of the devices."""
    found = []
    for device in devices:
        seen = traffic.of(device)
        if seen.names or seen.flows or seen.services:
            found.append(_of(device, seen, traffic))
    return tuple(found)


def _of(device: Device, seen: Seen, traffic: Traffic) -> DeviceTraffic:
    own = frozenset(device.addresses)
    up = down = packets = local_up = local_down = 0
    volumes: dict[int, tuple[int, int]] = {}
    special: dict[str, tuple[int, int, int]] = {}
    for _, flow in seen.flows:
        inbound = flow.client not in own and flow.remote in own
        remote = flow.client if inbound else flow.remote
        there, back = (
            (flow.bytes_down, flow.bytes_up) if inbound else (flow.bytes_up, flow.bytes_down)
        )
        packets += flow.packets_up + flow.packets_down
        up, down = up + there, down + back
        if traffic.own(remote):
            local_up, local_down = local_up + there, local_down + back
            continue
        if (words := traffic.nobody(remote)) and not is_group(remote):
            count, sent, got = special.get(words, (0, 0, 0))
            special[words] = count + 1, sent + there, got + back
        for minute in flow.minutes:
            one, two = (
                (minute.bytes_down, minute.bytes_up)
                if inbound
                else (minute.bytes_up, minute.bytes_down)
            )
            old = volumes.get(minute.start, (0, 0))
            volumes[minute.start] = (old[0] + one, old[1] + two)
    intakes = {o.partition(":")[0] for o in device.observations}
    summaries = [s for name, s in sorted(traffic.summaries.items()) if name in intakes]
    width, bars = _bars(volumes)
    return DeviceTraffic(
        device_id=device.device_id,
        watch=replace(
            _watch(summaries, seen, packets=packets, up=up, down=down),
            special=tuple((name, *sums) for name, sums in sorted(special.items())),
        ),
        width=width,
        minutes=bars,
        local_up=local_up,
        local_down=local_down,
    )


def _watch(
    summaries: list[CaptureSummary], seen: Seen, *, packets: int, up: int, down: int
) -> Watch:
    begins = [s.first for s in summaries if s.first is not None]
    ends = [s.last for s in summaries if s.last is not None]
    if not begins or not ends:
        spans = [(n.first, n.last) for _, n in seen.names]
        spans += [(f.first, f.last) for _, f in seen.flows]
        spans += [(s.first, s.last) for _, s in seen.services]
        begins = begins or [min(first for first, _ in spans)]
        ends = ends or [max(last for _, last in spans)]
    losses = [s.lost for s in summaries]
    return Watch(
        vantages=tuple(dict.fromkeys(s.vantage for s in summaries)),
        first=min(begins),
        last=max(ends),
        days=sum(int(round(_examined(s), 3) // _DAY) for s in summaries),
        packets=packets,
        bytes_up=up,
        bytes_down=down,
        lost=sum(n for n in losses if n is not None)
        if any(n is not None for n in losses)
        else None,
        dns_visible=any(s.dns_visible for s in summaries),
        encrypted_resolvers=tuple(
            dict.fromkeys(r for s in summaries for r in s.encrypted_resolvers)
        ),
        phases=tuple(dict.fromkeys(p[0] for s in summaries for p in s.phases if s.seen(p))),
        not_examined=tuple(pair for s in summaries for pair in s.not_examined),
        media_judged=all(s.media_judged for s in summaries),
        gaps=tuple(gap for s in summaries for gap in s.gaps),
    )


def _examined(summary: CaptureSummary) -> float:
    """Seconds of the window that were examined."""
    if summary.first is None or summary.last is None:
        return 0.0
    return summary.last - summary.first - sum(end - begin for begin, end, _ in summary.gaps)


def _bars(volumes: dict[int, tuple[int, int]]) -> tuple[int, tuple[Minute, ...]]:
    if not volumes:
        return 60, ()
    span = max(volumes) - min(volumes) + 60
    width = next((w for w in _WIDTHS if span / w <= MAX_BARS), _WIDTHS[-1])
    joined: dict[int, tuple[int, int]] = {}
    for start, (one, two) in volumes.items():
        place = start // width * width
        old = joined.get(place, (0, 0))
        joined[place] = (old[0] + one, old[1] + two)
    bars = [Minute(s, u, d) for s, (u, d) in sorted(joined.items())]
    return width, tuple(bars[: 4 * MAX_BARS])
