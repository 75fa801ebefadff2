"""How much memory a process holds, and held at most; `getrusage` counts who started it too."""

from __future__ import annotations

from pathlib import Path

_KB_PER_MB = 1024


def peak_mb() -> float:
    """Return the most that was held."""
    return _mb("VmHWM:")


def now_mb() -> float:
    """Return what is held now."""
    return _mb("VmRSS:")


def mb_of(pid: int) -> float:
    """Return what another process holds now."""
    return _mb("VmRSS:", str(pid))


def _mb(name: str, process: str = "self") -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / _KB_PER_MB
