"""Which mode can this machine run, and if not, why?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal, NamedTuple

from lab.netns import NamespaceError, ip_batch, make_namespaces, nft_load

Mode = Literal["root", "userns", "loopback"]
LOOPBACK_LACKS = (
    "loopback mode: not emulated are layer 2 (ARP, MAC addresses), broadcast searches, silent dead "
    "addresses (all refuse), own uplink and clouds, captures, packet counters"
)


class Probe(NamedTuple):
    mode: Mode
    works: bool
    reason: str


def _try(user: bool) -> str:
    """Empty, or why namespaces cannot be made; tried in a child that ends at once."""
    if shutil.which("ip") is None:
        return "the program ip is missing (Debian: apt install iproute2)"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = ""
        try:
            spaces = make_namespaces(user=user)
            peer = f"/proc/{os.getpid()}/fd/{spaces.scan}"
            ip_batch([f"link add vl0 type veth peer name vs0 netns {peer}", "link set lo up"])
        except (NamespaceError, OSError) as error:
            text = str(error)
        os.write(writer, text.encode()[:400])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read().decode()
    os.waitpid(child, 0)
    return answer


def _refusal(reason: str) -> str:
    """The kernel's words with what usually lies behind them."""
    restrict = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restrict.exists() and restrict.read_text().strip() == "1":
        return (
            f"{reason}. AppArmor restricts user namespaces here; allow them with "
            "`sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or run as root"
        )
    clone = Path("/proc/sys/kernel/unprivileged_userns_clone")
    if clone.exists() and clone.read_text().strip() == "0":
        return (
            f"{reason}. User namespaces are switched off here; allow them with "
            "`sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run as root"
        )
    limit = Path("/proc/sys/user/max_user_namespaces")
    if limit.exists() and limit.read_text().strip() == "0":
        return f"{reason}. user.max_user_namespaces is 0 here; raise it, or run as root"
    if Path("/.dockerenv").exists() or "not permitted" in reason.lower():
        return f"{reason}. In a container the seccomp profile or missing capabilities forbid it"
    return reason


def probe(mode: Mode) -> Probe:
    """Whether one mode works here."""
    if mode == "loopback":
        return Probe(mode, True, LOOPBACK_LACKS)
    if mode == "root" and os.geteuid() != 0:
        return Probe(mode, False, "not root")
    reason = _try(user=mode == "userns")
    return Probe(mode, not reason, _refusal(reason) if reason else "")


def choose(wanted: str) -> tuple[Mode, list[str]]:
    """The mode to run and lines to tell. Raises NamespaceError if the wanted one cannot be had."""
    if wanted != "auto":
        modes: dict[str, Mode] = {"root": "root", "userns": "userns", "loopback": "loopback"}
        result = probe(modes[wanted])
        if not result.works:
            raise NamespaceError(f"mode {wanted} does not work here: {result.reason}")
        return modes[wanted], [result.reason] if result.reason else []
    lines: list[str] = []
    candidates: tuple[Mode, ...] = ("root", "userns") if os.geteuid() == 0 else ("userns",)
    for mode in candidates:
        result = probe(mode)
        if result.works:
            return mode, lines
        lines.append(f"mode {mode} does not work here: {result.reason}")
    return "loopback", [*lines, LOOPBACK_LACKS]


def check_lines() -> list[str]:
    """For `lab check`: each mode, works or why not, and what nft adds."""
    lines = []
    for mode in ("root", "userns", "loopback"):
        result = probe(mode)
        lines.append(f"{mode}: {'works' if result.works else 'no'}  {result.reason}".rstrip())
    if shutil.which("nft") is None:
        lines.append("nft: missing (apt install nftables): devices would share one MAC address")
    else:
        lines.append("nft: found; whether the kernel rewrites MAC addresses: " + _try_nft())
    return lines


def _try_nft() -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "yes"
        try:
            make_namespaces(user=os.geteuid() != 0)
            ip_batch(["link add vl0 type veth peer name vs0"])
            rule = "chain c { type filter hook egress device vl0 priority 0; ether saddr set 02:00:00:00:00:01; }"
            text = nft_load(f"table netdev t {{\n{rule}\n}}") or "yes"
        except (NamespaceError, OSError) as error:
            text = f"not tried ({error})"
        os.write(writer, text.replace("\n", " ").encode()[:300])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read().decode()
    os.waitpid(child, 0)
    return answer
