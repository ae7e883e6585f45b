"""Runs inside the city: a scan that gets a signal in the middle, then what follows. Not a test.

Arguments: signal number, run folder, command of the scan. Writes one JSON object to stdout.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    number, folder, command = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    journal = folder / "intakes" / "0001-scan" / "observations.ndjson"
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while first.poll() is None and time.monotonic() < until:
        if journal.exists() and journal.read_bytes().count(b'"job":"http') >= 4:
            break
        time.sleep(0.01)
    running = first.poll() is None
    first.send_signal(number)
    _, err = first.communicate(timeout=30)
    kept = journal.read_bytes()
    shutil.copytree(folder, folder.parent / "interrupted")
    with journal.open("ab") as file:
        file.write(b'{"kind":"http","device_id":"10.20.')  # what a power cut leaves
    camscan = command[: command.index("scan")]
    partial = subprocess.run(
        [*camscan, "assess", str(folder), "--json"], capture_output=True, text=True, check=False
    )
    second = subprocess.run(
        [*camscan, "scan", "--resume", "-o", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(
        json.dumps(
            {
                "running": running,
                "code": first.returncode,
                "err": err,
                "kept": kept.decode(),
                "partial": partial.returncode,
                "partial_devices": len(json.loads(partial.stdout)["devices"])
                if partial.returncode == 0
                else partial.stderr,
                "resumed": second.returncode,
                "resumed_err": second.stderr,
            }
        )
    )


main()
