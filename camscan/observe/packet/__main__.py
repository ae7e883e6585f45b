"""The packet helper as a process of its own: how does it start?"""

from __future__ import annotations

import os
import signal
import sys

from camscan.observe.packet.server import main

if __name__ == "__main__":
    # Ctrl-C and the end of a service reach the whole group: who started us decides, and closes our socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = main()
    sys.stderr.flush()
    os._exit(code)  # threads that still wait for packets must not hold the process
