"""Which packets does the kernel hand to a sweep? Classic BPF programs (linux/filter.h).

Sweep sockets are SOCK_DGRAM: offsets count from the network header, whatever the link.
"""

from __future__ import annotations

import ctypes
import socket
import struct

Instruction = tuple[int, int, int, int]
Program = tuple[Instruction, ...]

_SO_ATTACH_FILTER = 26
_LDH, _LDB, _LDXB_IHL = 0x28, 0x30, 0xB1  # ldxb 4*([k]&0xf)
_LDH_X, _LDB_X = 0x48, 0x50
_JEQ, _JSET, _RET = 0x15, 0x45, 0x06
_KEEP = 512

NOTHING: Program = ((_RET, 0, 0, 0),)

ARP_REPLIES: Program = (
    (_LDH, 0, 0, 6),  # operation
    (_JEQ, 0, 1, 2),  # is-at
    (_RET, 0, 0, _KEEP),
    (_RET, 0, 0, 0),
)

ADVERTISEMENTS: Program = (
    (_LDB, 0, 0, 6),  # next header: ICMPv6 without extension headers, as RFC 4861 sends it
    (_JEQ, 0, 3, 58),
    (_LDB, 0, 0, 40),
    (_JEQ, 0, 1, 136),  # neighbour advertisement
    (_RET, 0, 0, _KEEP),
    (_RET, 0, 0, 0),
)


def tcp_answers(port: int) -> Program:
    """IPv4 TCP to `port` with SYN or RST set, and ICMP destination unreachable."""
    return (
        (_LDB, 0, 0, 9),
        (_JEQ, 0, 8, 6),
        (_LDH, 0, 0, 6),
        (_JSET, 11, 0, 0x1FFF),  # a later fragment has no TCP header
        (_LDXB_IHL, 0, 0, 0),
        (_LDH_X, 0, 0, 2),
        (_JEQ, 0, 8, port),
        (_LDB_X, 0, 0, 13),
        (_JSET, 0, 6, 0x06),  # SYN | RST
        (_RET, 0, 0, _KEEP),
        (_JEQ, 0, 4, 1),
        (_LDXB_IHL, 0, 0, 0),
        (_LDB_X, 0, 0, 0),
        (_JEQ, 0, 1, 3),  # destination unreachable
        (_RET, 0, 0, _KEEP),
        (_RET, 0, 0, 0),
    )


def tcp6_answers(port: int) -> Program:
    """IPv6 TCP to `port` with SYN or RST set, and ICMPv6 destination unreachable."""
    return (
        (_LDB, 0, 0, 6),
        (_JEQ, 0, 5, 6),
        (_LDH, 0, 0, 42),
        (_JEQ, 0, 7, port),
        (_LDB, 0, 0, 53),
        (_JSET, 0, 5, 0x06),
        (_RET, 0, 0, _KEEP),
        (_JEQ, 0, 3, 58),
        (_LDB, 0, 0, 40),
        (_JEQ, 0, 1, 1),
        (_RET, 0, 0, _KEEP),
        (_RET, 0, 0, 0),
    )


def attach(sock: socket.socket, program: Program) -> None:
    """Give the kernel the filter; what was queued before is thrown away."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    keep = ctypes.create_string_buffer(code)
    header = struct.pack("@HP", len(program), ctypes.addressof(keep))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
    drain(sock)


def drain(sock: socket.socket) -> None:
    while True:
        try:
            sock.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:  # the interface went down: nothing is queued either
            return
