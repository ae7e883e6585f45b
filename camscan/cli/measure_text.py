"""How do the figures of `camscan signatures measure` read?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from tabulate import tabulate

from camscan.decode.text import clean
from camscan.identify.measure import LeftOut, Measure, Row, Share, Wrong, wilson

_FIGURES = (
    ("cameras", "camera_precision", "camera_recall"),
    ("other devices", "other_precision", None),
    ("makers of cameras", "maker_precision", "maker_recall"),
    ("makers of other devices", "maker_precision_others", None),
    ("brands", "brand_precision", "brand_recall"),
    ("models", "model_precision", "model_recall"),
    ("models, where present in an answer", None, "model_recall_where_present"),
    ("firmware", "firmware_precision", "firmware_recall"),
    ("firmware, where present in an answer", None, "firmware_recall_where_present"),
)
_ROW = ("camera_precision", "camera_recall", "maker_precision", "maker_recall")


def measure_text(found: Measure) -> str:
    """Everything, for a terminal or a file."""
    figures = [
        (name, *(_share(getattr(found, f)) if f else "" for f in fields))
        for name, *fields in _FIGURES
    ]
    parts = [
        f"{found.devices} devices: {found.cameras} cameras, {found.others} others"
        + (f"; {found.unreadable} lines were not read" if found.unreadable else ""),
        _table(figures, ("per device", "precision", "recall")),
        _table(
            _rows(found.by_kind),
            ("by answers of one kind alone", "devices", *(_words(f) for f in _ROW)),
        ),
        _table(_rows(found.by_maker), ("by labelled maker", "cameras", *(_words(f) for f in _ROW))),
        f"no cameras, called cameras: {_list(found.false_cameras)}",
        f"wrong makers: {_list(map(_wrong, found.wrong_makers))}",
        f"cameras not called cameras: {_list(found.missed)}",
        "missed though present in an answer:\n"
        + _table(
            [
                ("models", *msgspec.structs.astuple(found.model_missed_where_present)),
                ("firmware", *msgspec.structs.astuple(found.firmware_missed_where_present)),
            ],
            ("", "conflicting (one id, several values)", "not named", "wrong"),
        ),
    ]
    return "\n\n".join(parts)


def left_out_text(found: Sequence[LeftOut]) -> str:
    """One row per maker that was left out."""
    rows: list[tuple[object, ...]] = [
        (
            clean(one.maker),
            one.signatures,
            one.product_lines,
            _share(one.camera_recall),
            _share(one.still_named),
            len(one.wrong_makers),
        )
        for one in found
    ]
    if len(found) > 1:
        cameras = sum(one.camera_recall.total for one in found)
        rows.append(
            (
                "all of these, one by one",
                "",
                "",
                _share(wilson(sum(one.camera_recall.hits for one in found), cameras)),
                _share(wilson(sum(one.still_named.hits for one in found), cameras)),
                sum(len(one.wrong_makers) for one in found),
            )
        )
    headers = (
        "without",
        "signatures away",
        "lines away",
        "cameras found",
        "maker still named",
        "wrong makers",
    )
    wrong = [_wrong(w) for one in found for w in one.wrong_makers]
    return f"{_table(rows, headers)}\n\nwrong makers: {_list(wrong)}"


def _rows(rows: Iterable[Row]) -> list[tuple[object, ...]]:
    return [(clean(r.name), r.devices, *(_share(getattr(r, f)) for f in _ROW)) for r in rows]


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    return tabulate(rows, headers, disable_numparse=True)


def _words(field: str) -> str:
    return field.replace("_", " ")


def _share(share: Share) -> str:
    """`9/10 90.0 % (59.6-98.2)`."""
    if not share.total:
        return "-"
    value = f"{share.hits}/{share.total} {share.hits / share.total:.1%}"
    return f"{value} ({100 * share.low:.1f}-{100 * share.high:.1f})"


def _wrong(one: Wrong) -> str:
    return f"{one.device_id} named {one.named}, labelled {one.labelled}"


def _list(names: Iterable[str]) -> str:
    return "; ".join(map(clean, names)) or "none"
