"""The packet helper as a process of its own: how does it start?"""

from __future__ import annotations

import os
import sys

from camscan.observe.packet.server import main

if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # threads that still wait for packets must not hold the process
