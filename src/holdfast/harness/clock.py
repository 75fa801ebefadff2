"""Set the clock of one process alone: a small library between it and the C library.

The library is built when it is needed, with the machine's C compiler. Without one there are no
jumps of the engine's clock, and whoever asks for them is told.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_shim.c")
BUILD_S = 60.0
_OFFSET = struct.Struct("=q")


def build_shim(folder: Path) -> Path | None:
    """Return the library; None where there is no compiler, or it does not build."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    made = folder / "clock_shim.so"
    words = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"]
    done = subprocess.run(words, capture_output=True, timeout=BUILD_S, check=False)  # noqa: S603
    return made if done.returncode == 0 else None


class MachineClock:
    """By how much a process's clock is off; the process follows the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset_ns = 0
        self.set(0)

    def set(self, offset_ns: int) -> None:
        """Let the clock jump to this distance from the true one."""
        self.offset_ns = offset_ns
        # In place: whoever has the file mapped must go on seeing this one.
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(_OFFSET.pack(offset_ns))
