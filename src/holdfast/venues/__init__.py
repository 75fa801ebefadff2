"""Floor 3: adapters to exchanges, and the one dict through which a session opens one.

To add a venue, write one module (or package) here whose class keeps the promises of
`ports.Venue`, with a function `open_venue(wiring)` that makes it, and add one line to `VENUES`.
A venue that can't do something says so in its `capabilities`; nobody asks it by name.
"""

from __future__ import annotations

from .examiners import EXAMINERS
from .findings import Area, Examiner, Finding, Health
from .paper import PaperSettings, PaperVenue
from .paper_account import newest_epoch, open_paper, open_symbols, paper_path
from .paper_faults import Fault, Faults
from .wiring import Opener, Wiring, later

PAPER = "paper"
"""The venue that moves no money: what a dry run trades at, and who names none."""

VENUES: dict[str, Opener] = {
    PAPER: open_paper,
    "binance_futures": later("binance_futures.opening"),
}
"""By the name that the setting `venue` gives."""

__all__ = [
    "EXAMINERS",
    "PAPER",
    "VENUES",
    "Area",
    "Examiner",
    "Fault",
    "Faults",
    "Finding",
    "Health",
    "Opener",
    "PaperSettings",
    "PaperVenue",
    "Wiring",
    "later",
    "newest_epoch",
    "open_paper",
    "open_symbols",
    "paper_path",
]
