"""The fast way prints what the long way prints, byte for byte."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from camscan import knowledge
from camscan.decode.registry import decode
from camscan.errors import DecodeError
from camscan.identify.devices import Identifier
from camscan.identify.naming import Namer
from camscan.knowledge_lint import sample_observation
from camscan.model.identity import identity
from camscan.model.observation import Kind, Observation

KNOWN = knowledge.load()
IDENTIFIER = Identifier(KNOWN)
NAMER = Namer(IDENTIFIER)
MATCHER = IDENTIFIER.matcher


def slow(name, observations):
    """With a matcher that remembers nothing."""
    return msgspec.json.encode(identity(Identifier(KNOWN).device(name, observations)))


def samples():
    """Every answer that stands beside a shipped signature: positive ones and near misses."""
    return [
        replace(sample_observation(signature, sample), flags=(), id=f"{n}")
        for n, (signature, sample) in enumerate(
            (s, x) for s in KNOWN.signatures for x in (*s.sample, *s.near_miss)
        )
    ]


SAMPLES = samples()
LONG = Identifier(KNOWN)


def same(name, observations):
    """Twice, so that the second line comes from memory."""
    wanted = msgspec.json.encode(identity(LONG.device(name, observations)))
    assert NAMER.line(name, observations) == wanted
    assert NAMER.line(name, observations) == wanted
    return wanted


def test_every_sample_of_every_signature_alone():
    assert len(SAMPLES) > 500
    named = [same(f"d{n}", [one]) for n, one in enumerate(SAMPLES)]
    assert sum(b'"maker":"' in line for line in named) > 200, "the samples do name makers"


def test_samples_together_conflicts_included():
    lines = [same("d", SAMPLES[n : n + 4]) for n in range(0, len(SAMPLES), 3)]
    assert any(b'"conflicts":["' in line for line in lines)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SAMPLES),
            st.sampled_from(["", "44:19:b6:00:00:01", "9c:8e:cd:11:22:33", "02:00:00:00:00:01"]),
            st.sampled_from([(), ("fragment",), ("auth",)]),
            st.sampled_from(["7", "8", "a", '"\u0416\n', "0001-scan:3"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_mixture(parts):
    """Layer-2 sources, fragments, shared record ids and canary answers among them."""
    same(
        'name "Ж"',
        [
            replace(one, mac=mac or None, flags=flags, id=ident, canary=canary and n == 0)
            for n, (one, mac, flags, ident, canary) in enumerate(parts)
        ],
    )


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=15, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes(kind, data):
    same("d", [Observation(id="1", device_id="d", kind=kind, response=data, port=80)])


def test_the_value_is_the_line():
    found = NAMER.identity("d", SAMPLES[:3])
    assert msgspec.json.encode(found) == slow("d", SAMPLES[:3])


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_fields_nobody_asks_for_change_none_that_somebody_does(data):
    """Every decoder, of whole answers and broken ones."""
    for kind in Kind:
        asked = MATCHER.asked(kind)
        mine = [s.response for s in SAMPLES if s.kind is kind] or [b""]
        response = data.draw(st.sampled_from(mine))
        cut = data.draw(st.integers(0, len(response)))
        for whole in (response, response[:cut] + data.draw(st.binary(max_size=3)) + response[cut:]):
            seen = Observation(id="1", device_id="d", kind=kind, response=whole, port=80)
            assert found(seen, asked) == {k: v for k, v in found(seen, None).items() if k in asked}


def found(seen, wanted):
    try:
        return {k: v for k, v in decode(seen, wanted).items() if wanted is None or k in wanted}
    except DecodeError:
        return {}
