"""Floor 3: adapters to exchanges.

To add a venue, write one module (or package) here whose class keeps the promises of
`ports.Venue`, and add one line to `VENUES`. A venue that can't do something says so in its
`capabilities`; nobody asks it by name.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ports import Venue
from .paper import PaperSettings, PaperVenue
from .paper_faults import Fault, Faults

VENUES: dict[str, Callable[..., Venue]] = {
    "paper": PaperVenue,
}

__all__ = ["VENUES", "Fault", "Faults", "PaperSettings", "PaperVenue"]
