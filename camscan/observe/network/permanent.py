"""Which neighbours are held in the kernel's table while their devices are asked?

On-link segments larger than the table overflow it, and live devices then look dead; permanent
entries do not count (facts: scanning 2.5). Added in waves, removed when the device is done.
"""

from __future__ import annotations

import asyncio
import contextlib

from camscan.errors import CamscanError
from camscan.observe.packet.client import PacketHelper

_WAVE = 0.02
"""Seconds a wave gathers entries."""


class Permanent:
    """Entries held by this scan. Does nothing where `on` is false or there is no helper."""

    def __init__(self, helper: PacketHelper | None, *, on: bool) -> None:
        self._helper = helper if on else None
        self._adding: dict[str, list[tuple[str, str]]] = {}
        self._held: dict[str, dict[str, str]] = {}
        self._dropping: dict[str, list[tuple[str, str]]] = {}
        self._wave: asyncio.Task[None] | None = None

    async def add(self, interface: str, address: str, mac: str) -> None:
        """Returns when the entry is in the table, or cannot be."""
        if self._helper is None:
            return
        self._adding.setdefault(interface, []).append((address, mac))
        if self._wave is None or self._wave.done():
            self._wave = asyncio.ensure_future(self._flush())
        await asyncio.shield(self._wave)

    def drop(self, interface: str, address: str) -> None:
        """The device is done; removed with the next wave."""
        mac = self._held.get(interface, {}).pop(address, None)
        if mac is not None:
            self._dropping.setdefault(interface, []).append((address, mac))

    async def close(self) -> None:
        """Remove whatever is left."""
        if self._helper is None:
            return
        if self._wave is not None:
            with contextlib.suppress(CamscanError, asyncio.CancelledError):
                await self._wave
        for interface, held in self._held.items():
            self._dropping.setdefault(interface, []).extend(held.items())
        self._held = {}
        with contextlib.suppress(CamscanError):
            await self._remove()

    async def _flush(self) -> None:
        await asyncio.sleep(_WAVE)
        adding, self._adding = self._adding, {}
        if self._helper is None:
            return
        try:
            for interface, entries in adding.items():
                await self._helper.add_neighbours(entries, interface=interface)
                self._held.setdefault(interface, {}).update(entries)
            await self._remove()
        except CamscanError:  # no CAP_NET_ADMIN: the table's own limit holds, overflow is counted
            self._helper = None

    async def _remove(self) -> None:
        dropping, self._dropping = self._dropping, {}
        for interface, entries in dropping.items():
            if self._helper is not None:
                await self._helper.remove_neighbours(entries, interface=interface)
