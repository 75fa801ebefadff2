"""What the exchange does of itself because it was ordered: looked at every second, and counted.

A rule's `on` is compared with a position, written `ACCOUNT SYMBOL SIDE`, for funding with the
symbol, and with "" for what befalls all connections.
"""

from __future__ import annotations

from collections.abc import Callable

from ..exchange import Position
from ..model.values import NS_PER_S, Symbol, to_decimal
from .faults import Kind
from .venue import Venue

LOOK_EVERY_NS = NS_PER_S
USUAL_RATE = 0.0001


class Forced:
    """Call `look` a few times a second.

    `refuse` is told for how many milliseconds nothing is to listen, `close_sockets` closes every
    socket.
    """

    def __init__(
        self, venue: Venue, refuse: Callable[[int], None], close_sockets: Callable[[], None]
    ) -> None:
        self._venue = venue
        self._refuse = refuse
        self._close_sockets = close_sockets
        self._looked_ts = 0

    def look(self) -> None:
        """Do what strikes now."""
        venue, now = self._venue, self._venue.now()
        if venue.faults.is_quiet or now - self._looked_ts < LOOK_EVERY_NS:
            return
        self._looked_ts = now
        for key in venue.keys.all():
            for position in venue.exchange.held(key.account):
                self._befall(position, now)
        for symbol in venue.tapes:
            rule = venue.faults.draw(Kind.FUNDING, symbol, now)
            if rule is not None:
                self.fund(symbol, rule.rate)
        if venue.faults.draw(Kind.LIFETIME_OVER, "", now) is not None:
            self.close_sockets()
        rule = venue.faults.draw(Kind.REFUSE_CONNECTIONS, "", now)
        if rule is not None:
            self.refuse(rule.delay_ms)

    def _befall(self, position: Position, now: int) -> None:
        faults, venue = self._venue.faults, self._venue
        account, symbol, side = position.account, position.symbol, position.side
        place = f"{account} {symbol} {side.value}"
        if faults.draw(Kind.LIQUIDATION, place, now) is not None:
            venue.force_liquidation(account, symbol, side)
            return
        rule = faults.draw(Kind.ADL, place, now)
        if rule is not None and position.qty:
            tape = venue.tapes[symbol]
            qty = tape.instrument.round_qty(abs(position.qty) * to_decimal(rule.part))
            venue.force_adl(account, symbol, side, max(qty, tape.instrument.lot))

    def fund(self, symbol: Symbol, rate: float | None) -> int:
        """Let funding fall due; returns how many positions paid or got."""
        mark = self._venue.tapes[symbol].mark
        if rate is None:
            rate = mark.funding_rate if mark is not None else None
        return self._venue.force_funding(symbol, USUAL_RATE if rate is None else rate)

    def refuse(self, delay_ms: int) -> None:
        """Let nothing listen for a while."""
        self._refuse(delay_ms)

    def close_sockets(self) -> None:
        """Close every socket, as after 24 hours."""
        self._close_sockets()
