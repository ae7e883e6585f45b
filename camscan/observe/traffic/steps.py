"""Are the steps of reading a capture that go packet by packet there in compiled form, and how are they called?

`steps.c` is compiled when the project is installed where a C compiler is found. Each step has a numpy form, which
says what it answers and is used where there is no compiled one; the answers are the same (a test compares them).
"""

from __future__ import annotations

import ctypes
import os
import sys
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

LIBRARY = Path(__file__).with_name("_steps.so")
SOURCE = Path(__file__).with_name("steps.c")
SWITCH = "CAMSCAN_STEPS"
"""Set to `numpy`, this environment variable leaves the compiled form aside."""
_INT, _WORD, _REAL, _ANY = ctypes.c_int64, ctypes.c_int32, ctypes.c_double, ctypes.c_void_p

# In the order of the arguments in steps.c; what is counted or placed is 64 bits wide.
_ARGUMENTS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "camscan_records": (None, (_ANY, _INT, _WORD, _INT, _INT, *(_ANY,) * 6)),
    "camscan_blocks": (None, (_ANY, _INT, _WORD, _INT, _INT, *(_ANY,) * 6)),
    "camscan_record_fields": (
        None,
        (_ANY, _ANY, _INT, _WORD, _REAL, _INT, _ANY, _ANY, _ANY, _ANY),
    ),
    "camscan_plain": (_INT, (_ANY, _INT, _ANY, _ANY, _ANY, _ANY, _ANY, _ANY, _ANY)),
    "camscan_numbers": (
        _INT,
        (_ANY, _ANY, _INT, _ANY, _ANY, _ANY, _WORD, _INT, _INT, _ANY),
    ),
    "camscan_count": (None, (_ANY, _ANY, _ANY, _INT, _ANY, _ANY, _ANY, _ANY, _ANY)),
    "camscan_ports": (None, (_ANY, _INT, _ANY, _ANY, _ANY)),
    "camscan_leaves": (None, (_ANY, _INT, _ANY, _INT, _ANY)),
    "camscan_forms": (None, (_ANY, _INT, _INT, *(_ANY,) * 9)),
    "camscan_pick": (
        _INT,
        (_ANY, _INT, _ANY, _ANY, _ANY, _ANY, _ANY, _INT, _ANY, _ANY, _ANY, _ANY, _ANY),
    ),
}


def at(column: NDArray[Any]) -> int:
    """Where the bytes of a column begin; who calls keeps the column."""
    if not column.flags.c_contiguous:
        raise ValueError("a compiled step wants columns without gaps")
    return int(column.__array_interface__["data"][0])


def pointers(*columns: NDArray[Any]) -> ctypes.Array[ctypes.c_void_p]:
    """A structure of nothing but pointers."""
    return (ctypes.c_void_p * len(columns))(*(at(column) for column in columns))


def load(path: Path = LIBRARY) -> ctypes.CDLL | None:
    """The compiled steps; None where there are none, or those of another `steps.c` than lies here."""
    if os.environ.get(SWITCH) == "numpy" or sys.byteorder != "little" or not path.is_file():
        return None
    try:
        library = ctypes.CDLL(str(path))
        library.camscan_source.restype = ctypes.c_char_p
        if int(library.camscan_source(), 16) != zlib.crc32(SOURCE.read_bytes()):
            return None
        for name, (result, arguments) in _ARGUMENTS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError, ValueError):
        return None
    return library


compiled: Any = load()
"""Asked for each time a step is done; None = numpy does it."""
