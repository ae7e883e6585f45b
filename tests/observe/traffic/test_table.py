"""Columns of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from camscan.observe.traffic.table import distinct


@pytest.mark.parametrize("numbers", [[], [7], [3, 1, 3, 2**64 - 1, 0, 1]])
def test_each_number_is_there_once_and_in_order(numbers):
    assert distinct(np.array(numbers, np.uint64)).tolist() == sorted(set(numbers))
