"""Where is the checkout, and where is a program that a test needs? No test in here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def program(name: str) -> str | None:
    """Path of a program, /usr/sbin included (it is not on every user's PATH)."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
