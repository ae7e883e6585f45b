"""Are time, name or reachability services of the device in the PRC?"""

from __future__ import annotations

from camscan.judge.answer import Answer, unknown
from camscan.judge.subject import Subject, claims_of, strongest
from camscan.model.claim import Attribute, Confidence, Endpoint, Level, Mark, State
from camscan.model.observation import Reason

CONDITION = "default-infra-cn"
TITLE = "No time, name or reachability service in the PRC is set"
QUESTION = "Are time, name or reachability services of the device in the PRC?"
NEEDS = ("settings", "capture", "firmware")

_PURPOSES = frozenset({"ntp", "dns", "connectivity"})
_HOW = {
    Mark.CONTACTED: "contacted",
    Mark.CONFIGURED: "set",
    Mark.NAMED: "asked for by name",
    Mark.EMBEDDED: "contained in its firmware",
}
_CN = "CN"


def check(subject: Subject) -> Answer | None:
    """The operator is told by name or by address block, one indicator: E2, and one endpoint has it or not."""
    known = [e for e in subject.device.endpoints if _purposes(e) & _PURPOSES]
    found = [e for e in known if _CN in {e.service_parent_country, e.network_parent_country}]
    if found:
        lines = tuple(_line(e, subject) for e in found)
        run = [e for e in found if e.service_parent_country == _CN]
        who = "of a PRC operator" if len(run) == len(found) else "on networks of a PRC group"
        if run and len(run) < len(found):
            who = "of a PRC operator, or on networks of a PRC group"
        return Answer(
            state=State.OBSERVED,
            statement=f"{subject.name}: services {who} for time, names or reachability: {'; '.join(lines)}.",
            level=strongest((Level.E2, *(ev.level for e in found for ev in e.evidence))),
            confidence=Confidence.MODERATE if any(e.evidence for e in found) else Confidence.LOW,
            details=lines,
        )
    settled = {p for e in known if Mark.CONFIGURED in e.marks and _settled(e) for p in _purposes(e)}
    if {"ntp", "dns"} <= settled:
        words = (
            f"{subject.name}: the time and name services that are set belong to no PRC operator."
        )
        return Answer(
            state=State.OBSERVED_NOT,
            statement=words,
            level=Level.E2,
            confidence=Confidence.LOW,
            would_change="a firmware image or a capture that shows another such service",
        )
    stated = claims_of(subject.device, Attribute.DNS_SERVER)
    words = f"{subject.name}: its time and name services were not read" + (
        f"; it states the name servers {', '.join(sorted(c.value or '' for c in stated))}."
        if stated
        else "."
    )
    return unknown(subject, words, Reason.NO_CREDENTIALS)


def _purposes(endpoint: Endpoint) -> set[str]:
    return {p.strip() for p in endpoint.purpose.split(",")}


def _settled(endpoint: Endpoint) -> bool:
    """Whether somebody is known behind it: an operator nobody knows is not one outside the PRC."""
    return bool(endpoint.service_parent_country or endpoint.network_parent_country)


def _line(endpoint: Endpoint, subject: Subject) -> str:
    """Who runs a service and on whose network it stands are two statements; a host is not an operator."""
    mark = next(m for m in _HOW if m in endpoint.marks)
    if endpoint.service_parent_country == _CN:
        party = subject.knowledge.parties.get(endpoint.service_operator or "")
        name = party.name if party is not None else endpoint.service_operator
        who = f"operated by {name or 'a party without a name'}"
    else:
        who = f"hosted on a network of {endpoint.network_operator or 'a party without a name'}"
    return f"{endpoint.name or endpoint.address} ({_HOW[mark]}; {endpoint.purpose}; {who})"
