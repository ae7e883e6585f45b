"""The JSON Schemas in docs/schema are what this version of the types says."""

from __future__ import annotations

import json

import jsonschema
import pytest
from programs import ROOT

from camscan.cli.main import run as camscan

NAMES = sorted(p.stem for p in (ROOT / "docs" / "schema").glob("*.json"))


def test_there_is_one_for_every_format(capsys):
    assert camscan(["schema"]) == 0
    assert sorted(capsys.readouterr().out.split()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_current_and_valid(name, capsys):
    assert camscan(["schema", name]) == 0
    printed = capsys.readouterr().out
    jsonschema.Draft202012Validator.check_schema(json.loads(printed))
    stored = (ROOT / "docs" / "schema" / f"{name}.json").read_text(encoding="utf-8")
    assert printed == stored, f"camscan schema {name} > docs/schema/{name}.json"
