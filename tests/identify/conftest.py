"""Fixtures of the identify tests; the small market itself is in conftest_identify."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from conftest_identify import build

from camscan.model.knowledge import Knowledge


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return build()
