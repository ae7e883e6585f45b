"""Compiles `camscan/observe/traffic/steps.c` when the project is installed, where there is a C compiler.

Without one the project is installed all the same, and reads captures with numpy alone (`camscan doctor` says so).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zlib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path("camscan/observe/traffic/steps.c")
LIBRARY = SOURCE.with_name("_steps.so")
_FLAGS = ("-O3", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-fstack-protector-strong")


def compiler() -> str | None:
    """The C compiler that CC names, or the system's; there is none that this knows on Windows."""
    if sys.platform == "win32":
        return None
    named = os.environ.get("CC", "")
    return next((p for name in (named, "cc", "gcc", "clang") if (p := shutil.which(name))), None)


def compiled(root: Path, *, flags: tuple[str, ...] = _FLAGS, to: Path = LIBRARY) -> str:
    """Compile into `to`; why not, or empty where it is done."""
    program = compiler()
    if program is None:
        return "no C compiler found"
    source, target = root / SOURCE, root / to
    digest = f"{zlib.crc32(source.read_bytes()):08x}"
    # Renamed when it is whole: an older one may be in use.
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    command = [program, *flags, f'-DSOURCE="{digest}"', str(source), "-o", str(unfinished)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        return done.stderr.strip() or f"{program} failed"
    unfinished.replace(target)
    return ""


class CompileSteps(BuildHookInterface[Any]):
    """Named by `[tool.hatch.build.hooks.custom]`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is put together; of an editable install the library stays in the checkout."""
        del version
        if self.target_name != "wheel":
            return
        problem = compiled(Path(self.root))
        if problem:
            self.app.display_warning(f"steps.c is not compiled: {problem}")
            return
        build_data["artifacts"].append(str(LIBRARY))
        build_data["pure_python"] = False
        # No part of Python's own interface is used: every Python 3 of this platform may load it.
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{tag}"
