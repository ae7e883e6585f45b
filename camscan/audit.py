"""In which order do the floors work on a run?

The only module that knows them all: observe -> identify -> attribute -> judge. It makes no decision of
its own; it hands each floor what it needs and writes down what came out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from camscan import assessments
from camscan.assess_options import AssessOptions
from camscan.attribute.attribution import attribute
from camscan.attribute.endpoints import attribute_endpoints
from camscan.attribute.images import attribute_image
from camscan.clock import Clock, iso, parse_iso
from camscan.decode.image import report as image_report
from camscan.errors import DecodeError
from camscan.identify.destinations import Traffic, with_destinations
from camscan.identify.devices import identify
from camscan.identify.image import image_identity, joined
from camscan.identify.match import Matcher
from camscan.identify.plan import make_next_jobs
from camscan.identify.watch import watched
from camscan.journal import read_attempts, read_observations
from camscan.judge.coverage import coverage
from camscan.judge.images import judge_images
from camscan.judge.judge import judge
from camscan.model.finding import Assessment
from camscan.model.firmware import ExaminedImage, ImageReport
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Attempt, Kind, Observation
from camscan.model.run import REPORT_SCHEMA
from camscan.model.site import Site
from camscan.run import IntakeWriter, Run
from camscan.scope import Scope
from camscan.site import placed
from camscan.workers import Outcome, Workers

if TYPE_CHECKING:
    # The rooms of observe are imported by whoever enters them: a command that reads needs none of their libraries.
    from camscan.observe.firmware.export import Form, StringsPart
    from camscan.observe.network.options import Progress, ScanOptions, ScanSummary
    from camscan.observe.packet.client import PacketHelper


_matchers: dict[str, Matcher] = {}


def matcher_of(knowledge: Knowledge) -> Matcher:
    """The compiled tables of this knowledge, made once: a scan's readings serve its assessment too."""
    if knowledge.content_hash not in _matchers:
        _matchers.clear()
        _matchers[knowledge.content_hash] = Matcher(knowledge)
    return _matchers[knowledge.content_hash]


def tool_version() -> str:
    try:
        return version("camscan")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "0+unknown"


async def scan(
    writer: IntakeWriter,
    *,
    scope: Scope,
    knowledge: Knowledge,
    options: ScanOptions,
    clock: Clock,
    progress: Progress,
    helper: PacketHelper | None,
) -> ScanSummary:
    """Look at every address of the scope; everything seen is in the writer's intake when it returns."""
    from camscan.observe.network.engine import scan as scan_network
    from camscan.observe.records.nmap_adapter import NmapPorts

    matcher = matcher_of(knowledge)
    return await scan_network(
        scope=scope,
        plan=knowledge.probe_plan,
        next_jobs=make_next_jobs(knowledge, matcher, port_offset=options.port_offset),
        writer=writer,
        options=options,
        clock=clock,
        progress=progress,
        helper=helper,
        earlier=_earlier(writer),
        other=NmapPorts(denied=knowledge.probe_plan.denied_ports, excluded=scope.excluded)
        if options.engine == "nmap"
        else None,
    )


def examine_images(
    paths: Sequence[Path], knowledge: Knowledge, *, workers: int | None, seconds: float
) -> Iterator[Outcome[ImageReport]]:
    """Open and search images in child processes, one image each; outcomes in the order of the paths."""
    from camscan.observe.firmware.child import limits
    from camscan.observe.firmware.entry import Budget
    from camscan.observe.firmware.examine import ImageJob, Tables

    tables = Tables(
        digest=knowledge.content_hash,
        vocabulary={k: v for k, v in knowledge.vocabulary.items() if k.startswith("firmware.")},
        names=knowledge.endpoints,
        firmware=knowledge.firmware,
    )
    budget = Budget(seconds=seconds)
    jobs = (
        ImageJob(path=str(p.resolve()), name=p.name, tables=tables, budget=budget) for p in paths
    )
    count = min(len(paths), workers) if workers is not None else None
    with Workers(
        "camscan.observe.firmware.examine:run",
        ImageReport,
        count=count,
        limits=limits(paths, budget),
    ) as pool:
        yield from pool.run(jobs)


def image_strings(path: Path, *, form: Form, seconds: float) -> Iterator[Outcome[StringsPart]]:
    """All strings of one image, part by part, read in a child; a failure is the last outcome."""
    from camscan.observe.firmware.child import limits
    from camscan.observe.firmware.entry import Budget
    from camscan.observe.firmware.export import StringsJob, StringsPart

    budget = Budget(seconds=seconds)
    jobs = (
        StringsJob(path=str(path.resolve()), name=path.name, number=n, form=form, budget=budget)
        for n in count()
    )
    with Workers(
        "camscan.observe.firmware.export:run", StringsPart, count=1, limits=limits([path], budget)
    ) as pool:
        for outcome in pool.run(jobs):
            yield outcome
            if outcome.value is None or outcome.value.last:
                return


def assess(run: Run, knowledge: Knowledge, options: AssessOptions) -> tuple[Assessment, Path]:
    """Judge all intakes of a run; the assessment and the folder it was written to."""
    site = options.site
    intakes = run.intakes()
    observations = tuple(run.observations())
    attempts = tuple(run.attempts())
    devices = placed(
        identify(
            (o for o in observations if o.kind is not Kind.IMAGE),
            knowledge,
            assets=site.assets,
            matcher=matcher_of(knowledge),
        ),
        site,
    )
    traffic = Traffic(observations, options.networks)
    devices = with_destinations(devices, traffic, knowledge.services)
    images, devices = joined(examined(observations, knowledge), devices)
    devices, endpoints = attribute_endpoints(
        devices, knowledge, owner=options.networks, lookups=options.lookups
    )
    watches = watched(devices, traffic)
    covered = coverage(intakes, observations, attempts, devices, knowledge, site)
    as_of = options.as_of or last_moment(run, observations, attempts)
    jurisdiction = options.jurisdiction or site.jurisdiction
    judgement = judge(
        devices,
        covered,
        knowledge=knowledge,
        site=site,
        as_of=as_of,
        jurisdiction=jurisdiction,
        attributions=attribute(devices, knowledge),
        watches={w.device_id: w.watch for w in watches},
    )
    assessment = Assessment(
        schema=REPORT_SCHEMA,
        run_id=run.info.run_id,
        owner=site.owner or run.info.owner,
        authority=run.info.authority,
        as_of=as_of,
        knowledge_hash=knowledge.content_hash,
        knowledge_as_of=knowledge.as_of,
        tool_version=tool_version(),
        jurisdiction=jurisdiction,
        devices=devices,
        endpoints=endpoints,
        findings=(*judgement.findings, *judge_images(images, knowledge, as_of)),
        decisions=judgement.decisions,
        factors=judgement.factors,
        coverage=covered,
        concerns=judgement.concerns,
        next_tests=judgement.next_tests,
        images=images,
        scope=tuple(dict.fromkeys(line for intake in intakes for line in intake.scope)),
        excluded=tuple(dict.fromkeys(line for intake in intakes for line in intake.excluded)),
        site=site.name,
        declarations=declarations(site),
        networks_supplied=tuple(
            f"{n.name}: {', '.join(n.prefixes)} (parent country {n.parent_country or 'not given'}; {n.source})"
            for n in options.networks
        ),
        inputs=(
            ("signatures", knowledge.content_hash),
            *options.inputs,
            *options.lookups.inputs,
            *(
                (f"{intake.id}: {one.name}, {one.size} bytes", one.sha256)
                for intake in intakes
                for one in intake.inputs
            ),
        ),
        seals=run.seals(),
        options=tuple(
            f"{intake.id} {name}={value}" for intake in intakes for name, value in intake.options
        ),
        traffic=watches,
    )
    return assessment, assessments.write(run.path, assessment)


def examined(
    observations: Iterable[Observation], knowledge: Knowledge
) -> tuple[ExaminedImage, ...]:
    """Every image of a run once, the newest reading of it, with operators and advisories."""
    found: dict[str, ExaminedImage] = {}
    for observation in observations:
        if observation.kind is not Kind.IMAGE:
            continue
        try:
            report = image_report(observation.response)
        except DecodeError:
            continue  # coverage shows it: an intake of kind firmware without a readable record
        image = ExaminedImage(
            subject=f"image:{report.sha256[:12]}",
            observation=observation.id,
            report=report,
            identity=image_identity(report, knowledge),
        )
        found[image.subject] = attribute_image(image, knowledge)
    return tuple(found[name] for name in sorted(found))


def unfinished(
    run: Run, intake: str, assessment: Assessment, knowledge: Knowledge
) -> tuple[str, ...]:
    """The tests of one intake that did not finish for something in scope, as coverage words them."""
    intakes = run.intakes()
    if len(intakes) == 1:
        return assessment.coverage.incomplete
    covered = coverage(
        tuple(i for i in intakes if i.id == intake),
        tuple(read_observations(run.path, intake)),
        tuple(read_attempts(run.path, intake)),
        (),
        knowledge,
        Site(),
    )
    return covered.incomplete


def last_moment(
    run: Run,
    observations: Iterable[Observation],
    attempts: Iterable[Attempt],
) -> str:
    """The default as_of: end of the last intake, else the last thing written, else the run's start."""
    ends = [seal.ended for i in run.intakes() if (seal := run.seal_of(i.id)) is not None]
    ends += [o.at for o in observations if o.at] if not ends else []
    ends += [a.at for a in attempts if a.at] if not ends else []
    return max(ends, key=_moment, default=run.info.created)


def declarations(site: Site) -> tuple[str, ...]:
    """What people declared, one line each, to be printed as declared."""
    lines = []
    for place in site.places:
        sensitivity = f", sensitivity {place.sensitivity}" if place.sensitivity else ""
        lines.append(f"place {place.name}: {', '.join(place.targets)}{sensitivity}")
    for d in site.declarations:
        text = f": {d.text}" if d.text else ""
        lines.append(
            f"{d.factor} = {d.value} for {', '.join(d.subjects)} by {d.by}, {d.date}{text}"
        )
    for document in site.documents:
        text = f": {document.text}" if document.text else ""
        lines.append(
            f"{document.condition} {'present' if document.present else 'absent'} by {document.by}, {document.date}{text}"
        )
    return tuple(lines)


def options_digest(options: Struct) -> str:
    """Hash of an options record, for the intake."""
    return hashlib.sha256(msgspec.json.encode(options)).hexdigest()


def _moment(text: str) -> float:
    try:
        return parse_iso(text)
    except ValueError:
        return parse_iso(iso(0))


def _earlier(
    writer: IntakeWriter,
) -> Mapping[str, tuple[list[Observation], list[Attempt]]]:
    found: dict[str, tuple[list[Observation], list[Attempt]]] = {}
    for observation in writer.observations():
        found.setdefault(observation.device_id, ([], []))[0].append(observation)
    for attempt in writer.attempts():
        found.setdefault(attempt.device_id, ([], []))[1].append(attempt)
    return found
