"""What a refusal becomes for the caller: the error that says who must act, and when."""

from __future__ import annotations

from ..engine.risk.link import NAME as LINK
from ..engine.risk.margin import NAME as MARGIN
from ..engine.risk.message_throttle import NAME as THROTTLE
from ..model import events as ev
from ..model.errors import (
    InsufficientBalanceError,
    NetworkError,
    RateLimitError,
    RiskDenied,
    TradingError,
    VenueError,
    VenueRefused,
    VenueUnavailable,
)
from ..model.settings import RiskLimits
from ..model.values import NS_PER_S, ZERO
from ..ports import NO_ROOM, NOT_CONNECTED, NOT_SENT, Limited, Venue

INSUFFICIENT_MARGIN = (-2018, -2019, -4050, -4051)

RETRY_AFTER_S = {-1003: 60.0, -1008: 1.0, -1015: 10.0}
"""When to come again, by the venue's code, where it did not say: it counts requests by the minute
and orders in ten seconds; overload passes sooner."""

NO_ROOM_S = 10.0

TOO_MANY, NOT_DONE = ("HTTP 418", "HTTP 429"), ("HTTP 403", "HTTP 503")
"""How the reason begins where a page, or nothing, stood in the place of the venue's own code: what
it has not understood may come again.
"""


def denial_error(denied: ev.OrderDenied, limits: RiskLimits) -> TradingError:
    """Turn a denial of our own into the error that says who must act.

    An order that the account's margin does not cover is short of balance whichever rule spoke
    first; one that came too fast, or while nobody tells us of our orders, may come again.
    """
    text = f"{denied.rule}: {denied.reason}"
    margins = [v.value for v in denied.verdicts if v.rule == MARGIN and v.value is not None]
    if any(free < ZERO for free in margins):
        return InsufficientBalanceError(text)
    if denied.rule == THROTTLE:
        return RateLimitError(text, retry_after=float(limits.message_window_s))
    if denied.rule == LINK:
        return NetworkError(text)
    return RiskDenied(text)


def room_in_s(venue: Venue, now: int) -> float:
    """Return how long a venue lets no order leave, by what it was told; 0 where it may be tried."""
    return (venue.order_room_at(now) - now) / NS_PER_S if isinstance(venue, Limited) else 0.0


def venue_error(reason: str, code: int | None, room_s: float = 0.0) -> VenueError:
    """Turn what became of a request at the venue, or on the road to it, into an error.

    Args:
        code: the venue's own; None where it said nothing.
        room_s: how long no order may leave by the venue's own word; 0 where it gave none.
    """
    if code in INSUFFICIENT_MARGIN:
        return InsufficientBalanceError(reason, code=code)
    if code in RETRY_AFTER_S:
        return RateLimitError(reason, retry_after=room_s or RETRY_AFTER_S[code], code=code)
    if reason == NO_ROOM:
        return RateLimitError(reason, retry_after=room_s or NO_ROOM_S)
    if reason.startswith(TOO_MANY):
        return RateLimitError(reason, retry_after=room_s or RETRY_AFTER_S[-1003])
    if reason.startswith(NOT_DONE):
        return VenueUnavailable(reason)
    if reason.startswith(NOT_CONNECTED):
        return NetworkError(reason)
    if reason.startswith(NOT_SENT):
        return VenueUnavailable(reason)
    return VenueRefused(reason, code=code)
