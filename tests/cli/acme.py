"""A venue as somebody adds one: this file, and one line in VENUES."""

from __future__ import annotations

from holdfast.venues import PaperSettings, PaperVenue, Wiring


class AcmeVenue(PaperVenue):
    """An exchange with books of its own."""

    name = "acme"


def open_venue(wiring: Wiring) -> AcmeVenue:
    folder = wiring.config.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    return AcmeVenue(
        path=folder / "acme.db",
        instruments=list(wiring.instruments()),
        clock=wiring.clock,
        settings=PaperSettings(initial_balance=wiring.config.initial_balance),
    )
