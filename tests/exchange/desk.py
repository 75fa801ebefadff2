"""A desk at the exchange: short words for orders and prices, and what was heard, in order."""

from __future__ import annotations

from decimal import Decimal

from holdfast.exchange import (
    Exchange,
    Liquidity,
    OrderKey,
    PositionSide,
    Refusal,
    SelfTrade,
    messages,
)
from holdfast.exchange.catalog import known_instrument
from holdfast.model.instrument import Instrument
from holdfast.model.market import Bar, BookDelta, BookSnapshot, Funding, MarkPrice, Quote, Trade
from holdfast.model.messages import ExecType, ExecutionReport
from holdfast.model.values import (
    MAIN,
    AccountId,
    ClOrdId,
    NewOrder,
    OrderType,
    Side,
    Symbol,
    plain,
)

BTC = Symbol("BTCUSDT")
ETH = Symbol("ETHUSDT")
S = 1_000_000_000
START = 1_700_000_000 * S
OTHER = AccountId("other")
BOTH, LONG, SHORT = PositionSide


def d(value: object) -> Decimal:
    return Decimal(str(value))


def instrument(symbol: Symbol = BTC) -> Instrument:
    found = known_instrument(symbol)
    assert found is not None
    return found


class Desk:
    def __init__(
        self,
        *instruments: Instrument,
        liquidity: Liquidity | None = None,
        balance: object = 10_000,
        leverage: int = 20,
    ):
        self.exchange = Exchange(
            instruments or (instrument(), instrument(ETH)),
            liquidity=liquidity or Liquidity(half_spread=Decimal(0)),
            default_leverage=leverage,
        )
        self.now = START
        self.outputs: list = []
        self.count = self.updates = 0
        for account in (MAIN, OTHER):
            self.exchange.deposit(account, d(balance), self.now)

    # orders

    def order(self, side, qty, price=None, *, kind=None, symbol=BTC, account=MAIN, **more):
        self.count += 1
        kind = kind or (OrderType.MARKET if price is None else OrderType.LIMIT)
        for name in ("trigger_price", "callback_rate", "activation_price"):
            if more.get(name) is not None:
                more[name] = d(more[name])
        return NewOrder(
            cl_ord_id=ClOrdId(more.pop("cl_ord_id", f"o{self.count}")),
            symbol=symbol,
            side=side,
            qty=d(qty),
            price=None if price is None else d(price),
            order_type=kind,
            account=account,
            **more,
        )

    def submit(self, order, self_trade=SelfTrade.EXPIRE_MAKER, position_side=BOTH):
        return self._hear(self.exchange.submit(order, self.now, self_trade, position_side))

    def buy(self, qty, price=None, *, position_side=BOTH, **more):
        order = self.order(Side.BUY, qty, price, **more)
        return self.submit(order, position_side=position_side)

    def sell(self, qty, price=None, *, position_side=BOTH, **more):
        order = self.order(Side.SELL, qty, price, **more)
        return self.submit(order, position_side=position_side)

    def cancel(self, cl_ord_id, *, symbol=BTC, account=MAIN, **more):
        key = OrderKey(account, symbol, ClOrdId(cl_ord_id))
        return self._hear(self.exchange.cancel(key, self.now, **more))

    def amend(self, cl_ord_id, qty, price, *, symbol=BTC, account=MAIN):
        key = OrderKey(account, symbol, ClOrdId(cl_ord_id))
        return self._hear(self.exchange.replace(key, d(qty), d(price), self.now))

    # the market

    def market(self, message):
        return self._hear(self.exchange.on_market(message, self.now))

    def trade(self, price, qty=1000.0, *, symbol=BTC):
        self.now += S
        return self.market(Trade(symbol=symbol, ts=self.now, price=float(price), qty=float(qty)))

    def quote(self, bid, ask, bid_qty=1000.0, ask_qty=1000.0, *, symbol=BTC):
        self.now += S
        return self.market(
            Quote(
                symbol=symbol,
                ts=self.now,
                bid=float(bid),
                bid_qty=float(bid_qty),
                ask=float(ask),
                ask_qty=float(ask_qty),
            )
        )

    def mark(self, price, *, symbol=BTC, rate=None, next_ts=None):
        self.now += S
        return self.market(
            MarkPrice(
                symbol=symbol,
                ts=self.now,
                mark_price=float(price),
                funding_rate=rate,
                next_funding_ts=next_ts,
            )
        )

    def book(self, bids, asks, *, symbol=BTC, update_id=0):
        self.now += S
        return self.market(
            BookSnapshot(
                symbol=symbol,
                ts=self.now,
                bids=tuple((float(p), float(q)) for p, q in bids),
                asks=tuple((float(p), float(q)) for p, q in asks),
                last_update_id=update_id,
            )
        )

    def delta(self, bids=(), asks=(), *, symbol=BTC, ids=(0, 0, 0)):
        self.now += S
        first, final, previous = ids
        return self.market(
            BookDelta(
                symbol=symbol,
                ts=self.now,
                first_id=first,
                final_id=final,
                previous_id=previous,
                bids=tuple((float(p), float(q)) for p, q in bids),
                asks=tuple((float(p), float(q)) for p, q in asks),
            )
        )

    def bar(self, o, h, l, c, *, volume=1000.0, symbol=BTC, timeframe="1m"):
        self.now += 60 * S
        return self.market(
            Bar(
                symbol=symbol,
                timeframe=timeframe,
                open_ts=self.now - 60 * S,
                ts=self.now,
                open=float(o),
                high=float(h),
                low=float(l),
                close=float(c),
                volume=float(volume),
            )
        )

    def funding(self, rate, *, symbol=BTC):
        self.now += S
        return self.market(Funding(symbol=symbol, ts=self.now, rate=rate))

    # modes

    def hedge(self, account=MAIN):
        assert self.exchange.set_position_mode(account, is_hedged=True) is None

    def isolate(self, symbol=BTC, account=MAIN, *, is_isolated=True):
        exchange = self.exchange
        return self.settled(
            exchange.set_margin_type(account, symbol, self.now, is_isolated=is_isolated)
        )

    def move_margin(self, amount, *, symbol=BTC, side=BOTH, account=MAIN):
        return self.settled(self.exchange.move_margin(account, symbol, side, d(amount), self.now))

    def settled(self, found):
        """Return a refusal's code, or None when it was done."""
        if isinstance(found, Refusal):
            return found.code
        self._hear(found)
        return None

    def tick(self, now):
        self.now = max(self.now, now)
        return self._hear(self.exchange.tick(self.now))

    def _hear(self, outputs):
        self.outputs.extend(outputs)
        return list(messages(outputs))

    # what holds

    @property
    def wallet(self):
        return self.exchange.balances(MAIN)["USDT"]

    def qty(self, symbol=BTC, account=MAIN, side=BOTH):
        place = symbol, side
        found = [p.qty for p in self.exchange.held(account) if (p.symbol, p.side) == place]
        return found[0] if found else Decimal(0)

    def open_ids(self, account=MAIN):
        return [order.cl_ord_id for order in self.exchange.open_orders(account)]


def story(reports) -> list[str]:
    """Tell reports in short: what happened to which order."""
    words = []
    for each in reports:
        if not isinstance(each, ExecutionReport):
            words.append(type(each).__name__)
        elif each.exec_type is ExecType.TRADE:
            words.append(f"{each.cl_ord_id} {plain(each.last_qty)}@{plain(each.last_px)}")
        elif each.exec_type is ExecType.REJECTED:
            words.append(f"{each.cl_ord_id} REJECTED {each.code}")
        else:
            words.append(f"{each.cl_ord_id} {each.exec_type.value}")
    return words
