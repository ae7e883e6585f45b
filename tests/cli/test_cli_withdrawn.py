"""Assessing an old run again says which of its findings rested on entries withdrawn since."""

from __future__ import annotations

from msgspec.structs import replace

from camscan import assessments, knowledge
from camscan.cli import assess as assess_command
from camscan.cli import explain as explain_command
from camscan.cli.main import run
from camscan.model.product import Withdrawn


def _without(known, identifier):
    """Knowledge in which one signature was withdrawn."""
    entry = Withdrawn(
        id=identifier,
        date="2026-11-25",
        reason="matched routers too",
        source="s",
        as_of="2026-11-25",
    )
    return replace(
        known,
        content_hash="0" * 64,
        signatures=tuple(s for s in known.signatures if s.id != identifier),
        withdrawn={identifier: entry},
    )


def test_the_findings_of_the_earlier_assessment_are_named(judged, monkeypatch, capsys):
    earlier = assessments.read(judged)
    finding = next(f for f in earlier.findings if f.id == "vendor-group-cn@10.9.0.7")
    ids = {e.signature for c in finding.claims for e in c.evidence}
    identifier = next(s.id for s in knowledge.load().signatures if s.id in ids)
    known = _without(knowledge.load(), identifier)
    monkeypatch.setattr(assess_command, "read_knowledge", lambda _: known)
    monkeypatch.setattr(explain_command, "read_knowledge", lambda _: known)
    capsys.readouterr()
    assert run(["explain", str(judged), finding.id]) == 0
    assert "withdrawn 2026-11-25: matched routers too" in capsys.readouterr().out
    assert run(["assess", str(judged)]) == 0
    err = capsys.readouterr().err
    assert f"earlier finding {finding.id} rested on {identifier}" in err
    assert "withdrawn 2026-11-25: matched routers too" in err
    # the newest assessment no longer rests on it, so the next one has nothing to say
    assert run(["assess", str(judged)]) == 0
    assert "rested on" not in capsys.readouterr().err


def test_nothing_is_said_where_nothing_was_withdrawn(judged, capsys):
    capsys.readouterr()
    assert run(["assess", str(judged)]) == 0
    assert "rested on" not in capsys.readouterr().err
