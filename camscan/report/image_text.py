"""What does a person read of one firmware image on a terminal?

What was not opened stands first: an absence is a result only for the parts that were read.
"""

from __future__ import annotations

from collections import Counter

from camscan.decode.text import clean
from camscan.model.firmware import ExaminedImage, ImageReport
from camscan.report.image_line import ImageDifference
from camscan.report.text import en

_MOST = 40


def summary(image: ExaminedImage) -> str:
    """Plain text, no control characters."""
    report, identity = image.report, image.identity
    lines = [
        f"{clean(report.image)}  sha256 {report.sha256}  {report.size} bytes",
        *_closed(report),
    ]
    lines.append(
        f"  {report.files} files, {report.bytes_examined} bytes read, {len(report.opened)} containers opened"
    )
    for name, value in (
        ("maker", identity.maker),
        ("platform", identity.platform),
        ("model", identity.model),
        ("version", identity.version),
        (
            "built",
            f"{identity.build_date} ({identity.build_date_from})" if identity.build_date else None,
        ),
    ):
        lines.append(f"  {name}: {clean(value) if value else en.UNKNOWN}")
    lines += [f"  CONFLICT {clean(c)}" for c in identity.conflicts]
    live = [e for e in report.endpoints if e.live]
    lines.append(f"  endpoints: {len(live)} ({en.EMBEDDED_NOTE})")
    for e in live[:_MOST]:
        behind = (
            f"  operator {e.operator}, parent country {e.parent_country or en.UNKNOWN}"
            if e.operator
            else ""
        )
        pair = f"  pair of {clean(e.paired)}" if e.paired else ""
        lines.append(
            f"    {clean(e.host)}  {e.kind}  {e.basis}  {clean(e.path)}:{e.offset}{behind}{pair}"
        )
    if len(live) > _MOST:
        lines.append(f"    and {len(live) - _MOST} more, see the report")
    noise = Counter(e.kind for e in report.endpoints if not e.live)
    if noise:
        lines.append(
            "  told apart, no endpoints: " + ", ".join(f"{n} {k}" for k, n in noise.most_common())
        )
    for k in [k for k in report.keys if k.what != "certificate"][:_MOST]:
        what = " ".join(p for p in (k.what, k.type, str(k.bits or ""), clean(k.subject)) if p)
        lines.append(f"  {what}  {clean(k.path)}:{k.offset}  {clean(k.note)}".rstrip())
    for c in report.components[:_MOST]:
        told = [
            f"support ended {c.support_ended}" if c.support_ended else "",
            *(f"in the affected range of {a}" for a in c.advisories),
            "dates and ranges unverified" if c.unverified else "",
        ]
        lines.append(
            f"  component {c.component} {clean(c.version or 'version unknown')}  {'; '.join(t for t in told if t)}".rstrip()
        )
    lines += [f"  {limit}" for limit in report.limits]
    return "\n".join(lines)


def _closed(report: ImageReport) -> list[str]:
    if not report.not_examined:
        return []
    parts = [
        f"    {clean(p.path) or 'the image'} at {p.offset}, {p.size} bytes: {p.reason}{', ' + clean(p.detail) if p.detail else ''}"
        for p in report.not_examined[:_MOST]
    ]
    more = len(report.not_examined) - _MOST
    return [
        f"  NOT EXAMINED: {len(report.not_examined)} parts",
        *parts,
        *([f"    and {more} more"] if more > 0 else []),
    ]


def diff_text(found: ImageDifference) -> str:
    lines = [f"{found.old} -> {found.new}"]
    for name, added, removed in (
        ("endpoints", found.endpoints_added, found.endpoints_removed),
        ("components", found.components_added, found.components_removed),
        ("keys, certificates, accounts, services", found.keys_added, found.keys_removed),
    ):
        lines.append(f"{name}: {len(added)} added, {len(removed)} removed")
        lines += [f"  + {clean(a)}" for a in added] + [f"  - {clean(r)}" for r in removed]
    if found.note:
        lines.append(
            f"not examined: {found.not_examined_old} parts of the old, {found.not_examined_new} of the new image; {found.note}"
        )
    return "\n".join(lines)
