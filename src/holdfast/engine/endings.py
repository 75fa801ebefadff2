"""Why nothing is opened in a contract: the venue takes no orders, or is about to settle it."""

from __future__ import annotations

from ..model.instrument import NOT_SET_UP, UNLISTED, Instrument


def halted(instrument: Instrument) -> str:
    """Say that a contract takes no new orders, and what the venue calls that."""
    if instrument.status == UNLISTED:
        return f"{instrument.symbol} is not listed at the venue any more"
    if instrument.status == NOT_SET_UP:
        return (
            f"{instrument.symbol} trades at the venue, and its margin mode and leverage could not "
            "be set, as the log says: it can be closed, and is not opened in before they are"
        )
    return f"{instrument.symbol} takes no new orders at the venue: it is {instrument.status}"


def ending(instrument: Instrument) -> str:
    """Say when the venue settles a contract."""
    return f"{instrument.symbol} is settled by the venue at {instrument.delivery_time}"


def shut(instrument: Instrument, now: int, notice_ns: int) -> str:
    """Say why nothing is opened in a contract; "" where something may be.

    Args:
        notice_ns: how long before its end that begins.
    """
    if not instrument.is_trading:
        return halted(instrument)
    return ending(instrument) if instrument.is_ending(now, notice_ns) else ""
