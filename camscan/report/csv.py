"""The findings as CSV for a spreadsheet: one line per finding, formulas defused."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from camscan.report.model import ReportModel

HEADER = (
    "finding", "condition", "subject", "addresses", "place", "brand", "maker", "model", "firmware",
    "state", "evidence_level", "confidence", "statement", "not_examined_because", "action_lower",
    "action_upper", "rows", "factor", "concerns", "rules", "laws", "does_not_show", "would_change", "details",
)  # fmt: skip

PATHS_HEADER = (
    "device", "destination", "address", "port", "marks", "named_by", "class", "services", "bytes_up", "bytes_down",
    "first_seen_utc", "last_seen_utc", "service_operator", "service_parent_country", "network_operator",
    "network_parent_country", "registry_country", "located_country", "phases", "why", "sources",
)  # fmt: skip

_PIECE = 1 << 16
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(model: ReportModel) -> str:
    """UTF-8 text with CRLF lines (RFC 4180); as many lines as findings, plus the header."""
    return "".join(parts(model))


def parts(model: ReportModel) -> Iterator[str]:
    """The lines, one after the other."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    devices = {d.device_id: d for d in (*model.devices, *model.others)}
    for f in model.findings:
        d = devices.get(f.subject)
        device = (
            (d.addresses, d.place, d.brand, d.maker, d.model, d.firmware)
            if d is not None
            else ("",) * 6
        )
        actions = (d.lower, d.upper, d.rows) if d is not None and f.action else ("", "", "")
        row = (
            f.id, f.condition, f.subject, *device, f.state, f.level, f.confidence, f.statement, f.reason,
            *actions, f.factor, " ".join(f.concerns), " ".join(f.rules), " ".join(f.laws),
            f.does_not_show, f.would_change, "; ".join(f.details),
        )  # fmt: skip
        writer.writerow([defuse(cell) for cell in row])
        if out.tell() > _PIECE:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def path_parts(model: ReportModel) -> Iterator[str]:
    """Table A3: one line per destination of a device."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(PATHS_HEADER)
    for device in model.paths.devices:
        for r in (*device.contacted, *device.named_only):
            row = (
                r.device_id, r.destination, r.address, r.port, r.marks, r.named_by, r.kind, r.services,
                str(r.bytes_up), str(r.bytes_down), r.first.removesuffix(" UTC"), r.last.removesuffix(" UTC"), r.service_operator,
                r.service_parent_country, r.network_operator, r.network_parent_country,
                r.registry_country, r.located_country, r.phases, "; ".join(r.why), "; ".join(r.sources),
            )  # fmt: skip
            writer.writerow([defuse(cell) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def defuse(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    flat = " ".join(cell.splitlines()) if "\n" in cell or "\r" in cell else cell
    return f"'{flat}" if flat.lstrip(" ").startswith(_FORMULA) else flat
