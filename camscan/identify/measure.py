"""How often is identification right, wrong or silent on labelled answers?

Figures count devices, not records. Intervals are Wilson's (E. B. Wilson, JASA 22, 1927) at 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from camscan.identify.devices import Identifier
from camscan.identify.labelled import (
    Label,
    Sample,
    brand_right,
    holds,
    maker_of,
    maker_right,
    samples,
    text_right,
)
from camscan.model.claim import Attribute, Device, State
from camscan.model.knowledge import Knowledge, Signature
from camscan.model.product import ProductLine

_Z = 1.959963984540054
_NAMES = frozenset({Attribute.MAKER, Attribute.BRAND, Attribute.PLATFORM})


class Share(Struct, frozen=True):
    """hits of total, with a 95 % interval."""

    hits: int
    total: int
    low: float
    high: float


class Row(Struct, frozen=True, kw_only=True):
    """Figures of one kind of observation, or of one maker."""

    name: str
    devices: int
    camera_precision: Share
    camera_recall: Share
    maker_precision: Share
    maker_recall: Share


class Wrong(Struct, frozen=True, kw_only=True):
    device_id: str
    named: str
    labelled: str


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
    maker_precision_others: Share
    """The same of devices that are no cameras."""
    brand_precision: Share
    brand_recall: Share
    model_precision: Share
    model_recall: Share
    model_recall_where_present: Share
    """Of cameras whose labelled model stands in an answer, those where it is named."""
    model_missed_where_present: Missed
    firmware_precision: Share
    firmware_recall: Share
    firmware_recall_where_present: Share
    firmware_missed_where_present: Missed
    false_cameras: tuple[str, ...]
    """device_id of others called a camera: must be empty."""
    wrong_makers: tuple[Wrong, ...]
    missed: tuple[str, ...]
    """device_id of cameras not called a camera."""
    by_kind: tuple[Row, ...]
    """Each device by its answers of one kind alone."""
    by_maker: tuple[Row, ...]
    """Precision: of the devices for which this maker is named. Recall: of the cameras it made."""


class Missed(Struct, frozen=True):
    """Why a text that stands in an answer was not named."""

    conflicting: int
    """The answers under one id state several values that cannot all be true of one device."""
    unnamed: int
    wrong: int


class LeftOut(Struct, frozen=True, kw_only=True):
    """What remains for the cameras of one maker when its own device signatures are taken away."""

    maker: str
    signatures: int
    product_lines: int
    """Taken away, both."""
    camera_recall: Share
    still_named: Share
    """By generic labels or the registrant of the MAC block."""
    wrong_makers: tuple[Wrong, ...]
    """Other makers named instead: must be empty."""


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


class _Texts(Struct):
    """Cameras whose label states one attribute."""

    right: int = 0
    named: int = 0
    labelled: int = 0
    right_present: int = 0
    present: int = 0
    missed: Missed = Missed(0, 0, 0)

    def count(self, hit: bool | None, *, present: bool, conflicting: bool) -> None:
        """One camera. `hit`: whether what is named is right, None where nothing is."""
        self.labelled += 1
        self.named += hit is not None
        self.right += hit is True
        self.present += present
        self.right_present += present and hit is True
        if present and hit is not True:
            old = self.missed
            self.missed = Missed(
                old.conflicting + (hit is None and conflicting),
                old.unnamed + (hit is None and not conflicting),
                old.wrong + (hit is False),
            )


class _Found(Struct, frozen=True):
    sample: Sample
    device: Device

    @property
    def label(self) -> Label:
        return self.sample.label

    @property
    def maker(self) -> str | None:
        return self.device.value(Attribute.MAKER)


def measure(lines: Iterable[bytes], identifier: Identifier) -> Measure:
    """Figures over a labelled file (observation NDJSON with `label`)."""
    devices, unreadable = samples(lines)
    found = _named(devices, identifier)
    return _Count(found, identifier).measure(unreadable, _kinds(devices, identifier))


def leave_out(lines: Iterable[bytes], knowledge: Knowledge, maker: str) -> LeftOut:
    """Figures over the cameras of one maker, without its own device signatures."""
    whole = Identifier(knowledge)
    party = whole.relations.party(maker) or maker
    kept = tuple(s for s in knowledge.signatures if not _speaks_of(s, party, whole))
    lines_kept = tuple(x for x in knowledge.lines if not _names(x, party, whole))
    identifier = Identifier(replace(knowledge, signatures=kept, lines=lines_kept))
    relations = whole.relations
    mine = [
        s for s in samples(lines)[0] if s.label.is_camera and maker_of(s.label, relations) == party
    ]
    found = _named(mine, identifier)
    named = [f for f in found if f.maker is not None]
    wrong = [f for f in named if not maker_right(f.label, f.maker or "", relations)]
    return LeftOut(
        maker=party,
        signatures=len(knowledge.signatures) - len(kept),
        product_lines=len(knowledge.lines) - len(lines_kept),
        camera_recall=wilson(sum(f.device.is_camera is True for f in found), len(found)),
        still_named=wilson(len(named) - len(wrong), len(found)),
        wrong_makers=tuple(_wrong(f) for f in wrong),
    )


def makers(lines: Iterable[bytes], identifier: Identifier) -> tuple[str, ...]:
    """Labelled makers of cameras, sorted."""
    found = {
        maker_of(s.label, identifier.relations) for s in samples(lines)[0] if s.label.is_camera
    }
    return tuple(sorted(found - {None}, key=str))  # type: ignore[arg-type]  # None is taken away


def _speaks_of(signature: Signature, party: str, identifier: Identifier) -> bool:
    """Whether a signature is one of this maker's: by its platform, or by what it says or extracts."""
    platform = signature.id.removeprefix("local.").partition(".")[0]
    values = [s.value for s in signature.says if s.attribute in _NAMES]
    for extract in signature.extract:
        if extract.attribute in _NAMES:
            values += extract.values.values()
    return _of_maker((platform, *values), party, identifier)


def _names(line: ProductLine, party: str, identifier: Identifier) -> bool:
    prefix = line.id.removeprefix("local.").partition(".")[0]
    values = (prefix, line.maker or "", line.brand, line.platform or "")
    return _of_maker(values, party, identifier)


def _of_maker(values: Iterable[str], party: str, identifier: Identifier) -> bool:
    """Whether one of these names, brands or platforms is this maker's."""
    relations = identifier.relations
    for value in values:
        owners = {relations.platform_maker(value), relations.party(value)}
        owners |= relations.makers_of_brand(value)
        if any(o is not None and relations.same_group(o, party) for o in owners):
            return True
    return False


def _named(devices: Iterable[Sample], identifier: Identifier) -> list[_Found]:
    return [_Found(s, identifier.device(s.device_id, s.observations)) for s in devices]


def _kinds(devices: Sequence[Sample], identifier: Identifier) -> tuple[Row, ...]:
    kinds = sorted({o.kind for s in devices for o in s.observations})
    rows = []
    for kind in kinds:
        parts = [
            replace(s, observations=only)
            for s in devices
            if (only := tuple(o for o in s.observations if o.kind is kind))
        ]
        rows.append(_Count(_named(parts, identifier), identifier).row(kind.value))
    return tuple(rows)


def _wrong(found: _Found) -> Wrong:
    labelled = found.label.oem or found.label.vendor or ""
    return Wrong(device_id=found.sample.device_id, named=found.maker or "", labelled=labelled)


class _Count:
    """Figures of a list of devices."""

    def __init__(self, found: Sequence[_Found], identifier: Identifier) -> None:
        self._identifier = identifier
        self._relations = identifier.relations
        self.found = found
        self.cameras = [f for f in found if f.label.is_camera]
        self.others = [f for f in found if f.label.is_camera is False]
        self.hits = [f for f in self.cameras if f.device.is_camera]
        self.false = [f for f in self.others if f.device.is_camera]

    def measure(self, unreadable: int, by_kind: tuple[Row, ...]) -> Measure:
        denied = sum(f.device.is_camera is False for f in self.cameras)
        silent = sum(f.device.is_camera is False for f in self.others)
        named, right, known = self._makers(self.cameras)
        other_named, other_right, _ = self._makers(self.others)
        brand = self._brands()
        model, firmware = self._texts(Attribute.MODEL), self._texts(Attribute.FIRMWARE)
        wrong = [f for f in (*named, *other_named) if f not in right and f not in other_right]
        return Measure(
            devices=len(self.found),
            cameras=len(self.cameras),
            others=len(self.others),
            unreadable=unreadable,
            camera_precision=wilson(len(self.hits), len(self.hits) + len(self.false)),
            camera_recall=wilson(len(self.hits), len(self.cameras)),
            other_precision=wilson(silent, silent + denied),
            maker_precision=wilson(len(right), len(named)),
            maker_recall=wilson(len(right), len(known)),
            maker_precision_others=wilson(len(other_right), len(other_named)),
            brand_precision=wilson(brand[0], brand[1]),
            brand_recall=wilson(brand[0], brand[2]),
            model_precision=wilson(model.right, model.named),
            model_recall=wilson(model.right, model.labelled),
            model_recall_where_present=wilson(model.right_present, model.present),
            model_missed_where_present=model.missed,
            firmware_precision=wilson(firmware.right, firmware.named),
            firmware_recall=wilson(firmware.right, firmware.labelled),
            firmware_recall_where_present=wilson(firmware.right_present, firmware.present),
            firmware_missed_where_present=firmware.missed,
            false_cameras=tuple(f.sample.device_id for f in self.false),
            wrong_makers=tuple(_wrong(f) for f in wrong),
            missed=tuple(f.sample.device_id for f in self.cameras if not f.device.is_camera),
            by_kind=by_kind,
            by_maker=self._by_maker(),
        )

    def row(self, name: str) -> Row:
        named, right, known = self._makers(self.cameras)
        return Row(
            name=name,
            devices=len(self.found),
            camera_precision=wilson(len(self.hits), len(self.hits) + len(self.false)),
            camera_recall=wilson(len(self.hits), len(self.cameras)),
            maker_precision=wilson(len(right), len(named)),
            maker_recall=wilson(len(right), len(known)),
        )

    def _right(self, found: _Found) -> bool:
        return maker_right(found.label, found.maker or "", self._relations)

    def _makers(self, among: Sequence[_Found]) -> tuple[list[_Found], list[_Found], list[_Found]]:
        """Named, named rightly, labelled."""
        known = [f for f in among if f.label.vendor or f.label.oem]
        named = [f for f in known if f.maker is not None]
        return named, [f for f in named if self._right(f)], known

    def _brands(self) -> tuple[int, int, int]:
        """(right, named, labelled)."""
        known = [f for f in self.cameras if f.label.vendor]
        named = [(f, b) for f in known if (b := f.device.value(Attribute.BRAND)) is not None]
        right = sum(brand_right(f.label, brand, self._relations) for f, brand in named)
        return right, len(named), len(known)

    def _texts(self, attribute: Attribute) -> _Texts:
        found = _Texts()
        for one in self.cameras:
            wanted = getattr(one.label, attribute.value)
            if wanted is not None:
                fields = (self._identifier.matcher.read(o).fields for o in one.sample.observations)
                hit = text_right(attribute, wanted, one.device)
                claim = one.device.claim(attribute)
                found.count(
                    hit,
                    present=holds(one.sample, fields, wanted),
                    conflicting=claim is not None and claim.state is State.CONFLICTING,
                )
        return found

    def _by_maker(self) -> tuple[Row, ...]:
        groups: dict[str, list[_Found]] = {}
        claimed: dict[str, list[_Found]] = {}
        for found in self.found:
            if (maker := maker_of(found.label, self._relations)) is None:
                continue
            if found.label.is_camera:
                groups.setdefault(maker, []).append(found)
            if found.maker is not None:
                claimed.setdefault(found.maker, []).append(found)
        rows = []
        for maker in sorted(groups, key=lambda m: (-len(groups[m]), m)):
            mine, naming = groups[maker], claimed.get(maker, [])
            called = [f for f in naming if f.device.is_camera]
            rows.append(
                Row(
                    name=maker,
                    devices=len(mine),
                    camera_precision=wilson(
                        sum(f.label.is_camera is True for f in called), len(called)
                    ),
                    camera_recall=wilson(sum(f.device.is_camera is True for f in mine), len(mine)),
                    maker_precision=wilson(sum(map(self._right, naming)), len(naming)),
                    maker_recall=wilson(
                        sum(f.maker is not None and self._right(f) for f in mine), len(mine)
                    ),
                )
            )
        return tuple(rows)
