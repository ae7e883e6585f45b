"""How are the namespaces of the lab made, entered and wired together?"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)


class NamespaceError(Exception):
    """The kernel or a missing program refuses; the text says which and what helps."""


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise NamespaceError(f"{what}: {os.strerror(code)}")


def unshare(flags: int, what: str) -> None:
    """unshare(2). Raises NamespaceError with the kernel's words."""
    _check(_libc.unshare(flags), what)


def setns(descriptor: int) -> None:
    """Enter the network namespace behind the descriptor (this thread)."""
    _check(_libc.setns(descriptor, CLONE_NEWNET), "entering a network namespace")


def mount(source: str, target: str, kind: str, flags: int) -> None:
    """mount(2)."""
    encoded = (source.encode(), target.encode(), kind.encode())
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), None), f"mounting on {target}")


def private_mounts() -> None:
    """A mount namespace of one's own; nothing mounted here is seen outside."""
    unshare(CLONE_NEWNS, "making a mount namespace")
    _check(
        _libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None),
        "making mounts private",
    )


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def become_root_in_user_namespace() -> None:
    """A user namespace in which the caller is root. Raises NamespaceError."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER, "making a user namespace")
    try:
        with suppress(FileNotFoundError):
            Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise NamespaceError(f"mapping the user to root in the user namespace: {error}") from error


@dataclass(slots=True)
class Namespaces:
    """Descriptors of the three network namespaces; they vanish with this process."""

    lab: int
    scan: int
    wan: int
    outside: tuple[str, ...] = field(default_factory=tuple)
    """Identities of the namespaces the caller came from."""

    @contextmanager
    def inside(self, descriptor: int) -> Iterator[None]:
        """Work in a namespace, then return to the lab's."""
        setns(descriptor)
        try:
            yield
        finally:
            setns(self.lab)


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def make_namespaces(*, user: bool) -> Namespaces:
    """Leave the caller's network for ever and make lab, scan and wan."""
    outside = [os.readlink("/proc/self/ns/net")]
    with suppress(OSError):
        outside.append(os.readlink("/proc/1/ns/net"))
    if user:
        become_root_in_user_namespace()
    private_mounts()
    made: list[int] = []
    for _ in range(3):
        unshare(CLONE_NEWNET, "making a network namespace")
        made.append(_current())
    setns(made[0])
    return Namespaces(made[0], made[1], made[2], tuple(outside))


def ip_batch(lines: list[str]) -> None:
    """Run `ip -batch` in the current namespace. Raises NamespaceError with the failing line."""
    if not lines:
        return
    done = subprocess.run(
        ["ip", "-batch", "-"],
        check=False,
        input="\n".join(lines) + "\n",
        text=True,
        capture_output=True,
    )
    if done.returncode:
        raise NamespaceError(f"ip refused: {done.stderr.strip()[:400]}")


def nft_load(text: str) -> str | None:
    """Load an nft table in the current namespace; None, or why not."""
    if shutil.which("nft") is None:
        return "the program nft is missing (Debian: apt install nftables)"
    done = subprocess.run(
        ["nft", "-f", "-"], check=False, input=text, text=True, capture_output=True
    )
    return (done.stderr.strip()[:300] or "nft failed") if done.returncode else None


def sysctl(name: str, value: str) -> bool:
    """Set a network setting of the current namespace."""
    try:
        Path("/proc/sys/net", *name.split(".")).write_text(value)
    except OSError:
        return False
    return True
