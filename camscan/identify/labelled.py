"""Which labelled devices are in a file, and does what was named agree with the label?

Labels stand in the records (`label`: is_camera, vendor, oem, model, firmware; null = not known). Brand is
the vendor; maker is the oem, where there is none the vendor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from camscan.decode.exchange import Skipped, parse
from camscan.identify.relations import Relations
from camscan.identify.values import same
from camscan.model.claim import Attribute, Device
from camscan.model.observation import Fields, Observation

LEFT_OUT = frozenset({"auth", "derived", "sanitised"})
"""Flags of records that are no plain answers: headline figures are without them."""
_PLAIN = re.compile(r"[^0-9a-z]+")


class Label(Struct, frozen=True):
    is_camera: bool | None = None
    vendor: str | None = None
    oem: str | None = None
    model: str | None = None
    firmware: str | None = None


class _Labelled(Struct):
    label: Label = Label()


class Sample(Struct, frozen=True):
    """One device of the file."""

    device_id: str
    label: Label
    observations: tuple[Observation, ...]


def samples(lines: Iterable[bytes]) -> tuple[tuple[Sample, ...], int]:
    """The devices, sorted, and how many lines could not be read."""
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
    found = [Sample(n, _merged(labels[n]), tuple(g)) for n, g in sorted(groups.items())]
    return tuple(found), unreadable


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


def maker_of(label: Label, relations: Relations) -> str | None:
    """Party id of the labelled maker, else its text; None where it is not known."""
    wanted = label.oem or label.vendor
    if wanted is None:
        return None
    if (party := relations.party(wanted)) is not None:
        return party
    # A label that names only the brand means the one maker whose brand it is declared to be.
    makers = (
        relations.makers_of_brand(relations.brand(wanted)) if label.oem is None else frozenset()
    )
    return next(iter(makers)) if len(makers) == 1 else wanted


def maker_right(label: Label, claimed: str, relations: Relations) -> bool:
    """The named maker is the labelled one, or of its group, or declared to make the labelled brand."""
    wanted = label.oem or label.vendor or ""
    party = relations.party(wanted) or wanted
    if letters(claimed) == letters(party) or relations.same_group(claimed, party):
        return True
    return label.oem is None and claimed in relations.makers_of_brand(relations.brand(wanted))


def brand_right(label: Label, claimed: str, relations: Relations) -> bool:
    """The named brand is the labelled vendor, in any declared spelling."""
    wanted = label.vendor or ""
    if letters(relations.brand(claimed)) == letters(relations.brand(wanted)):
        return True
    party = relations.party(wanted)
    return party is not None and relations.party(claimed) == party


def text_right(attribute: Attribute, wanted: str, device: Device) -> bool | None:
    """Whether the named text is the labelled one; None where none is named."""
    value = device.value(attribute)
    return None if value is None else same(attribute, wanted, value)


def holds(sample: Sample, fields: Iterable[Fields], wanted: str) -> bool:
    """Whether the labelled text stands in an answer at all, punctuation aside."""
    plain = letters(wanted)
    if not plain:
        return False
    raw = (letters(o.response.decode("latin-1")) for o in sample.observations)
    read = (letters(" ".join(values)) for one in fields for values in one.values())
    return any(plain in text for text in raw) or any(plain in text for text in read)


def letters(text: str) -> str:
    """Letters and digits alone, lower case."""
    return _PLAIN.sub("", text.casefold())
