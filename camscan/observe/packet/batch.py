"""How do thousands of patched packets reach the kernel with few system calls? (sendmmsg(2))"""

from __future__ import annotations

import ctypes
import errno
import socket

SLOTS = 64


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("sent", ctypes.c_uint))


_libc = ctypes.CDLL(None, use_errno=True)
_RETRY = {errno.EAGAIN, errno.ENOBUFS, errno.EINTR}


class Batch:
    """SLOTS copies of a template in one buffer, and one destination address for each.

    `view` is written by the sweep at `slot * size`; `names` holds SLOTS sockaddr of
    `name_size` bytes where the socket is not bound to a destination.
    """

    def __init__(self, sock: socket.socket, template: bytes, name_size: int = 0) -> None:
        self.size = len(template)
        self.name_size = name_size
        self._sock = sock
        self._packets = ctypes.create_string_buffer(template * SLOTS, self.size * SLOTS)
        self._names = ctypes.create_string_buffer(max(1, name_size * SLOTS))
        self.view = memoryview(self._packets).cast("B")
        self.names = memoryview(self._names).cast("B")
        self._vectors = (_Iovec * SLOTS)()
        self._headers = (_Mmsghdr * SLOTS)()
        for slot in range(SLOTS):
            self._vectors[slot].base = ctypes.addressof(self._packets) + slot * self.size
            self._vectors[slot].length = self.size
            header = self._headers[slot].header
            header.iov = ctypes.pointer(self._vectors[slot])
            header.iov_length = 1
            if name_size:
                header.name = ctypes.addressof(self._names) + slot * name_size
                header.name_length = name_size

    def send(self, first: int, count: int) -> tuple[int, int]:
        """Send slots first..first+count-1: how many left, and an errno (0 = all).

        EAGAIN, ENOBUFS and EINTR come back as a short count with that errno: the caller waits.
        """
        done = 0
        while done < count:
            sent = _libc.sendmmsg(
                self._sock.fileno(),
                ctypes.byref(self._headers, (first + done) * ctypes.sizeof(_Mmsghdr)),
                count - done,
                socket.MSG_DONTWAIT,
            )
            if sent < 0:
                return done, ctypes.get_errno()
            done += sent
        return done, 0


def is_full(code: int) -> bool:
    """Whether the kernel asked to wait (its queue is full), rather than refused."""
    return code in _RETRY
