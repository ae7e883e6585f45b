"""What do the tests of the commands start from? A file of answers, and a run made of it by `ingest`."""

from __future__ import annotations

import shutil

import pytest
from recorded_answers import ANSWERS

from camscan.cli.main import run


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.ndjson"
    path.write_text("".join(ANSWERS))
    return path


@pytest.fixture(scope="session")
def _built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    path = folder / "answers.ndjson"
    path.write_text("".join(ANSWERS))
    assert run(["ingest", str(folder / "RUN"), str(path)]) == 0
    return folder / "RUN"


@pytest.fixture
def judged(_built, tmp_path):
    """A copy of a sealed and assessed run, free to be spoilt."""
    return shutil.copytree(_built, tmp_path / "RUN")
