"""What does a firmware image mean: one answer for each condition about images?

Wording: facts, scoring 9. What is compiled into a platform is told as that; never as what a camera does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from msgspec import Struct

from camscan.judge.answer import Answer
from camscan.model.claim import Confidence, Level, State
from camscan.model.firmware import ExaminedImage, ImageKey
from camscan.model.knowledge import Knowledge
from camscan.model.observation import Reason

_CN = "CN"
_SHOWN = 12
_SERVICES = frozenset({"ntp", "dns", "template"})
_WEAK = frozenset({"empty", "des-crypt", "md5-crypt", "plain"})


class ImageSubject(Struct, frozen=True, kw_only=True):
    image: ExaminedImage
    knowledge: Knowledge
    as_of: date

    @property
    def name(self) -> str:
        return f"Image {self.image.report.image}"

    @property
    def unopened(self) -> bool:
        """Whether parts of it were not looked into, so that absence says little."""
        return bool(self.image.report.not_examined)


class ImageCheck(Struct, frozen=True):
    condition: str
    title: str
    """The good condition in one sentence."""
    check: Callable[[ImageSubject], Answer]


def not_opened(subject: ImageSubject) -> Answer:
    parts = subject.image.report.not_examined
    if not parts:
        words = f"{subject.name}: every container that was found was opened ({subject.image.report.files} files)."
        return Answer(
            state=State.OBSERVED_NOT,
            statement=words,
            level=Level.E2,
            confidence=Confidence.MODERATE,
        )
    size = sum(p.size for p in parts)
    details = tuple(
        f"{p.path or 'the image'} at {p.offset}, {p.size} bytes: {p.reason} {p.detail}".strip()
        for p in parts[:_SHOWN]
    )
    words = f"{subject.name}: {len(parts)} parts ({size} bytes) were not looked into."
    return Answer(
        state=State.OBSERVED,
        statement=words,
        level=Level.E4,
        confidence=Confidence.HIGH,
        details=details,
    )


def cloud(subject: ImageSubject) -> Answer:
    found = [e for e in subject.image.report.endpoints if e.live and e.kind not in _SERVICES]
    words = f"{subject.name} holds {len(found)} names and addresses of remote services, compiled in or set by default."
    return _answer(
        subject,
        words,
        [f"{e.host} ({e.kind}; {e.path} at {e.offset})" for e in found],
        "no name of a remote service",
    )


def cloud_cn(subject: ImageSubject) -> Answer:
    found = [
        e
        for e in subject.image.report.endpoints
        if e.live and e.parent_country == _CN and e.kind not in _SERVICES
    ]
    operators = sorted({_party(subject, e.operator) for e in found})
    words = (
        f"{subject.name} holds {len(found)} names of services operated by {', '.join(operators[:4])}, of groups with their seat in the "
        "People's Republic of China; compiled into the platform, which is no statement that a camera contacts them."
    )
    return _answer(
        subject,
        words,
        [f"{e.host}: {_party(subject, e.operator)} ({e.path} at {e.offset})" for e in found],
        "no name of a service that the data attribute to a PRC group",
    )


def private_keys(subject: ImageSubject) -> Answer:
    found = _of(subject, "private-key")
    lines = [
        f"{k.type} {k.bits or ''} at {k.path}:{k.offset}, public half sha256 {k.fingerprint[:16] or 'not read'}"
        for k in found
    ]
    words = (
        f"{subject.name} holds {len(found)} private keys; every unit with this image has the same."
    )
    return _answer(subject, words, lines, "no private key that parses")


def accounts(subject: ImageSubject) -> Answer:
    found = _of(subject, "account")
    weak = sum(k.type in _WEAK for k in found)
    lines = [f"{k.subject}: {k.note} ({k.path})" for k in found]
    words = f"{subject.name}: {len(found)} accounts present, {weak} of them without a password or with one kept in a weak form."
    return _answer(subject, words, lines, "no account that can log in stands in a password file")


def services(subject: ImageSubject) -> Answer:
    found = _of(subject, "service-at-boot")
    words = f"{subject.name}: files run at boot name {', '.join(sorted({k.type for k in found}))}; conditions around the lines were not evaluated."
    return _answer(
        subject,
        words,
        [f"{k.type} in {k.path} at {k.offset}" for k in found],
        "no remote shell, file or debug service is named in a boot file",
    )


def components(subject: ImageSubject) -> Answer:
    every = subject.image.report.components
    if not every:
        words = f"{subject.name}: no component was recognised."
        return Answer(state=State.NOT_OBSERVED, statement=words, reason=Reason.NO_DATABASE)
    day = subject.as_of.isoformat()
    # A month that is all its source names is over at its end.
    ended = [c for c in every if c.support_ended and f"{c.support_ended}-31"[:10] <= day]
    flawed = [c for c in every if c.advisories]
    exploited = [c for c in flawed if c.known_exploited]
    lines = [
        f"{c.component} {c.version}: "
        + "; ".join(
            [
                *([f"support ended {c.support_ended}"] if c in ended else []),
                *(f"version in the affected range of {a}" for a in c.advisories),
            ]
        )
        + (f"; on the known-exploited list since {c.known_exploited}" if c.known_exploited else "")
        + ("; dates and ranges unverified" if c.unverified else "")
        for c in every
        if c in ended or c in flawed
    ]
    words = (
        f"{subject.name}: of {len(every)} component versions, {len(ended)} are past their support and {len(flawed)} lie in the affected "
        f"range of a published flaw, {len(exploited)} of them with one on a known-exploited list; patches of the builder are not known."
    )
    return _answer(
        subject,
        words,
        lines,
        f"none of {len(every)} component versions lies behind a known end of support or in a range that was compared",
    )


def updates(subject: ImageSubject) -> Answer:
    found = _of(subject, "update-without-signature")
    if not found:
        words = f"{subject.name}: how updates are checked is not visible in its scripts."
        return Answer(state=State.NOT_OBSERVED, statement=words, reason=Reason.ENCAPSULATED)
    words = f"{subject.name}: {len(found)} scripts load over an open protocol and write to flash without a check of a signature in them."
    return _answer(subject, words, [f"{k.path} at {k.offset}" for k in found], "")


def advisories(subject: ImageSubject) -> Answer:
    found, identity = subject.image.advisories, subject.image.identity
    matched = [a for a in found if a[1] == "match"]
    if not matched and (identity.platform is None and identity.maker is None):
        words = (
            f"{subject.name}: maker and platform are not known, so no affected range was compared."
        )
        return Answer(state=State.NOT_OBSERVED, statement=words, reason=Reason.NO_DATABASE)
    if not matched and identity.version is None and identity.build_date is None:
        words = f"{subject.name}: it states no version and no build date, so no affected range was compared."
        return Answer(state=State.NOT_OBSERVED, statement=words, reason=Reason.NO_DATABASE)
    ids = sorted({a[0].partition(".")[0] for a in matched})
    words = f"{subject.name}: its version is in the affected range of {', '.join(ids[:4])}{' and more' if len(ids) > 4 else ''}."
    return _answer(
        subject,
        words,
        [f"{a}: {reason}" for a, _, reason in matched],
        "its version is in no affected range that was compared",
    )


IMAGE_CHECKS: tuple[ImageCheck, ...] = (
    ImageCheck("image-not-opened", "Every part of the image was opened", not_opened),
    ImageCheck("image-cloud-embedded", "The image holds no name of a remote service", cloud),
    ImageCheck(
        "image-cloud-cn-group", "The image holds no name of a service of a PRC group", cloud_cn
    ),
    ImageCheck("image-key-embedded", "The image holds no private key", private_keys),
    ImageCheck("image-account-present", "No account of the image can log in", accounts),
    ImageCheck(
        "image-service-at-boot", "No remote shell or debug service is named in boot files", services
    ),
    ImageCheck(
        "image-component-outdated",
        "Every component is supported and in no published range",
        components,
    ),
    ImageCheck("image-update-unsigned", "Update scripts check a signature", updates),
    ImageCheck(
        "image-advisory",
        "The version of the image is in no affected range that was compared",
        advisories,
    ),
)


def _of(subject: ImageSubject, what: str) -> tuple[ImageKey, ...]:
    return tuple(k for k in subject.image.report.keys if k.what == what)


def _party(subject: ImageSubject, party: str | None) -> str:
    record = subject.knowledge.parties.get(party or "")
    return record.name if record is not None else party or "an unknown operator"


def _answer(subject: ImageSubject, words: str, lines: list[str], none: str) -> Answer:
    """Observed with its details; without any: checked and not found, or not examined where parts stayed closed."""
    if lines:
        more = (f"and {len(lines) - _SHOWN} more",) if len(lines) > _SHOWN else ()
        return Answer(
            state=State.OBSERVED,
            statement=words,
            level=Level.E2,
            confidence=Confidence.MODERATE,
            details=(*lines[:_SHOWN], *more),
        )
    if subject.unopened:
        words = (
            f"{subject.name}: {none} in the parts that were opened; others were not looked into."
        )
        return Answer(state=State.NOT_OBSERVED, statement=words, reason=Reason.ENCAPSULATED)
    return Answer(
        state=State.OBSERVED_NOT,
        statement=f"{subject.name}: {none}.",
        level=Level.E2,
        confidence=Confidence.LOW,
    )
