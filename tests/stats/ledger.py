"""Facts as an engine would write them, for folds to read."""

from decimal import Decimal

from hypothesis import strategies as st

from holdfast.model import events as ev
from holdfast.model.ids import Owner, make_cl_ord_id
from holdfast.model.instrument import Instrument
from holdfast.model.margin import book_fill
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    AccountId,
    NewOrder,
    OrderRole,
    SessionId,
    Side,
    StrategyId,
    Symbol,
    TradeId,
)

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
SMA, MACD = StrategyId("sma_cross"), StrategyId("macd")
D = Decimal


class Ledger:
    """Writes facts; keeps positions only to know what profit a fill books."""

    def __init__(self, session="s1"):
        self.facts = []
        self.ts = 1_000 * NS_PER_S
        self.seq = 0
        self.held = {}
        if session:
            self.epoch(session)

    def add(self, kind, after_s=0, **fields):
        self.ts += after_s * NS_PER_S
        fact = kind(ts=self.ts, **fields)
        self.facts.append(fact)
        return fact

    def epoch(self, session, *, is_resumed=False, accounts=(MAIN,)):
        self.add(
            ev.EpochStarted, epoch=1, session_id=SessionId(session), portfolio_id="p",
            accounts=accounts, strategies=(), symbols=(BTC, ETH), venue="paper",
            is_resumed=is_resumed,
        )  # fmt: skip

    def define(self, symbol, margin_asset="USDT"):
        contract = Instrument(
            symbol=symbol, base_asset="X", margin_asset=margin_asset, tick=D("0.1"),
            lot=D("0.001"), min_qty=D("0.001"),
        )  # fmt: skip
        self.add(ev.InstrumentDefined, instrument=contract, leverage=5)

    def order_id(self, strategy=SMA, role=OrderRole.ENTRY):
        self.seq += 1
        return make_cl_ord_id(Owner("hf", 1, self.seq, self.seq, role, strategy))

    def submit(self, side, qty, symbol=BTC, strategy=SMA, after_s=1):
        order = NewOrder(
            cl_ord_id=self.order_id(strategy), symbol=symbol, side=side, qty=D(qty),
            strategy_id=strategy,
        )  # fmt: skip
        self.add(ev.OrderSubmitted, after_s, order=order, verdicts=(), recv_window_ns=1)
        return order

    def fill(self, side, qty, price, *, symbol=BTC, strategy=SMA, fee="0", fee_asset="USDT",
             cl_ord_id=None, account=MAIN, after_s=1):  # fmt: skip
        key = (account, symbol)
        qty, price = D(qty), D(price)
        held, entry_price = self.held.get(key, (D(0), D(0)))
        booked = book_fill(held, entry_price, qty * side.sign, price)
        self.held[key] = (booked.qty, booked.entry_price)
        self.seq += 1
        return self.add(
            ev.OrderFilled, after_s, account=account, symbol=symbol, side=side,
            cl_ord_id=cl_ord_id or self.order_id(strategy), trade_id=TradeId(str(self.seq)),
            qty=qty, price=price, fee=D(fee), fee_asset=fee_asset,
            realized_pnl=booked.realized, venue_ts=self.ts,
        )  # fmt: skip

    def buy(self, qty, price, **fields):
        return self.fill(Side.BUY, qty, price, **fields)

    def sell(self, qty, price, **fields):
        return self.fill(Side.SELL, qty, price, **fields)

    def equity(self, amount, after_s=60, account=MAIN, unrealized="0", asset=""):
        return self.add(
            ev.EquitySampled, after_s, account=account, equity=D(amount), wallet=D(amount),
            unrealized=D(unrealized), exposure=D(0), asset=asset,
        )  # fmt: skip

    def deposit(self, amount, asset="USDT", account=MAIN):
        self.seq += 1
        return self.add(
            ev.WalletChanged, account=account, asset=asset, amount=D(amount),
            reason="deposit", change_id=f"w{self.seq}",
        )  # fmt: skip

    def funding(self, amount, symbol=BTC):
        self.seq += 1
        return self.add(
            ev.FundingPaid, symbol=symbol, amount=D(amount), payment_id=f"f{self.seq}",
            venue_ts=self.ts,
        )  # fmt: skip


def _written(rows):
    ledger = Ledger()
    ledger.deposit("10000")
    for account, symbol, side, qty, price, fee in rows:
        ledger.fill(
            side, D(qty) / 1000, D(price) / 10, symbol=symbol, fee=D(fee) / 10_000,
            account=AccountId(account),
        )  # fmt: skip
    return ledger


trading = st.lists(
    st.tuples(
        st.sampled_from(["main", "second"]),
        st.sampled_from([BTC, ETH]),
        st.sampled_from(list(Side)),
        st.integers(1, 5),
        st.integers(900, 1100),
        st.integers(-3, 30),
    ),
    max_size=40,
).map(_written)
"""Ledgers of random fills; small quantities, so that positions come back to flat and flip."""
