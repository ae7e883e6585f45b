"""Which documents does the operator declare to have, and which to lack?"""

from __future__ import annotations

from collections.abc import Callable

from camscan.judge.answer import Answer
from camscan.judge.subject import SiteSubject
from camscan.model.claim import Level, State
from camscan.model.observation import Reason

NEEDS = ("declaration",)
DOCUMENTS: tuple[tuple[str, str, str], ...] = (
    ("doc-procurement", "Contract and bill of quantities are on file", "Which contract names what was bought, and from whom?"),
    ("doc-dpia", "An impact assessment for the system is on file", "Is there an impact assessment for this processing?"),
    ("doc-legal-basis", "Legal basis and transfer mechanism are documented", "Are legal basis and transfer mechanism documented?"),
    ("doc-processor", "Contracts with processors are on file", "Are there contracts with installer and cloud provider?"),
)  # fmt: skip
"""(condition, title, question)"""


def declared_document(condition: str) -> Callable[[SiteSubject], Answer | None]:
    """The check of one document: declared present or absent by a named person, else not examined."""

    def check(site: SiteSubject) -> Answer | None:
        stated = [d for d in site.site.documents if d.condition == condition]
        if not stated:
            return Answer(
                state=State.NOT_OBSERVED,
                statement="No statement about this document was made, and none was shown.",
                reason=Reason.NOT_REQUESTED,
            )
        lines = tuple(
            f"{'present' if d.present else 'absent'}: {d.text or 'no title given'} "
            f"(declared by {d.by}, {d.date})"
            for d in stated
        )
        both = len({d.present for d in stated}) > 1
        return Answer(
            state=State.CONFLICTING if both else State.DECLARED,
            statement=f"Declared by the operator, the document itself was not read: {'; '.join(lines)}.",
            level=Level.E1,
            details=lines,
            would_change="the document itself, shown to a reviewer",
        )

    return check
