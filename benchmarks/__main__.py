"""camscan and nmap side by side in one run, on freshly raised cities; and recorded answers at size.

`python -m benchmarks [NAME...]`: identify-24, identify-20, ports-20, scan-16, latency-24, identify-size, live,
firmware. Prints wall and CPU seconds, ratios, what was missed, connections per device and crashes of fragile
devices; for identify-size observations per second.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from tabulate import tabulate

from benchmarks import firmware_contents, identify_size
from benchmarks.captures import SHARES
from benchmarks.city import Outcome, measure, scan_command, verdict
from benchmarks.firmware import firmware
from benchmarks.live import live
from benchmarks.traffic import traffic
from camscan.clock import parse_iso

PORTS = "80-85,88,443,554,888,1935,2020,3702,5000,7443,8000,8080,8081,8443,8554,8800,8899,9000,9527,9530,10554,34567,37777,49152"
SCRIPTS = "http-title,http-server-header,http-auth,rtsp-methods,ssl-cert"
LIMIT = 600
"""Seconds after which nmap is stopped and shown as `>`."""
TO_ITS_END = 2400
"""The same where a whole run of nmap is wanted: without it a ratio above 50 could not be shown."""


def nmap(plan: str, net: str, *options: str, profile: str = "none", limit: int = LIMIT) -> Outcome:
    return measure(
        plan, ["nmap", "-n", "-sS", "-T4", "-p", PORTS, *options, net], limit=limit, profile=profile
    )


def camscan(
    plan: str, *, speed: str = "fast", profile: str = "none", extra: tuple[str, ...] = ()
) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="camscan-bench-"))
    return measure(
        plan,
        scan_command(folder / "run", speed=speed, extra=extra),
        limit=LIMIT,
        profile=profile,
        folder=folder,
    )


def row(name: str, outcome: Outcome, limit: int = LIMIT) -> tuple[str, ...]:
    totals = outcome.stats["totals"]
    wire = outcome.stats["wire"]
    hosts = sum(1 for d in outcome.stats["devices"].values() if d["handshakes"]) or 1
    return (
        name,
        f"> {limit}" if outcome.wall is None else f"{outcome.wall:.2f}",
        f"{outcome.cpu:.2f}",
        f"{outcome.peak_mb:.0f}",
        f"{totals['handshakes'] / hosts:.1f}",
        str(totals["max_handshakes"]),
        str(totals["wire_max_concurrent"]),
        str(totals["max_probes_per_second"]),
        str(totals["crashes"]),
        str(totals["bytes_to_denied"]),
        str(wire["outside_plan"]),
    )


HEADER = (
    "",
    "wall s",
    "CPU s",
    "peak MB",
    "conn/host",
    "max conn",
    "max at once",
    "max probes/s",
    "crashes",
    "bytes denied",
    "outside plan",
)


def show(rows: list[tuple[str, ...]]) -> None:
    print(tabulate(rows, headers=HEADER, tablefmt="simple", disable_numparse=True), flush=True)


def ratio(slow: Outcome, fast: Outcome, limit: int = LIMIT) -> str:
    assert fast.wall is not None
    return f"> {limit / fast.wall:.0f}" if slow.wall is None else f"{slow.wall / fast.wall:.1f}"


def named(outcome: Outcome) -> None:
    result = verdict(outcome, outcome.folder / "stdout")
    print(f"  cameras {result.cameras}, called cameras {result.called}, right maker {result.right}")
    for line in (*result.wrong, *result.unnamed)[:20]:
        print(f"  {line}")


def slowest(outcome: Outcome) -> None:
    """The devices that took longest, by the journal's own times."""
    last: dict[str, tuple[str, str]] = {}
    for journal in sorted(outcome.folder.glob("run/intakes/*/*.ndjson")):
        for line in journal.read_bytes().splitlines():
            record = json.loads(line)
            first, latest = last.get(record["device_id"], (record["at"], record["at"]))
            last[record["device_id"]] = (min(first, record["at"]), max(latest, record["at"]))
    begin = min((a for a, _ in last.values()), default="")
    personas = {u["address"]: u["persona"] for u in outcome.truth["units"]}
    rows = sorted(
        ((parse_iso(b) - parse_iso(begin), d) for d, (_, b) in last.items()), reverse=True
    )
    text = ", ".join(f"{personas.get(d, d)} {seconds:.1f} s" for seconds, d in rows[:4])
    print(f"  last answers: {text}")


def identify(plan: str, net: str, *options: str, profile: str = "none", limit: int = LIMIT) -> None:
    ours = camscan(plan, profile=profile)
    polite = camscan(plan, speed="polite", profile=profile)
    theirs = nmap(plan, net, *options, profile=profile, limit=limit)
    show(
        [
            row("camscan fast", ours),
            row("camscan polite", polite),
            row(f"nmap {' '.join(options)[:40]}", theirs, limit),
        ]
    )
    print(f"  nmap / camscan fast: {ratio(theirs, ours, limit)}")
    named(ours)
    slowest(ours)


FULL = (
    "-sV",
    "--version-light",
    "--script",
    SCRIPTS,
    "--host-timeout",
    "90s",
    "--script-timeout",
    "15s",
)

BENCHMARKS = {
    "identify-24": lambda: identify("city-24", "10.20.0.0/24", *FULL),
    "latency-24": lambda: identify("city-24", "10.20.0.0/24", *FULL, profile="real"),
    "identify-20": lambda: identify(
        "city-20", "10.20.0.0/20", "-sV", "--version-light", limit=TO_ITS_END
    ),
    "ports-20": lambda: ports("city-20", "10.20.0.0/20"),
    "scan-16": lambda: large("city-16"),
    **{f"traffic-{kind}": partial(traffic, (kind,)) for kind in SHARES},
    "live": live,
    "identify-size": identify_size.run,
    "firmware": firmware,
    "firmware-contents": firmware_contents.main,
}


def ports(plan: str, net: str) -> None:
    """The port stage alone, from the stage times the scan itself reports."""
    ours = camscan(plan)
    theirs = nmap(plan, net)
    show([row("camscan fast, whole", ours), row("nmap -sS -T4", theirs)])
    named(ours)
    slowest(ours)


def large(plan: str) -> None:
    ours = camscan(plan)
    show([row("camscan fast", ours)])
    named(ours)
    slowest(ours)


def main() -> int:
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [n for n in names if n not in BENCHMARKS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 3
    for name in names:
        print(f"\n== {name}", flush=True)
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
