"""How is everything worded in English?

Keys are the same in every language; wording rules: facts, scoring section 9.
"""

from __future__ import annotations

STATES: dict[str, str] = {
    "observed": "Observed",
    "observed_not": "Checked, not found",
    "not_observed": "Not examined",
    "declared": "Declared, not verified",
    "conflicting": "Conflicting",
}

LIMITS = (
    "This report describes devices and traffic seen on the named network in the named window. "
    "It does not show who uses the cameras or why, whether any authority has requested or obtained data, "
    "or what happens on servers outside the network. Statutes named here describe possibilities of access, "
    "not access. Comparable statutes exist in other states. Naming a maker or a company is no statement about "
    "its conduct. Legal duties, missing documents and breaches are stated only where a named person of the "
    "operator declared them. Results marked 'Not examined' are not results. The report is not legal advice "
    "and not a conformity certificate."
)

ACTIONS: dict[str, str] = {
    "ACT": "decide within days, an owner is named",
    "PLAN": "put into the maintenance or procurement plan with a date",
    "DOCUMENT": "record in the register, impact assessment or contract file",
    "NO ACTION": "recorded result",
}

AUTHORITY_NONE = "none: nothing was sent, files were read or a port was listened to"
NOT_ASSESSED = "Legal prohibition (x) and missing documents (m) are declarations of a named person; software never sets them."
DECLARED: dict[str, str] = {
    "x": "a named person of the operator declares that a prohibition in force is not kept for this use",
    "m": "a named person of the operator declares that a required document is missing",
}
"""The two factors of the decision table that only people set."""
CONCERN_NOTE = (
    "One network cannot refute a statement about a country. Concerns whose id starts with RFERL, SHARE or COMM "
    "are not from the BIRN report."
)
ANNEX_NOTE = "Reference points from other jurisdictions (not binding)."
LAW_NOTE = (
    "An article is printed only beside a device or endpoint for which its condition was observed. It describes what "
    "the text provides for companies established, and data processed, in the People's Republic of China. It is not "
    "evidence that access has happened."
)
EMBEDDED_NOTE = (
    "compiled into the platform or set by default; no statement that a camera contacts them"
)
PARTLY = " (the part a network can show)"
"""Behind the word of a concern that documents must decide in the rest."""
UNKNOWN = "unknown"
CONFLICT = "conflicting"
DASH = "–"

COLUMNS: dict[str, str] = {
    "device": "Device",
    "place": "Place",
    "brand": "Brand",
    "maker": "Maker",
    "model": "Model",
    "firmware": "Firmware",
    "cloud": "Cloud state",
    "action": "Action",
    "row": "Row",
    "next": "Next test",
    "confidence": "Confidence",
    "concerns": "Concerns",
    "role": "Role",
}

IMAGE_NOTE = (
    "What stands in an image is compiled into the platform or set by default; whether a camera contacts it is shown by a "
    "capture alone. Absence is a result only for the parts that were opened."
)
HEADINGS: dict[str, str] = {
    "images": "Firmware images",
    "coverage": "Coverage: what was looked at, and what was not",
    "summary": "Summary",
    "risk": "Risk table",
    "others": "Other devices",
    "findings": "Findings",
    "endpoints": "Endpoints",
    "paths": "Data paths: what captures show",
    "sources": "Sources of operators and countries",
    "concerns": "Concerns",
    "laws": "Law referred to",
    "rules": "Rules of the operator",
    "annex": "Annex: other jurisdictions",
    "next": "What to do next",
    "declared": "Declared by the owner",
    "decision": "Decision table used",
    "terms": "Words used",
    "limits": "What this report does and does not show",
    "evidence": "Evidence manifest",
}


def count(number: int, one: str) -> str:
    """`1 name`, `3 names`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def answered_by_all(count: int) -> str:
    """About tests that left nothing open."""
    if count == 1:
        return "1 test was answered by all it was put to"
    return f"{count} tests were answered by all they were put to"


TERMS: dict[str, dict[str, str]] = {
    "States of a finding": {
        "Observed": "evidence of it was seen",
        "Checked, not found": "looked for under the coverage that is stated beside it, and absent",
        "Not examined": "not looked for, or it could not be looked for; no result",
        "Declared, not verified": "stated by a document or a person, not tested",
        "Conflicting": "pieces of evidence disagree; all are listed",
    },
    "Evidence": {
        "E4": "direct: content or a configuration was read, and can be read again",
        "E3": "corroborated: two independent kinds of evidence agree",
        "E2": "single: one technical indicator",
        "E1": "declared: a document or a statement",
        "E0": "none",
        "confidence": "high: E4, or E3 without a conflict; moderate: E3 with a minor conflict, or E2 of a kind that is "
        "hard to forge; low: other E2, and E1. It says how well a statement is supported, not how bad it is",
    },
    "Why something was not examined": {
        "not-requested": "the test was not asked for",
        "no-credentials": "only a login shows it, and none was used",
        "encrypted": "it was there, and cannot be read",
        "no-capture": "no capture of the device's traffic is part of the run",
        "window-too-short": "too little time, traffic or stimuli for a result",
        "device-offline": "the device did not answer at all",
        "out-of-scope": "it lies outside the ranges of the audit",
        "refused-by-policy": "camscan does not do such a test",
        "error": "the answer or the file could not be read",
        "timeout": "no answer in time",
        "loss": "packets were lost on the way",
        "no-privilege": "this machine did not allow it",
        "no-database": "the table that would tell it was not there, or does not hold it",
        "budget": "the limit of connections, bytes or time for one device was reached first",
        "encapsulated": "packed into a tunnel that cannot be opened",
    },
    "Data paths": {
        "named": "the device asked for the name, or named it in a connection",
        "contacted": "packets were exchanged with the address",
        "embedded": "the name stands in a firmware image",
        "configured": "the device's settings name it",
        "sent, received": "bytes of whole frames, seen from the device",
        "media": "traffic shaped like video, images or sound",
        "signalling, rendezvous, relay": "finding a way between a viewer and the device, or carrying it",
        "registration, account, push, telemetry": "the device makes itself known, belongs to an account, reports events or states",
        "update, storage, portal, ddns": "firmware, recordings, a web page of the maker, a name for a changing address",
        "time, name": "asking for the time (NTP) or for addresses of names (DNS)",
        "(by name)": "what the name is known for; the traffic itself was not classed",
        "service operator": "who runs the service behind a name",
        "network operator": "who holds the block of addresses; its hosting says nothing of who runs a service in it",
        "registry country, located country": "where the block is registered; where a database places the address",
    },
}
"""Group -> term -> meaning; every word of a table that is not plain English."""

NOT_IN_CAPTURE = "Not examined: no capture holds a packet of {} of the cameras and recorders: {}."
PARTIES_NOTE = (
    "The same bytes stand under the service operator and under the network operator of a destination; the two are not "
    "added up."
)
NO_PARTY = "No device exchanged data with a party outside in these windows."
PARTIES_CUT = "The first {} of {} by volume."
