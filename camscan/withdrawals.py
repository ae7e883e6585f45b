"""Which findings of an earlier assessment rested on entries that were taken back since?

`signatures/` keeps the ids of withdrawn entries with date and reason (`[[withdrawn]]`). An assessment is
never rewritten; when a run is assessed again, the findings that stood on such an entry are named, so that
whoever acted on them learns of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from camscan.model.finding import Assessment
from camscan.model.product import Withdrawn


class Rested(Struct, frozen=True):
    """One finding, and the withdrawn entry among the evidence of its claims."""

    finding: str
    value: str
    """`maker = hikvision`: what the entry said."""
    entry: Withdrawn

    def text(self) -> str:
        """One line for a reader."""
        place = f"; {self.entry.replaced_by} stands in its place" if self.entry.replaced_by else ""
        return (
            f"{self.finding} rested on {self.entry.id} ({self.value}), "
            f"withdrawn {self.entry.date}: {self.entry.reason}{place}"
        )


def rested_on(assessment: Assessment, withdrawn: Mapping[str, Withdrawn]) -> tuple[Rested, ...]:
    """Sorted by finding and entry; each pair once."""
    if not withdrawn:
        return ()
    found: dict[tuple[str, str], Rested] = {}
    for finding in assessment.findings:
        for claim in finding.claims:
            for evidence in claim.evidence:
                entry = withdrawn.get(evidence.signature)
                if entry is not None:
                    value = f"{evidence.attribute.value} = {evidence.value}"
                    found.setdefault((finding.id, entry.id), Rested(finding.id, value, entry))
    return tuple(found[key] for key in sorted(found))
