"""What is a firmware image, by its own facts, and which devices of the run state the same?

Several values that no relation joins are a conflict, and shown; nothing stated is unknown. An SDK that
many makers use names nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from msgspec.structs import replace

from camscan.decode.versions import build_date
from camscan.model.claim import Attribute, Device, Endpoint, Mark
from camscan.model.firmware import ExaminedImage, ImageFact, ImageIdentity, ImageReport
from camscan.model.knowledge import Knowledge

_SHARED = frozenset({"cs2", "throughtek", "tuya", "generic", "realtek-sdk"})
"""Platforms that are SDKs or services: beside another they name no maker."""
_WEAK = frozenset({"build.os-release.version", "build.openwrt.release", "build.issue.version"})
"""They speak of the base system, and count where nothing else states a version."""
_PARTS = ("kernel_date", "container_date", "boot_date")
_MONTHS = {m: n for n, m in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}  # noqa: SIM905 - a table
_EXCLUDED_CLASSES = frozenset({"template"})


def image_identity(report: ImageReport, knowledge: Knowledge) -> ImageIdentity:
    """Maker, platform, model, version and build date of one image. Pure."""
    conflicts: list[str] = []
    platform = _one("platform", _platforms(report.facts), conflicts)
    stated = _values(report.facts, "maker")
    if not stated and platform is not None and platform not in _SHARED:
        record = knowledge.platforms.get(platform)
        stated = [record.maker] if record is not None and record.maker else []
    maker = _one("maker", stated, conflicts)
    strong = [f for f in report.facts if f.attribute == "firmware" and f.signature not in _WEAK]
    weak = [f for f in report.facts if f.attribute == "firmware"]
    built, source = _built(report.facts, conflicts)
    return ImageIdentity(
        maker=maker,
        brand=_one("brand", _values(report.facts, "brand"), conflicts),
        platform=platform,
        model=_one("model", _values(report.facts, "model"), conflicts),
        version=_one("version", list(dict.fromkeys(f.value for f in strong or weak)), conflicts),
        build_date=built,
        build_date_from=source,
        conflicts=tuple(conflicts),
    )


def joined(
    images: Sequence[ExaminedImage], devices: Sequence[Device]
) -> tuple[tuple[ExaminedImage, ...], tuple[Device, ...]]:
    """Images with the devices that state the same maker, model and version; devices with the image's endpoints.

    The endpoints carry the mark `embedded` alone: a name compiled into the platform is no destination.
    """
    with_devices: list[ExaminedImage] = []
    added: dict[str, list[Endpoint]] = {}
    for image in images:
        same = [d for d in devices if _same(image.identity, d)]
        with_devices.append(replace(image, devices=tuple(d.device_id for d in same)))
        for device in same:
            added.setdefault(device.device_id, []).extend(_embedded(device.device_id, image))
    merged = tuple(
        replace(d, endpoints=_merged(d.endpoints, added[d.device_id]))
        if d.device_id in added
        else d
        for d in devices
    )
    return tuple(with_devices), merged


def _same(identity: ImageIdentity, device: Device) -> bool:
    """Maker or platform, model, and version or build date: all stated by both, and equal."""
    makers = {v for v in (device.value(Attribute.MAKER), device.value(Attribute.PLATFORM)) if v}
    if not makers & {v for v in (identity.maker, identity.platform) if v}:
        return False
    model, version = device.value(Attribute.MODEL), device.value(Attribute.FIRMWARE)
    if not (model and version and identity.model and identity.version):
        return False
    return _plain(model) == _plain(identity.model) and _plain(version) == _plain(identity.version)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", text.lower()).lstrip("v")


def _embedded(device_id: str, image: ExaminedImage) -> list[Endpoint]:
    return [
        Endpoint(
            device_id=device_id,
            name=None if _numeric(e.host) else e.host,
            address=e.host if _numeric(e.host) else None,
            port=e.port,
            marks=(Mark.EMBEDDED,),
            purpose="",
            sources=(f"embedded: image {image.report.sha256[:12]}, {e.path} at {e.offset}",),
        )
        for e in image.report.endpoints
        if e.live and e.kind not in _EXCLUDED_CLASSES
    ]


def _merged(own: tuple[Endpoint, ...], more: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """One endpoint for each name and address; marks are added side by side."""
    result = {(e.name, e.address, e.port): e for e in own}
    names = {e.name or e.address: key for key, e in result.items()}
    for endpoint in more:
        key = names.get(endpoint.name or endpoint.address)
        if key is None:
            key = (endpoint.name, endpoint.address, endpoint.port)
            names[endpoint.name or endpoint.address] = key
            result[key] = endpoint
            continue
        known = result[key]
        if Mark.EMBEDDED not in known.marks:
            result[key] = replace(
                known,
                marks=(*known.marks, Mark.EMBEDDED),
                sources=(*known.sources, *endpoint.sources),
            )
    return tuple(result.values())


def _numeric(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _values(facts: Iterable[ImageFact], attribute: str) -> list[str]:
    return list(dict.fromkeys(f.value for f in facts if f.attribute == attribute))


def _platforms(facts: Iterable[ImageFact]) -> list[str]:
    found = _values(facts, "platform")
    return [p for p in found if p not in _SHARED] or found


def _one(attribute: str, values: list[str], conflicts: list[str]) -> str | None:
    """The only value; the longest where the others are parts of it; else none, and a conflict."""
    if not values:
        return None
    longest = max(values, key=len)
    if all(_plain(v) in _plain(longest) for v in values):
        return longest
    conflicts.append(f"{attribute}: {' | '.join(sorted(values))}")
    return None


def _built(facts: Sequence[ImageFact], conflicts: list[str]) -> tuple[str | None, str]:
    """The stated build date; else the youngest of the parts, which the whole cannot be older than."""
    stated = {
        day for f in facts if f.attribute == "build_date" if (day := _day(f.value)) is not None
    }
    stated |= {
        day
        for f in facts
        if f.attribute == "firmware"
        and f.signature not in _WEAK  # `2023.02.1` is a release, no day
        if (day := build_date(f.value)) is not None
    }
    if len(stated) == 1:
        return stated.pop().isoformat(), "stated by the image"
    if len(stated) > 1:
        conflicts.append(f"build_date: {' | '.join(sorted(d.isoformat() for d in stated))}")
        return None, ""
    parts = [
        (day, f)
        for f in facts
        if f.attribute in _PARTS
        if (day := _day(f.value)) is not None and day.year > 2000
    ]
    if not parts:
        return None, ""
    day, fact = max(parts, key=lambda p: (p[0], p[1].attribute))
    return (
        day.isoformat(),
        f"not before: {fact.attribute.replace('_', ' ')} of {fact.path or 'the image'}",
    )


def _day(text: str) -> date | None:
    """ISO day, `20170621`, `Jun 12 2015` or the form of a kernel banner."""
    try:
        if match := re.match(r"(20\d\d)[-/.]?(\d\d)[-/.]?(\d\d)", text):
            return date(int(match[1]), int(match[2]), int(match[3]))
        if match := re.search(
            r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (?:\d\d:\d\d:\d\d [\w+-]{2,6} )?(\d{4})", text
        ):
            return date(int(match[3]), _MONTHS[match[1]], int(match[2]))
    except (ValueError, KeyError):
        return None
    return None
