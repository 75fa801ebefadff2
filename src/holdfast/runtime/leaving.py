"""How a life is left that has failed: in whatever order can still be had."""

from __future__ import annotations

import logging

from ..model.errors import Fenced, TradingError
from .live import LiveSession

_log = logging.getLogger("holdfast.session")


def take_entries_back(live: LiveSession, error: BaseException) -> None:
    """Ask the venue for every entry back, if the account is still ours."""
    if not live.is_closed and not isinstance(error, Fenced):
        live.cancel_at_venue()


async def closed(live: LiveSession) -> None:
    """Close a life, whatever becomes of it: its end has to be put on record."""
    try:
        await live.close()
    except (TradingError, OSError) as error:
        _log.warning("the session could not be left in order: %s", error)
    except Exception:  # noqa: BLE001 - it must not end without a word
        _log.exception("the session could not be left in order")
