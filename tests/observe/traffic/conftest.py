"""Both forms of the steps that go packet by packet: compiled, and numpy."""

from __future__ import annotations

import pytest

from camscan.observe.traffic import steps


@pytest.fixture(scope="module", params=["compiled", "numpy"])
def each_form(request):
    """The tests of a module that uses this run once with each form."""
    if request.param == "compiled" and steps.compiled is None:
        pytest.skip("steps.c was not compiled when the project was installed")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "numpy":
            patch.setattr(steps, "compiled", None)
        yield request.param
