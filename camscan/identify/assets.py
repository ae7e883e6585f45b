"""Which device is which row of the owner's asset list, and what stands behind a recorder?

An address in a list was true when somebody wrote it down: it is a soft key (DESIGN rule 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from camscan.identify.values import mac, same
from camscan.model.claim import (
    Attribute,
    Claim,
    Confidence,
    Device,
    Evidence,
    Family,
    Level,
    Role,
    State,
    Visibility,
)
from camscan.model.site import Asset

_STATED: tuple[tuple[str, Attribute], ...] = (
    ("brand", Attribute.BRAND),
    ("model", Attribute.MODEL),
    ("serial", Attribute.SERIAL),
)
_SEVERAL = 2
"""Channels from which a device stands for others; a camera is its own one channel."""


def match(devices: Sequence[Device], assets: Sequence[Asset]) -> tuple[Device, ...]:
    """The devices with their rows, then a Device for each row nothing answered for; sorted."""
    taken: dict[str, tuple[str, str]] = {}
    found = {d.device_id: d for d in devices}
    near = _Near(devices)
    for rank in (_by_serial, _by_mac, _by_address, _by_address_and_name):
        for asset in sorted(assets, key=lambda a: a.id):
            if asset.id in taken:
                continue
            fits = [
                (d, why)
                for name in near.of(asset)
                if not (d := found[name]).listed_as and (why := rank(asset, d))
            ]
            if len(fits) != 1:
                continue  # none, or several: a row is one device, so nothing is matched
            device, why = fits[0]
            taken[asset.id] = (device.device_id, why)
            found[device.device_id] = replace(
                device,
                listed_as=asset.id,
                place=asset.place or device.place,
                joins=(*device.joins, why),
            )
    for asset in sorted(assets, key=lambda a: a.id):
        if asset.id not in taken:
            device = _listed(asset, set(found))
            found[device.device_id] = device
            taken[asset.id] = (device.device_id, "")
    placed = _behind(found, assets, {row: name for row, (name, _) in taken.items()})
    return tuple(_counted(placed[name], placed) for name in sorted(placed))


class _Near:
    """Devices that could be a row at all: an address, a MAC or a part of a serial number in common.

    Only saves work: whether one fits is decided by the ranks.
    """

    def __init__(self, devices: Sequence[Device]) -> None:
        self._by_key: dict[str, dict[str, None]] = {}
        self._serials: list[tuple[str, str]] = []
        for device in devices:
            macs = (*device.macs, *device.values(Attribute.MAC))
            for key in (device.device_id, *device.addresses, *macs):
                self._by_key.setdefault(key, {})[device.device_id] = None
            serial = _letters(device.value(Attribute.SERIAL) or "")
            if serial:
                self._serials.append((serial, device.device_id))

    def of(self, asset: Asset) -> list[str]:
        """Names of the devices, in the order of their ids."""
        names = dict(self._by_key.get(asset.address or "", {}))
        names.update(self._by_key.get(mac(asset.mac or ""), {}))
        wanted = _letters(asset.serial)
        if wanted:
            names.update((n, None) for s, n in self._serials if wanted in s or s in wanted)
        return sorted(names)


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _by_serial(asset: Asset, device: Device) -> str:
    serial = device.value(Attribute.SERIAL)
    if asset.serial and serial and same(Attribute.SERIAL, asset.serial, serial):
        return f"asset list row {asset.id}: same serial number {serial}"
    return ""


def _by_mac(asset: Asset, device: Device) -> str:
    listed = mac(asset.mac or "")
    if listed and listed in device.macs:
        return (
            f"asset list row {asset.id}: MAC {listed} seen in the device's own segment (hard key)"
        )
    if listed and not device.macs and listed in device.values(Attribute.MAC):
        return f"asset list row {asset.id}: MAC {listed} stated by the device (soft key)"
    return ""


def _by_address(asset: Asset, device: Device) -> str:
    """Soft: never against a MAC or serial number that says otherwise."""
    if not asset.address or asset.address not in {*device.addresses, device.device_id}:
        return ""
    listed = mac(asset.mac or "")
    if listed and device.macs and listed not in device.macs:
        return ""
    serial = device.value(Attribute.SERIAL)
    if asset.serial and serial and not same(Attribute.SERIAL, asset.serial, serial):
        return ""
    return (
        f"asset list row {asset.id}: same address {asset.address} in the list (undated) and when seen "
        f"({', '.join(device.observations[:1])}): a soft key, nothing hard speaks against it"
    )


def _by_address_and_name(asset: Asset, device: Device) -> str:
    """Where several devices answer at the address: the one of the brand or model in the list."""
    why = _by_address(asset, device)
    if not why:
        return ""
    names = {device.value(a) for a in (Attribute.BRAND, Attribute.MAKER)} - {None}
    if asset.brand and asset.brand.casefold() in {str(n).casefold() for n in names}:
        return f"{why}; same name {asset.brand}"
    model = device.value(Attribute.MODEL)
    if asset.model and model and same(Attribute.MODEL, asset.model, model):
        return f"{why}; same model {model}"
    return ""


def _listed(asset: Asset, names: set[str]) -> Device:
    name = asset.address if asset.address and asset.address not in names else f"asset:{asset.id}"
    claims = []
    for field, attribute in _STATED:
        text = getattr(asset, field)
        if not text:
            continue
        evidence = Evidence(
            signature="camscan.asset-list",
            version="1",
            family=Family.DOCUMENT,
            level=Level.E1,
            observation=f"asset:{asset.id}",
            attribute=attribute,
            value=text,
            excerpt=f"{field}: {text}"[:200],
        )
        claims.append(
            Claim(
                subject=name,
                attribute=attribute,
                value=text,
                state=State.DECLARED,
                level=Level.E1,
                confidence=Confidence.LOW,
                evidence=(evidence,),
                reason="E1 from the owner's asset list, not examined",
            )
        )
    return Device(
        device_id=name,
        addresses=(asset.address,) if asset.address else (),
        macs=(),
        claims=tuple(sorted(claims, key=lambda c: c.attribute)),
        visibility=Visibility.LISTED,
        listed_as=asset.id,
        place=asset.place or None,
        notes=("in the asset list, but nothing that answered could be matched with it",),
    )


def _behind(
    devices: Mapping[str, Device], assets: Sequence[Asset], rows: Mapping[str, str]
) -> dict[str, Device]:
    """Devices with the recorder they stand behind, as the list says or as their address shows."""
    placed = dict(devices)
    for asset in sorted(assets, key=lambda a: a.id):
        head = _head(asset.behind or "", devices, rows)
        name = rows.get(asset.id)
        if head is not None and name is not None and name not in _chain(head, placed):
            placed[name] = replace(placed[name], behind=head)
    for name, device in devices.items():
        base, mark, _ = name.partition("#")
        if not mark or placed[name].behind is not None or device.role is Role.RECORDER:
            continue
        heads = sorted(
            other
            for other, candidate in devices.items()
            if candidate.role is Role.RECORDER and other.partition("#")[0] == base
        )
        if len(heads) == 1:
            placed[name] = replace(placed[name], behind=heads[0])
    return placed


def _head(text: str, devices: Mapping[str, Device], rows: Mapping[str, str]) -> str | None:
    """The device that a list means by `behind`: a row's id, else an address that is one device."""
    if text in rows:
        return rows[text]
    found = [name for name, d in devices.items() if text in {name, *d.addresses}]
    return found[0] if len(found) == 1 else None


def _chain(name: str, devices: Mapping[str, Device]) -> set[str]:
    """A device and all it stands behind."""
    found: set[str] = set()
    current: str | None = name
    while current is not None and current not in found:
        found.add(current)
        current = devices[current].behind if current in devices else None
    return found


def _counted(device: Device, devices: Mapping[str, Device]) -> Device:
    """With a note on how many of the announced channels were seen."""
    announced = device.value(Attribute.CHANNELS_ANNOUNCED)
    if announced is None or not announced.isdecimal() or device.role is Role.CAMERA:
        return device
    if int(announced) < _SEVERAL:
        return device
    seen = sum(
        d.behind == device.device_id and d.visibility is Visibility.DIRECT for d in devices.values()
    )
    rest = max(0, int(announced) - seen)
    note = f"announces {announced} channels: {seen} seen as devices, {rest} not examined"
    return replace(device, notes=(*device.notes, note))
