"""The command line with a journal that is kept in memory: what the real one costs an order."""

from __future__ import annotations

import sys

from holdfast.cli import main
from holdfast.journal import JOURNALS, MemoryJournal

JOURNALS["sqlite"] = (lambda *_: MemoryJournal(), JOURNALS["sqlite"][1])

if __name__ == "__main__":
    sys.exit(main())
