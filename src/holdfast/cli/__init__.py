"""Floor 5: the command line. One file for each group of commands; `COMMANDS` lists them all."""

from __future__ import annotations

from .entry import main

__all__ = ["main"]
