"""How does the helper give up everything but the right to send its packets?

capabilities(7), prctl(2), capset(2); constants of linux/capability.h and linux/prctl.h.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from collections.abc import Mapping
from pathlib import Path

from camscan.errors import PrivilegeError

CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_ADMIN, CAP_NET_RAW = 6, 7, 8, 12, 13
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS = 4, 8
_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 23, 24, 38
_CAP_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> int:
    result: int = _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)
    return result


def effective() -> int:
    """Effective capabilities of this process as a bit mask; 0 where the system has none."""
    try:
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    except OSError:
        pass
    return 0


def caller(environment: Mapping[str, str], uid: int) -> tuple[int, int] | None:
    """(uid, gid) of the user who called sudo; None where nobody else called."""
    if uid != 0:
        return None
    try:
        found = int(environment["SUDO_UID"]), int(environment["SUDO_GID"])
    except (KeyError, ValueError):
        return None
    return found if found[0] > 0 else None


def drop(*, neighbours: bool, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Keep CAP_NET_RAW (and CAP_NET_ADMIN for neighbours), lose all else for good.

    Returns notes on what could not be done; PrivilegeError where CAP_NET_RAW is not there.
    """
    have = effective()
    keep = 1 << CAP_NET_RAW
    notes: list[str] = []
    if neighbours and have >> CAP_NET_ADMIN & 1:
        keep |= 1 << CAP_NET_ADMIN
    elif neighbours:
        notes.append("no CAP_NET_ADMIN: permanent neighbours cannot be set")
    if not have >> CAP_NET_RAW & 1:
        raise PrivilegeError("raw packets need CAP_NET_RAW; run as root or in a user namespace")
    if have >> CAP_SETPCAP & 1:
        capability = 0
        while _prctl(_PR_CAPBSET_READ, capability) >= 0:
            _prctl(_PR_CAPBSET_DROP, capability)
            capability += 1
    _prctl(_PR_SET_KEEPCAPS, 1)
    user = caller(environment, os.getuid())
    if user is not None:
        uid, gid = user
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        except OSError as error:  # a user namespace that does not map the caller
            notes.append(f"could not become user {uid}: {error.strerror}")
    _capset(keep)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if effective() & ~keep:
        raise PrivilegeError("privileges could not be dropped; the helper does not start")
    return tuple(notes)


def _capset(mask: int) -> None:
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAP_VERSION_3, 0))
    data = ctypes.create_string_buffer(struct.pack("=6I", low, low, 0, high, high, 0))
    if _libc.capset(header, data) != 0:
        code = ctypes.get_errno()
        raise PrivilegeError(f"capset failed: {os.strerror(code)}")
