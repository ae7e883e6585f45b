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

AUTHORITY_NONE = "No statement of authority: only files were read, nothing was sent."
NOT_ASSESSED = "Legal prohibition (x) and missing documents (m) are declarations of a named person; software never sets them."
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
    "concerns": "Concerns",
    "laws": "Law referred to",
    "rules": "Rules of the operator",
    "annex": "Annex: other jurisdictions",
    "next": "What to do next",
    "declared": "Declared by the owner",
    "decision": "Decision table used",
    "limits": "What this report does and does not show",
    "evidence": "Evidence manifest",
}

ANSWERED_BY_ALL = "{} other tests were answered by all they were put to"
