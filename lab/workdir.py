"""Which files does the emulated owner have: site, asset list, network table, targets; and the truth?"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping
from pathlib import Path

from lab.cloud_map import Clouds, networks_toml
from lab.population import City
from lab.unit import Unit

COLUMNS = ("id", "address", "mac", "place", "brand", "model", "serial", "behind", "note")
_DATE = "2026-11-01"


def _toml(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def asset_rows(city: City, seed: int) -> list[dict[str, str]]:
    """The owner's list: what is there, with the plan's gaps both ways. Marks units with their row."""
    rng = random.Random(seed ^ 0xA55E7)
    rules = city.plan.assets
    cameras = [u for u in city.units if u.persona.truth.is_camera and not u.foreign]
    recorders = [u for u in cameras if u.persona.truth.role == "recorder"]
    free = [u for u in cameras if u.reachable and u not in recorders and u.behind is None]
    unlisted = set(map(id, rng.sample(free, min(rules.unlisted, len(free)))))
    rows: list[dict[str, str]] = []

    def add(**values: str) -> str:
        row = dict.fromkeys(COLUMNS, "") | values
        row["id"] = f"CAM-{len(rows) + 1:04d}"
        rows.append(row)
        return row["id"]

    for unit in sorted(cameras, key=lambda u: (u not in recorders, u.number)):
        if id(unit) in unlisted:
            continue
        truth = unit.persona.truth
        behind = next((r.asset for r in recorders if r.number == unit.behind), None)
        unit.asset = add(
            address=unit.address,
            mac=unit.mac if rng.random() < 0.7 else "",
            place=unit.place,
            brand=truth.brand or "",
            model=truth.model or "",
            serial=unit.serial if rng.random() < 0.5 else "",
            behind=behind or "",
        )
    holders = [r for r in recorders if r.persona.truth.channels_announced]
    for index in range(rules.hidden):
        if not holders:
            city.notes.append("no recorder announces channels: no hidden cameras in the list")
            break
        recorder = holders[index % min(2, len(holders))]
        add(
            place=recorder.place,
            brand=recorder.persona.truth.brand or "",
            behind=recorder.asset or "",
            note=f"channel of the recorder, number {index // 2 + 1} of those without an address",
        )
    for _ in range(rules.list_only):
        add(place="Mobile mast", brand="unknown", note="on a mobile network, no address in ours")
    return rows


def _site(city: City) -> str:
    lines = [
        "# What only people know: declared, never found. Written by the lab for its emulated owner.",
        f"owner = {_toml(city.plan.owner)}",
        f"name = {_toml(city.plan.about)}",
        f"jurisdiction = {_toml(city.plan.jurisdiction)}",
        'declared_by = "Head of municipal services (emulated)"',
        f'date = "{_DATE}"',
        'asset_list = "assets.csv"',
    ]
    for segment in city.segments:
        for place in segment.plan.place:
            targets = [u.address for u in city.units if u.place == place.name and not u.foreign]
            if not targets:
                continue
            listed = ", ".join(_toml(target) for target in dict.fromkeys(targets))
            lines += ["", "[[places]]", f"name = {_toml(place.name)}", f"targets = [{listed}]"]
            if place.sensitivity:
                lines.append(f"sensitivity = {_toml(place.sensitivity)}")
    for declaration in city.plan.declarations:
        lines += ["", "[[declarations]]"]
        for key, value in declaration.items():
            text = (
                _toml(value)
                if isinstance(value, str)
                else "[" + ", ".join(_toml(one) for one in value) + "]"
            )
            lines.append(f"{key} = {text}")
    return "\n".join(lines) + "\n"


def targets(city: City) -> list[str]:
    """What the owner would scan: the plan's networks (loopback: its addresses)."""
    if city.scanner == "127.0.0.1":
        return sorted({u.address for u in city.units if u.reachable})
    return [segment.plan.cidr for segment in city.segments]


def write(folder: Path, city: City, clouds: Clouds, seed: int) -> None:
    """All files of the owner, into a folder that is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = asset_rows(city, seed)
    (folder / "site.toml").write_text(_site(city), encoding="utf-8")
    (folder / "networks.toml").write_text(networks_toml(clouds), encoding="utf-8")
    (folder / "targets.txt").write_text("\n".join(targets(city)) + "\n", encoding="utf-8")
    with (folder / "assets.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _unit_truth(unit: Unit) -> dict[str, object]:
    truth = unit.persona.truth
    ports = {unit.port(number): tcp.proto for tcp in unit.persona.tcp for number in tcp.numbers}
    return {
        "number": unit.number,
        "persona": unit.persona.id,
        "address": unit.address,
        "mac": unit.mac,
        "segment": unit.segment,
        "reachable": unit.reachable,
        "foreign": unit.foreign,
        "shares_address": bool(unit.port_map),
        "ports": {str(port): proto for port, proto in sorted(ports.items())},
        "serial": unit.serial,
        "uuid": unit.uuid,
        "place": unit.place,
        "asset": unit.asset,
        "behind": unit.behind,
        "is_camera": truth.is_camera,
        "role": truth.role,
        "maker": truth.maker,
        "brand": truth.brand,
        "platform": truth.platform,
        "model": truth.model,
        "firmware": truth.firmware,
        "build_date": truth.build_date,
        "cloud": list(truth.cloud),
        "channels_announced": truth.channels_announced,
        "channels_seen": truth.channels_seen,
        "fragile": unit.persona.limits.max_connections is not None,
        "notes": truth.notes,
    }


def write_truth(path: Path, city: City, names: Mapping[str, str], mode: str) -> None:
    """The oracle, for tests only."""
    document = {
        "plan": city.plan.id,
        "mode": mode,
        "scanner": city.scanner,
        "segments": {s.plan.id: {"cidr": s.plan.cidr, "kind": s.plan.kind} for s in city.segments},
        "units": [_unit_truth(unit) for unit in city.units],
        "rejects": city.rejects,
        "clouds": dict(names),
        "notes": city.notes,
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
