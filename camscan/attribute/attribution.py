"""What does `attribute` say of each subject, in one record per device and one for the site?"""

from __future__ import annotations

from collections.abc import Iterable

from camscan.attribute.advisories import match, uncompared
from camscan.attribute.laws import laws_beside, rules_beside
from camscan.attribute.parties import chain
from camscan.attribute.ties import ties
from camscan.model.attribution import Attribution, Chain
from camscan.model.claim import Confidence, Device
from camscan.model.knowledge import Knowledge

SITE = "site"
_GROUP = "vendor-group-cn"
_FIRM = (Confidence.MODERATE, Confidence.HIGH)


def attribute(devices: Iterable[Device], knowledge: Knowledge) -> dict[str, Attribution]:
    """device_id -> Attribution, and `site` for findings about no single device.

    `devices` carry their endpoints with the columns of `attribute_endpoints` filled. Pure.
    """
    parties = dict(knowledge.parties)
    found = {SITE: Attribution(subject=SITE, rules=rules_beside(None, knowledge.rules))}
    for device in devices:
        line = chain(device, knowledge)
        tied = ties(device, parties)
        nexus = {t.condition for t in tied if t.confidence in _FIRM}
        if is_group_cn(line) and line.confidence in _FIRM:
            nexus.add(_GROUP)
        firm_maker = line.maker if _maker_firm(device, line) else None
        found[device.device_id] = Attribution(
            subject=device.device_id,
            chain=line,
            ties=tied,
            advisories=match(device, knowledge.advisories),
            uncompared=uncompared(device, knowledge.advisories),
            nexus=tuple(sorted(nexus)),
            laws=laws_beside(nexus, knowledge.laws, knowledge.law_nexus),
            rules=rules_beside(firm_maker, knowledge.rules),
        )
    return found


def is_group_cn(line: Chain) -> bool:
    """Whether the maker is settled and every reading of its chain ends in a PRC group."""
    return line.maker is not None and line.known and line.lower == line.upper == 2


def _maker_firm(device: Device, line: Chain) -> bool:
    return line.maker is not None and any(
        c.value == line.maker and c.confidence in _FIRM for c in device.claims
    )
