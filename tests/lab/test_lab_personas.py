"""Are the personas valid, and does the lint find what is wrong?"""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.persona import PERSONAS, lint, load_personas

OWN = Path(__file__).parent / "personas"
GOOD = (OWN / "plain-camera.toml").read_text(encoding="utf-8")


def test_all_shipped_personas_are_valid():
    assert lint(PERSONAS) == []
    assert len(load_personas(PERSONAS)) >= 32


def test_every_answer_has_a_source():
    for persona in load_personas(PERSONAS).values():
        assert persona.sources, persona.id
        assert all(text.strip() for text in persona.sources.values()), persona.id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('mac = "c0:56:e3"', 'mac = "C056E3"', "3 to 5 octets"),
        ('mac = "c0:56:e3"', 'mac = "01:00:5e"', "group address"),
        ('id = "plain-camera"', 'id = "other"', "differs from the file name"),
        ('match_hex = "0102"', 'match_hex = "01x2"', "match_hex"),
        ('role = "camera"', 'role = "printer"', "is_camera is true"),
        ("port = 554", "port = 80", "given twice"),
        ('service = "sadp"', 'service = "sapd"', "unknown service"),
        ("{serial}\n", "{serail}\n", "unknown placeholder"),
        ('cloud = ["dev.hik-connect.com"]', 'cloud = ["x.y"]', "no [[phone_home]]"),
        ('[sources]\n"all" = "constructed for the tests of the lab"', "", "[sources] is empty"),
        ('about = "', 'abuot = "', "unknown field"),
        ('proto = "rtsp"', 'proto = "rstp"', "rstp"),
        ("port = 8000", "port = 70000", "not 1 to 65535"),
    ],
)
def test_lint_names_file_and_fault(tmp_path, old, new, message):
    assert old in GOOD
    (tmp_path / "plain-camera.toml").write_text(GOOD.replace(old, new), encoding="utf-8")
    found = lint(tmp_path)
    assert any(message in line and line.startswith("plain-camera.toml") for line in found), found


def test_the_product_never_imports_the_lab():
    root = Path(__file__).resolve().parents[2] / "camscan"
    for path in root.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line.strip().startswith(("import lab", "from lab")), path
