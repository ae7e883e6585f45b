"""How are permanent neighbours set for a wave of devices, and taken away again?

The kernel's table holds 1,024 entries (gc_thresh3) for all namespaces together; permanent ones
do not count (facts: scanning 2.5). Only addresses of the scope, only entries this helper set.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct

from camscan.errors import PrivilegeError, ScopeError, UsageError
from camscan.observe.packet.messages import SetNeighbours, SweepSummary
from camscan.observe.wire import netlink
from camscan.scope import Scope

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_HEADER = struct.Struct("=IHHII")


class NeighbourTable:
    def __init__(self) -> None:
        self._ours: dict[tuple[str, str], str] = {}
        """(interface, address) -> MAC"""

    def apply(self, order: SetNeighbours, scope: Scope) -> SweepSummary:
        """Set or remove; an entry an administrator made permanent is left as it is."""
        for address, mac in order.entries:
            if not scope.allows(address):
                raise ScopeError(f"packet helper: {address} is outside the scope; nothing was set")
            if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
                raise UsageError(f"packet helper: {mac!r} is not the MAC address of a device")
        index = socket.if_nametoindex(order.interface)
        present = {
            n.address: n.mac
            for n in netlink.neighbours()
            if n.index == index and n.state & netlink.NUD_PERMANENT
        }
        done, skipped = 0, []
        for address, mac in order.entries:
            key = (order.interface, address)
            if order.add and address in present and key not in self._ours:
                skipped.append(address)
                continue
            if not order.add and present.get(address) != mac:
                skipped.append(address)
                self._ours.pop(key, None)
                continue
            _change(index, address, mac, add=order.add)
            done += 1
            if order.add:
                self._ours[key] = mac
            else:
                self._ours.pop(key, None)
        return SweepSummary(asked=len(order.entries), answered=done, skipped=tuple(skipped))

    def clear(self) -> None:
        """Take away everything that was set; called when the client goes, however it goes."""
        for (interface, address), mac in tuple(self._ours.items()):
            try:
                _change(socket.if_nametoindex(interface), address, mac, add=False)
            except (OSError, PrivilegeError):  # the interface is gone, its entries with it
                continue
        self._ours.clear()


def _change(index: int, address: str, mac: str, *, add: bool) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = socket.inet_pton(family, address)
    payload = struct.pack("=BxHiHBB", family, 0, index, netlink.NUD_PERMANENT, 0, 0)
    payload += struct.pack("=HH", 4 + len(place), 1) + place  # NDA_DST
    payload += struct.pack("=HH", 10, 2) + bytes.fromhex(mac.replace(":", "")) + b"\0\0"
    flags = netlink.NLM_F_REQUEST | netlink.NLM_F_ACK
    if add:
        flags |= netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
    kind = netlink.RTM_NEWNEIGH if add else netlink.RTM_DELNEIGH
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_ROUTE) as sock:
        sock.settimeout(5.0)
        sock.sendto(_HEADER.pack(16 + len(payload), kind, flags, 1, 0) + payload, (0, 0))
        answer = sock.recv(4096)
    code = -struct.unpack_from("=i", answer, 16)[0]
    if code in {errno.EPERM, errno.EACCES}:
        raise PrivilegeError("permanent neighbours need CAP_NET_ADMIN")
    if code and not (code == errno.ENOENT and not add):
        raise OSError(code, os.strerror(code))
