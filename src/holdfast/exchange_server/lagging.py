"""What answers about an account were a while ago, for the fault `read_lag`.

While that fault is in force, and only then, answers are kept whenever an account's books have
moved; who asks too early is given the ones of before. Trades and orders lag by their own times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ..model.values import NS_PER_MS, AccountId
from .archive import Past
from .faults import Kind
from .methods import Handler, Place, RequestContext
from .params import Params
from .venue import Venue

PAST_KEPT = 500
"""How many past answers are kept of one account: a longer lag is as long as they reach."""

ALL = ""
"""What answers about all symbols are kept under, among those about one."""


def look(venue: Venue, handlers: Mapping[Place, Handler]) -> None:
    """Keep the present answers of accounts whose books have moved. Call it after each move."""
    if venue.faults.is_quiet or not venue.faults.delay_ns(Kind.READ_LAG):
        venue.past.clear()
        return
    for account in {key.account: None for key in venue.keys.all()}:
        past = venue.past.setdefault(account, deque(maxlen=PAST_KEPT))
        moves = venue.archive.of(account).moves
        if not past or past[-1].moves != moves:
            ctx = RequestContext(venue, account, venue.now(), is_truth=True)
            answers = {
                (place, symbol): handler(ctx, _params(symbol))
                for place, handler in handlers.items()
                for symbol in (ALL, *venue.tapes)
            }
            past.append(Past(ctx.now, moves, answers))


def _params(symbol: str) -> Params:
    return Params({} if symbol == ALL else {"symbol": symbol})


def late(place: Place, handler: Handler) -> Handler:
    """Return a handler whose answers lag where that was ordered."""

    def answer(ctx: RequestContext, params: Params) -> object:
        then = _then(ctx, place)
        if then is None:
            return handler(ctx, params)
        text = params.text("symbol")
        return then.answers[place, ALL if text is None else ctx.venue.tape(text).symbol]

    return answer


def _then(ctx: RequestContext, place: Place) -> Past | None:
    """Return the past that a read is given; None for the present."""
    past = ctx.venue.past.get(AccountId(ctx.account))
    if not past or ctx.is_truth:
        return None
    is_newest = past[-1].moves == ctx.venue.archive.of(ctx.account).moves
    age_ms = (ctx.now - past[-1].ts) // NS_PER_MS if is_newest else 0
    rule = ctx.venue.faults.draw(Kind.READ_LAG, " ".join(place), ctx.now, age_ms)
    if rule is None:
        return None
    then = ctx.now - rule.delay_ms * NS_PER_MS
    return next((each for each in reversed(past) if each.ts <= then), past[0])
