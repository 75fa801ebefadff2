"""Execution algorithms. To add one: write one file here and add one line to `ALGOS`."""

from __future__ import annotations

from . import bracket, direct
from .base import STARTED, Action, Algo, Cause, SendChild, WakeIn

__all__ = ["ALGOS", "STARTED", "Action", "Algo", "Cause", "SendChild", "WakeIn"]

ALGOS: dict[str, Algo] = {
    "direct": direct.react,
    "bracket": bracket.react,
}
