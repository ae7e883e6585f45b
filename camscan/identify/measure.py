"""How often is identification right, wrong or silent on labelled answers?

Labels stand in the records (`label`: is_camera, vendor, oem, model, firmware; null = not known). Headline
figures are per device and leave out records flagged auth, derived or sanitised. Intervals are Wilson's
(E. B. Wilson, JASA 22, 1927) at 95 %.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from camscan.decode.exchange import Skipped, parse
from camscan.identify.devices import Identifier
from camscan.identify.values import same
from camscan.model.claim import Attribute, Device
from camscan.model.observation import Observation

LEFT_OUT = frozenset({"auth", "derived", "sanitised"})
_Z = 1.959963984540054
_PLAIN = re.compile(r"[^0-9a-z]+")


class Label(Struct, frozen=True):
    is_camera: bool | None = None
    vendor: str | None = None
    oem: str | None = None
    model: str | None = None
    firmware: str | None = None


class _Labelled(Struct):
    label: Label = Label()


class Share(Struct, frozen=True):
    """hits of total, with a 95 % interval."""

    hits: int
    total: int
    low: float
    high: float


class Measure(Struct, frozen=True, kw_only=True):
    """Counts per device."""

    devices: int
    cameras: int
    others: int
    unreadable: int
    camera_precision: Share
    camera_recall: Share
    other_precision: Share
    """Of devices called no camera, those that are none."""
    maker_precision: Share
    """Of cameras with a labelled maker for which a maker is named, those where it is right."""
    maker_recall: Share
    model_precision: Share
    model_recall: Share
    firmware_precision: Share
    firmware_recall: Share
    false_cameras: tuple[str, ...]
    """device_id of others called a camera: must be empty."""
    wrong_makers: tuple[str, ...]
    missed: tuple[str, ...]
    """device_id of cameras not called a camera."""


def wilson(hits: int, total: int) -> Share:
    """Share with its interval; (0, 1) where nothing was counted."""
    if total == 0:
        return Share(0, 0, 0.0, 1.0)
    p = hits / total
    base = 1 + _Z * _Z / total
    middle = p + _Z * _Z / (2 * total)
    half = _Z * math.sqrt(p * (1 - p) / total + _Z * _Z / (4 * total * total))
    low = 0.0 if hits == 0 else (middle - half) / base
    high = 1.0 if hits == total else (middle + half) / base
    return Share(hits, total, round(low, 4), round(high, 4))


def measure(lines: Iterable[bytes], identifier: Identifier) -> Measure:
    """Figures over a labelled file (observation NDJSON with `label`)."""
    groups: dict[str, list[Observation]] = {}
    labels: dict[str, list[Label]] = {}
    unreadable = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        record = parse(line, number)
        if isinstance(record, Skipped):
            unreadable += 1
            continue
        if LEFT_OUT & set(record.flags):
            continue
        try:
            label = msgspec.json.decode(line, type=_Labelled).label
        except msgspec.ValidationError:
            unreadable += 1
            continue
        groups.setdefault(record.device_id, []).append(record)
        labels.setdefault(record.device_id, []).append(label)
    found = [
        (_merged(labels[name]), identifier.device(name, group))
        for name, group in sorted(groups.items())
    ]
    return _count(found, identifier, unreadable)


def _merged(labels: Sequence[Label]) -> Label:
    """A device's label: what any of its records says (a record may know only a part)."""

    def first(values: Iterable[str | None]) -> str | None:
        return next((v for v in values if v is not None), None)

    cameras = [x.is_camera for x in labels if x.is_camera is not None]
    return Label(
        is_camera=any(cameras) if cameras else None,
        vendor=first(x.vendor for x in labels),
        oem=first(x.oem for x in labels),
        model=first(x.model for x in labels),
        firmware=first(x.firmware for x in labels),
    )


def _count(
    found: Sequence[tuple[Label, Device]], identifier: Identifier, unreadable: int
) -> Measure:
    cameras = [(x, d) for x, d in found if x.is_camera]
    others = [(x, d) for x, d in found if x.is_camera is False]
    hits = [d for _, d in cameras if d.is_camera]
    false = [d.device_id for _, d in others if d.is_camera]
    denied = [d for _, d in cameras if d.is_camera is False]
    silent = sum(d.is_camera is False for _, d in others)
    makers = [(x, d) for x, d in cameras if x.vendor or x.oem]
    named = [(x, d) for x, d in makers if d.value(Attribute.MAKER) is not None]
    right = [d for x, d in named if _maker_right(x, d, identifier)]
    wrong = [d.device_id for x, d in named if not _maker_right(x, d, identifier)]
    model, firmware = _texts(cameras, Attribute.MODEL), _texts(cameras, Attribute.FIRMWARE)
    return Measure(
        devices=len(found),
        cameras=len(cameras),
        others=len(others),
        unreadable=unreadable,
        camera_precision=wilson(len(hits), len(hits) + len(false)),
        camera_recall=wilson(len(hits), len(cameras)),
        other_precision=wilson(silent, silent + len(denied)),
        maker_precision=wilson(len(right), len(named)),
        maker_recall=wilson(len(right), len(makers)),
        model_precision=wilson(model[0], model[1]),
        model_recall=wilson(model[0], model[2]),
        firmware_precision=wilson(firmware[0], firmware[1]),
        firmware_recall=wilson(firmware[0], firmware[2]),
        false_cameras=tuple(false),
        wrong_makers=tuple(wrong),
        missed=tuple(d.device_id for _, d in cameras if not d.is_camera),
    )


def _maker_right(label: Label, device: Device, identifier: Identifier) -> bool:
    """The named maker is the labelled one: oem where it is given, else the vendor."""
    relations = identifier.relations
    claimed = device.value(Attribute.MAKER) or ""
    wanted = label.oem or label.vendor or ""
    party = relations.party(wanted) or wanted
    if _plain(claimed) == _plain(party) or relations.same_group(claimed, party):
        return True
    # A label that names only the brand is met by a maker whose brand it is declared to be.
    return label.oem is None and claimed in relations.makers_of_brand(relations.brand(wanted))


def _plain(text: str) -> str:
    return _PLAIN.sub("", text.casefold())


def _texts(cameras: Sequence[tuple[Label, Device]], attribute: Attribute) -> tuple[int, int, int]:
    """(right, named, labelled)."""
    labelled = [
        (wanted, d.value(attribute))
        for x, d in cameras
        if (wanted := getattr(x, attribute.value)) is not None
    ]
    named = [(wanted, value) for wanted, value in labelled if value is not None]
    right = sum(same(attribute, wanted, value) for wanted, value in named)
    return right, len(named), len(labelled)
