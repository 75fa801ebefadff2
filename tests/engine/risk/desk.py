"""A trading desk for tests of rules: a state built by real facts, a market by real messages."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal

from holdfast.engine.exposure import Exposure
from holdfast.engine.market import Market
from holdfast.engine.risk import RULES, RiskContext, assess
from holdfast.engine.state import State
from holdfast.model import events as ev
from holdfast.model.instrument import Bracket, Instrument
from holdfast.model.market import Bar, Quote, Trade
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    ClOrdId,
    NewOrder,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    Symbol,
    TradeId,
    TradingSessionStatus,
    Verdict,
)

BTC, ETH, SOL = Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT")
START = 1_700_000_040 * NS_PER_S  # on a whole minute

BRACKETS = (
    Bracket(
        notional_floor=Decimal(0),
        notional_cap=Decimal(50_000),
        max_leverage=125,
        maint_margin_ratio=Decimal("0.004"),
    ),
    Bracket(
        notional_floor=Decimal(50_000),
        notional_cap=Decimal(1_000_000),
        max_leverage=20,
        maint_margin_ratio=Decimal("0.01"),
        cum=Decimal(300),
    ),
)


def instrument(symbol, **changes):
    plain = {
        "symbol": Symbol(symbol),
        "base_asset": symbol.removesuffix("USDT"),
        "tick": Decimal("0.1"),
        "lot": Decimal("0.001"),
        "min_qty": Decimal("0.001"),
        "brackets": BRACKETS,
    }
    return Instrument(**(plain | changes))


class Desk:
    """One running session with 10,000 USDT and three contracts at leverage 10, priced at 100."""

    def __init__(self, *, equity="10000", symbols=(BTC, ETH, SOL), price=100.0, **limits):
        self.now = START
        self.state = State()
        self.settings = EngineSettings(limits=RiskLimits(**limits))
        self.market = Market(self.settings.limits.sample_s)
        self.exposure = Exposure(self.state, self.market)
        self._ids = itertools.count(1)
        self.tell(
            ev.EpochStarted(
                ts=self.now,
                epoch=1,
                session_id=SessionId("s"),
                portfolio_id="p",
                accounts=(MAIN,),
                strategies=(),
                symbols=(),
                venue="paper",
                is_resumed=False,
            )
        )
        self.session(TradingSessionStatus.RUNNING)
        self.deposit(equity)
        for symbol in symbols:
            self.define(symbol)
            self.trade(symbol, price)

    # Facts

    def tell(self, *facts):
        for fact in facts:
            self.state.apply(fact)

    def session(self, status, reason=""):
        self.tell(ev.SessionChanged(ts=self.now, status=status, reason=reason))

    def deposit(self, amount):
        self.tell(
            ev.WalletChanged(
                ts=self.now,
                asset="USDT",
                amount=Decimal(amount),
                reason="deposit",
                change_id=f"w{next(self._ids)}",
            )
        )

    def define(self, symbol, leverage=10, account=MAIN, **changes):
        contract = instrument(symbol, **changes)
        self.tell(
            ev.InstrumentDefined(
                ts=self.now, account=account, instrument=contract, leverage=leverage
            )
        )

    def hold(self, symbol, qty, price="100", account=MAIN):
        self.tell(
            ev.PositionAdopted(
                ts=self.now,
                account=account,
                symbol=symbol,
                qty=Decimal(qty),
                entry_price=Decimal(price),
                reason="test",
            )
        )

    def send(self, order):
        """Submit an order; no answer yet."""
        self.tell(ev.OrderSubmitted(ts=self.now, order=order, verdicts=(), recv_window_ns=1))
        return order

    def rest(self, order):
        """Submit an order and let the venue accept it."""
        self.send(order)
        self.tell(ev.OrderAccepted(ts=self.now, cl_ord_id=order.cl_ord_id))
        return order

    def doubt(self, order):
        """Submit an order whose outcome stays unknown."""
        self.send(order)
        self.tell(
            ev.OrderInDoubt(ts=self.now, cl_ord_id=order.cl_ord_id, fence_ts=self.now + NS_PER_S)
        )
        return order

    def ask_replace(self, order, qty, price):
        self.tell(
            ev.ReplaceRequested(
                ts=self.now,
                cl_ord_id=order.cl_ord_id,
                qty=Decimal(qty),
                price=Decimal(price),
            )
        )

    def cancel(self, order):
        self.tell(ev.OrderCanceled(ts=self.now, cl_ord_id=order.cl_ord_id))

    def fill(self, order, qty, price):
        self.tell(
            ev.OrderFilled(
                ts=self.now,
                symbol=order.symbol,
                side=order.side,
                cl_ord_id=order.cl_ord_id,
                trade_id=TradeId(f"t{next(self._ids)}"),
                qty=Decimal(qty),
                price=Decimal(price),
                fee=Decimal(0),
                realized_pnl=Decimal(0),
                venue_ts=self.now + next(self._ids),  # one after the other
            )
        )

    # The market

    def trade(self, symbol, price):
        self.market.see(Trade(symbol=symbol, ts=self.now, price=price, qty=1.0))

    def quote(self, symbol, bid, ask):
        self.market.see(
            Quote(symbol=symbol, ts=self.now, bid=bid, bid_qty=1.0, ask=ask, ask_qty=1.0)
        )

    def history(self, symbol, closes: Sequence[float | None], minutes=1):
        """Show closed one-minute bars that end now; None leaves a gap."""
        step = minutes * 60 * NS_PER_S
        begin = self.now - len(closes) * step
        for number, close in enumerate(closes):
            if close is None:
                continue
            ts = begin + (number + 1) * step
            self.market.see(
                Bar(
                    symbol=symbol,
                    timeframe=f"{minutes}m",
                    open_ts=ts - step,
                    ts=ts,
                    open=close,
                    high=close,
                    low=close,
                    close=close,
                    volume=1.0,
                )
            )

    # Orders and verdicts

    def order(self, side=Side.BUY, qty="1", price=None, symbol=BTC, **fields):
        if price is not None:
            fields.setdefault("order_type", OrderType.LIMIT)
            fields["price"] = Decimal(price)
        if "trigger_price" in fields:
            fields["trigger_price"] = Decimal(fields["trigger_price"])
        fields.setdefault("cl_ord_id", ClOrdId(f"o{next(self._ids)}"))
        return NewOrder(symbol=symbol, side=side, qty=Decimal(qty), **fields)

    def buy(self, qty="1", price=None, **fields):
        return self.order(Side.BUY, qty, price, **fields)

    def sell(self, qty="1", price=None, **fields):
        return self.order(Side.SELL, qty, price, **fields)

    def status(self, order) -> OrderStatus:
        return self.state.orders[order.cl_ord_id].status

    def context(self) -> RiskContext:
        return RiskContext(self.state, self.market, self.exposure, self.settings, self.now)

    def check(self, rule: str, order: NewOrder) -> Verdict:
        verdict = RULES[rule](order, self.context())
        assert verdict.rule == rule
        assert bool(verdict.reason) is not verdict.passed
        return verdict

    def assess(self, order: NewOrder) -> tuple[Verdict, ...]:
        return assess(order, self.context())
