"""The bounded memory: it forgets, it never mixes, it keeps what is used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from camscan.decode.recent import Recent


def test_what_was_put_is_found_until_the_room_is_used():
    memory = Recent(room=1000)
    memory.put("a", 1, 100)
    assert (memory.get("a"), memory.get("b")) == (1, None)
    for n in range(20):
        memory.put(n, n, 100)
    assert memory.get("a") is None
    assert memory.get(19) == 19


def test_what_is_used_survives():
    memory = Recent(room=1000)
    memory.put("often", 1, 10)
    for n in range(200):
        memory.put(n, n, 100)
        assert memory.get("often") == 1


def test_entries_are_bounded_too():
    memory = Recent(room=1 << 30, entries=10)
    for n in range(100):
        memory.put(n, n, 1)
    assert sum(memory.get(n) is not None for n in range(100)) <= 10


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 400))))
def test_a_key_gives_its_own_value_or_nothing(steps):
    memory = Recent(room=1000, entries=8)
    for key, weight in steps:
        assert memory.get(key) in (None, key * 7)
        memory.put(key, key * 7, weight)
        assert memory.get(key) == key * 7
