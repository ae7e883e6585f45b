"""Every sentence that is printed passes the phrase list of signatures/vocab/phrases.toml."""

from __future__ import annotations

import html
import re

import pytest
from judged_city import claim, device, endpoint, hikvision, no_coverage, subject, torn
from msgspec.structs import replace
from test_judge import SITE, city, run

from camscan import knowledge
from camscan.judge.checks.registry import DEVICE_CHECKS, SITE_CHECKS
from camscan.judge.image_checks import IMAGE_CHECKS
from camscan.knowledge_phrases import NAMES, NEVER, STATUTES, finder, phrase_faults
from camscan.model.claim import Attribute, Confidence, Level, Mark, Role, State
from camscan.model.finding import Assessment
from camscan.model.knowledge import Knowledge
from camscan.model.site import Site
from camscan.report import csv as csv_report
from camscan.report import html as html_report
from camscan.report import json as json_report
from camscan.report import markdown as markdown_report
from camscan.report import table as table_report
from camscan.report.model import build
from camscan.report.text import en

KNOWN = knowledge.load()
find = finder(KNOWN.vocabulary)
find_beside_law = finder(KNOWN.vocabulary, legal=True)
A = Attribute


@pytest.mark.parametrize(
    "text",
    [
        "it sends data to China", "Sends its video to the Chinese state.", "This is illegal.", "a backdoor",
        "The camera is safe", "SECURE", "a breach of the law", "the firmware is vulnerable", "spyware",
        "Chinese law applies to the camera", "clearly", "this violates RS-ZZPL-63", "non-compliant", "proven",
    ],
)  # fmt: skip
def test_the_list_bites(text):
    assert find(text)


@pytest.mark.parametrize(
    "text",
    [
        "Belgrade Safe City", "AXIS OS with Secure Boot", "unsafely is another word", "safety", "insecurely-named",
        "exchanged ntp traffic with an address registered in mainland China (register, date)",
        "Legal duties, missing documents and breaches are stated only where a named person of the operator declared them.",
    ],
)  # fmt: skip
def test_names_and_other_words_pass(text):
    assert find(text) == ()


def test_terms_of_an_act_pass_beside_the_act_alone():
    text = "investigates espionage"
    assert find(text)
    assert find_beside_law(text) == ()
    assert find_beside_law("spying")
    for key in (NEVER, NAMES, STATUTES):
        assert len(KNOWN.vocabulary[key]) >= 5


def test_no_text_of_the_shipped_data_says_more():
    assert list(phrase_faults(KNOWN)) == []


def test_every_own_text_of_the_data_is_looked_through():
    bad = "clearly a backdoor"
    law, rule = next(iter(KNOWN.laws.values())), next(iter(KNOWN.rules.values()))
    spoilt = replace(
        KNOWN,
        signatures=(replace(KNOWN.signatures[0], not_proof_of=bad),),
        conditions={"c": replace(KNOWN.conditions["vuln-known"], does_not_show=bad)},
        laws={"l": replace(law, paraphrase=bad)},
        rules={"r": replace(rule, paraphrase=bad)},
        parties={"p": replace(KNOWN.parties["axis"], note=bad)},
        endpoints=(replace(KNOWN.endpoints[0], note=bad),),
        advisories=(replace(KNOWN.advisories[0], impact=bad),),
        concerns={"k": replace(KNOWN.concerns["BIRN-1"], caution=bad)},
        networks=(replace(KNOWN.networks[0], note=bad),),
        brands=(replace(KNOWN.brands[0], note=bad),),
        services=(replace(KNOWN.services[0], not_proof_of=bad),),
        firmware=replace(
            KNOWN.firmware,
            components=(replace(KNOWN.firmware.components[0], note=bad),),
            imprints=(replace(KNOWN.firmware.imprints[0], not_proof_of=bad),),
        ),
    )
    tables = {table for table, *_ in phrase_faults(spoilt)}
    assert tables == {"signature", "condition", "law", "rule", "party", "endpoint", "advisory", "concern",
                      "network", "brand", "service", "component", "imprint"}  # fmt: skip
    assert list(phrase_faults(replace(spoilt, vocabulary={}))) == []


def test_what_a_report_says_in_its_own_name_passes():
    said = [v for name, v in vars(en).items() if not name.startswith("_")]
    texts = [v for v in said if isinstance(v, str)]
    texts += [w for v in said if isinstance(v, dict) and v is not en.TERMS for w in v.values()]
    texts += [w for group in en.TERMS.values() for w in group.values()]
    texts += [t for c in (*DEVICE_CHECKS, *SITE_CHECKS) for t in (c.title, c.question)]
    texts += [c.title for c in IMAGE_CHECKS]
    assert len(texts) > 120
    assert [(t, find(t)) for t in texts if find(t)] == []


LOW = {"level": Level.E2, "confidence": Confidence.LOW}


def subjects():
    """A subject for every answer a check can give: yes, no, weak, torn, silent, with and without a capture."""
    for attribute in Attribute:
        for made in (
            claim(attribute, "true"), claim(attribute, "false"), claim(attribute, "4", **LOW),
            claim(attribute, "true", state=State.DECLARED), torn(attribute, "true", "false"),
        ):  # fmt: skip
            for base in ((), hikvision()):
                kept = tuple(c for c in base if c.attribute is not attribute)
                for role in (Role.CAMERA, Role.RECORDER):
                    yield device("10.20.0.5", *kept, made, role=role)
    for mark in Mark:
        for purpose in ("ntp", "dns", "update", "relay, media", "registration", ""):
            for country in ("CN", "HK", None):
                yield device(
                    "10.20.0.5",
                    endpoints=(
                        endpoint(
                            "t.example", "203.0.113.9", mark=mark, purpose=purpose, registry_country=country,
                            service_operator="hikvision", service_parent_country=country,
                            network_operator="N", network_parent_country=country,
                            sources=("registry_country: a", "registry_country: b"),
                        ),
                    ),
                )  # fmt: skip


def test_every_answer_of_every_check_passes():
    seen: dict[str, set[State]] = {}
    texts = 0
    for made in subjects():
        for captured, site in ((False, Site()), (True, SITE)):
            one = subject(made, captured=captured, site=site)
            for check in DEVICE_CHECKS:
                answer = check.check(one)
                if answer is None:
                    continue
                seen.setdefault(check.condition, set()).add(answer.state)
                for text in (answer.statement, answer.would_change, *answer.details):
                    texts += 1
                    assert find(text) == (), (check.condition, text)
    assert texts > 5000
    assert set(seen) == {c.condition for c in DEVICE_CHECKS}
    # the drive reaches what a check can say: hardly any check knows fewer than two states
    assert [c for c, states in seen.items() if len(states) < 2 and c != "support-ended"] == []


def assessed(devices, judgement, jurisdiction="RS"):
    return Assessment(
        schema="camscan-report/1", run_id="r", owner="Town", authority="the mayor", as_of="2026-11-23T20:00:00Z",
        knowledge_hash="0" * 64, knowledge_as_of="2026-11-23", tool_version="0", jurisdiction=jurisdiction,
        devices=devices, endpoints=tuple(e for d in devices for e in d.endpoints),
        findings=judgement.findings, decisions=judgement.decisions, factors=judgement.factors,
        coverage=no_coverage(),
        concerns=judgement.concerns, next_tests=judgement.next_tests, site=SITE.name,
    )  # fmt: skip


WRITERS = (csv_report, html_report, json_report, markdown_report, table_report)


def test_a_site_of_other_makers_names_no_article_and_no_rule_about_named_makers():
    devices = tuple(
        device(f"10.20.0.{n}", claim(A.MAKER, "axis"), claim(A.BRAND, "Axis"), claim(A.P2P_ENABLED, "true"))
        for n in (1, 2)
    )  # fmt: skip
    named = [r.id for r in KNOWN.rules.values() if r.makers]
    for jurisdiction in ("RS", "EU:HR", ""):
        model = build(assessed(devices, run(devices, site=Site()), jurisdiction), KNOWN)
        assert model.laws == ()
        for writer in WRITERS:
            text = writer.write(model)
            assert not [i for i in (*KNOWN.laws, *named) if i in text], writer.__name__
    other = (device("10.20.0.1", *hikvision()),)
    text = html_report.write(build(assessed(other, run(other, site=Site())), KNOWN))
    assert "CN-NIL-7" in text
    assert "US-NDAA-889" in text


def test_the_whole_judged_city_passes_in_every_format():
    devices = city()
    judgement = run(devices, captured=frozenset(d.device_id for d in devices[:6]))
    assessment = assessed(devices, judgement)
    model = build(assessment, KNOWN)
    assert model.laws
    assert model.annex
    for writer in WRITERS:
        assert faults(writer, model) == [], writer.__name__
    spoilt = replace(judgement.findings[0], statement="It clearly holds a backdoor.")
    model = build(replace(assessment, findings=(spoilt, *judgement.findings[1:])), KNOWN)
    for writer in (csv_report, html_report, json_report, markdown_report):
        assert faults(writer, model) == ["clearly", "backdoor"], writer.__name__


def faults(writer, model):
    """Phrases of a whole report that stand in none of the texts it quotes."""
    text = _plain(writer.write(model))
    assert len(text) > 500
    for part in sorted(filter(None, _quoted(KNOWN)), key=len, reverse=True):
        text = text.replace(part, " ")
    return [phrase for line in re.split(r"[\n.]", text) for phrase in find_beside_law(line)]


def _plain(text):
    """Without the marks of a format: entities, escapes, tags and addresses of sources."""
    text = re.sub(r"<style.*?</style>|<script.*?</script>", " ", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", text)
    text = html.unescape(text).replace("\\", "").replace('""', '"')
    return re.sub(r"https?://\S+", " ", text)


def _quoted(known: Knowledge):
    """What stands in a report as somebody's words: claims of the reporting, positions, sources."""
    for concern in known.concerns.values():
        yield from (concern.claim, concern.title, concern.detail, concern.analogue)
    for party in known.parties.values():
        yield from (party.position, party.position_source)
    yield from known.sources.values()
    for record in (*known.laws.values(), *known.rules.values(), *known.conditions.values()):
        yield record.source
    for record in (*known.laws.values(), *known.rules.values()):
        yield record.instrument
