"""camscan explain: from a finding to its claims, evidence, signatures and the bytes on disk."""

from __future__ import annotations

import difflib
from pathlib import Path

import click
import msgspec

from camscan import assessments
from camscan.cli.explain_capture import KINDS, of_packets, origins, record_lines
from camscan.cli.judging import read_knowledge
from camscan.clock import SystemClock
from camscan.decode.text import clean, decode_text
from camscan.errors import UsageError
from camscan.model.claim import Claim, Device, Endpoint, Evidence
from camscan.model.finding import Assessment, Finding, Interval
from camscan.model.firmware import ExaminedImage
from camscan.model.knowledge import Knowledge, Signature
from camscan.model.observation import Observation
from camscan.model.product import ProductLine
from camscan.run import Run

_SHOWN = 600
"""Bytes of an answer that are printed."""
_ALIKE = 2
"""Observations that are printed whole where many give the same evidence."""


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("what", metavar="FINDING|DEVICE")
@click.option("--json", "as_json", is_flag=True)
def explain(run_folder: Path, what: str, *, as_json: bool) -> int:
    """Show why a finding (`condition@subject`) or a device is stated, down to the stored bytes."""
    run = Run.open(run_folder, SystemClock())
    assessment = assessments.read(run.path)
    knowledge = read_knowledge(None)
    finding = next((f for f in assessment.findings if f.id == what), None)
    device = next((d for d in assessment.devices if d.device_id == what), None)
    if finding is None and device is None:
        near = _near(what, assessment)
        hint = (
            f"; did you mean {', '.join(near)}"
            if near
            else "; `camscan report RUN -f csv` lists all of them (first column)"
        )
        raise UsageError(f"{what}: no finding or device of that name in {run_folder}{hint}")
    claims = finding.claims if finding is not None else device.claims if device is not None else ()
    ends = _ends(finding, assessment) if finding is not None else ()
    wanted = {e.observation for c in claims for e in c.evidence}
    wanted |= {o for e in ends for o in e.observations}
    seen = {o.id: o for o in run.observations() if o.id in wanted}
    if as_json:
        click.echo(
            msgspec.json.encode(
                {
                    "finding": finding,
                    "device": None if finding is not None else device,
                    "observations": {k: _json(o) for k, o in seen.items()},
                },
            ).decode(),
        )
        return 0
    if finding is not None:
        _finding(finding, assessment)
    elif device is not None:
        _device(device)
    for image in assessment.images:
        if finding is not None and finding.subject == image.subject:
            _image(finding, image)
    for claim in claims:
        _claim(claim, knowledge, seen)
    for end in ends:
        _end(end, seen)
    if told := origins(seen.values(), {i.id: i for i in run.intakes()}):
        click.echo("\nCaptures and logs stay where you have them; these records were counted")
        for line in told:
            click.echo(f"  {line}")
        if any(o.kind in KINDS and of_packets(o) for o in seen.values()):
            click.echo("  (where the mirror keeps VLAN tags, put `vlan and` before a filter)")
    return 0


def _ends(finding: Finding, assessment: Assessment) -> tuple[Endpoint, ...]:
    """The endpoints a finding about the data path rests on: those its details name."""
    told = " ".join(finding.details)
    return tuple(
        e
        for e in assessment.endpoints
        if e.device_id == finding.subject
        and e.observations
        and ((e.name and e.name in told) or (e.address and e.address in told))
    )


def _end(end: Endpoint, seen: dict[str, Observation]) -> None:
    marks = ", ".join(m.value for m in end.marks)
    click.echo(f"\nendpoint {clean(end.name or '(no name)')} {end.address or ''} {end.transport} {end.port or ''}: {marks}")  # fmt: skip
    for line in (*end.why, *end.sources):
        click.echo(f"  {clean(line)}")
    for name in end.observations:
        observation = seen.get(name)
        if observation is not None:
            first, *rest = record_lines(observation) or [
                clean(decode_text(observation.response[:_SHOWN]))
            ]
            click.echo(f"  observation {name}: {observation.kind.value}: {first}")
            for line in rest:
                click.echo(f"    {line}")


def _image(finding: Finding, image: ExaminedImage) -> None:
    """Places in the image, which stays with its owner: inner path and offset count in the bytes at that path."""
    for line in finding.details:
        click.echo(f"  {clean(line)}")
    click.echo(
        f"\nimage {clean(image.report.image)}: sha256 {image.report.sha256}, observation {image.observation}"
    )


def _near(what: str, assessment: Assessment) -> list[str]:
    """At most eight names that contain `what`, else those spelt most alike."""
    names = [*(f.id for f in assessment.findings), *(d.device_id for d in assessment.devices)]
    inside = [name for name in names if what.casefold() in name.casefold()]
    return inside[:8] or difflib.get_close_matches(what, names, n=4)


def _finding(finding: Finding, assessment: Assessment) -> None:
    click.echo(
        f"{finding.id}: {finding.state.value}, evidence {finding.level.value}, confidence {finding.confidence.value}"
    )
    click.echo(f"  {finding.statement}")
    if finding.reason is not None:
        click.echo(f"  not examined because: {finding.reason.value}")
    if finding.does_not_show:
        click.echo(f"  does not show: {finding.does_not_show}")
    if finding.would_change:
        click.echo(f"  what would change it: {finding.would_change}")
    if finding.action is not None:
        a = finding.action
        click.echo(
            f"  action: at least {a.lower.value} (row {a.row}), up to {a.upper.value} (row {a.upper_row}), table {a.table}"
        )
    for interval in dict(assessment.factors).get(finding.subject, ()):
        click.echo(f"  {_factor(interval)}")
    for name, ids in (
        ("concerns", [c.concern for c in finding.concerns if c.relation != "elsewhere"]),
        ("law", finding.laws),
        ("rules", finding.rules),
    ):
        if ids:
            click.echo(f"  {name}: {', '.join(ids)}")


def _factor(interval: Interval) -> str:
    """`factor D: D3 (traffic with ...), up to D4 (traffic of the window only)`."""
    name = interval.factor
    lower, upper = (
        ("no", "yes")[level] if name in {"x", "m"} else f"{name}{level}"
        for level in (interval.lower, interval.upper)
    )
    text = f"factor {name}: {lower} ({interval.why_lower})"
    if interval.upper == interval.lower:
        return text
    same = interval.why_upper in {"", interval.why_lower}
    return f"{text}, up to {upper}" + ("" if same else f" ({interval.why_upper})")


def _device(device: Device) -> None:
    role = device.role.value if device.role is not None else "role unknown"
    click.echo(
        f"{device.device_id}: {role}; addresses {', '.join(device.addresses)}; MAC {', '.join(device.macs) or 'not seen'}"
    )
    for line in (*device.joins, *device.notes):
        click.echo(f"  {line}")


def _claim(claim: Claim, knowledge: Knowledge, seen: dict[str, Observation]) -> None:
    value = claim.value if claim.value is not None else f"({', '.join(claim.values) or 'unknown'})"
    click.echo(
        f"\nclaim {claim.attribute.value} = {value}: {claim.state.value}, {claim.level.value}, {claim.confidence.value}"
    )
    if claim.reason:
        click.echo(f"  {claim.reason}")
    alike: dict[tuple[str, str, str, str], list[Evidence]] = {}
    for e in claim.evidence:
        alike.setdefault((e.signature, e.version, e.value, e.attribute), []).append(e)
    for same in alike.values():
        for evidence in same[:_ALIKE]:
            _evidence(evidence, knowledge, seen.get(evidence.observation))
        if len(same) > _ALIKE:
            others = ", ".join(e.observation for e in same[_ALIKE:])
            click.echo(f"    and by {same[0].signature} the same from: {others}")


def _evidence(evidence: Evidence, knowledge: Knowledge, observation: Observation | None) -> None:
    click.echo(
        f"  evidence {evidence.signature} (version {evidence.version}), family {evidence.family.value}, {evidence.level.value}: {evidence.value}"
    )
    known: dict[str, Signature | ProductLine] = {s.id: s for s in knowledge.signatures}
    known |= {line.id: line for line in knowledge.lines}
    found = known.get(evidence.signature)
    if found is not None:
        changed = "" if found.version == evidence.version else " [signature changed since]"
        click.echo(f"    signature: {found.about}; source: {found.source} ({found.as_of}){changed}")
        if found.not_proof_of:
            click.echo(f"    no proof of: {found.not_proof_of}")
    if (taken := knowledge.withdrawn.get(evidence.signature)) is not None:
        click.echo(f"    withdrawn {taken.date}: {taken.reason}")
    if observation is None:
        click.echo(f"    observation {evidence.observation}: declared or derived, no bytes")
        return
    where = (
        f"{observation.address or observation.device_id} port {observation.port}"
        if observation.port
        else observation.device_id
    )
    click.echo(
        f"    observation {observation.id}: {observation.kind.value} from {where} at {observation.at}; asked: {observation.request or '-'}"
    )
    if observation.kind in KINDS and (lines := record_lines(observation)):
        for line in lines:
            click.echo(f"      {line}")
        return
    text = decode_text(observation.response[:_SHOWN])
    for line in text.splitlines()[:14]:
        click.echo(f"      | {clean(line)[:150]}")
    if len(observation.response) > _SHOWN:
        click.echo(f"      | ... {len(observation.response)} bytes in all")


def _json(observation: Observation) -> dict[str, object]:
    record = msgspec.to_builtins(observation)
    assert isinstance(record, dict)
    return record
