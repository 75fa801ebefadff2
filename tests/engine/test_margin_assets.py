"""Several margin assets in one session: each stands for its own contracts, and for no other's."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import (
    MAIN,
    NS_PER_DAY,
    NS_PER_S,
    ZERO,
    AccountId,
    OrderStatus,
    Side,
    Symbol,
)
from tests.engine.rig import BTC, Rig, contract
from tests.engine.risk.desk import Desk

COIN = Symbol("BTCUSDC")
OTHER = (MAIN, COIN)


class TwoAssets(Rig):
    """A rig with 10,000 USDT and 1,000 USDC, and a contract that is settled in each."""

    def __init__(self, usdt="10000", usdc="1000", **settings):
        self.wallets = {"USDT": Decimal(usdt), "USDC": Decimal(usdc)}
        settings = {"stop_loss_pct": ZERO, "take_profit_pct": ZERO, **settings}
        super().__init__(symbols=(BTC, COIN), **settings)

    def start(self):
        self.begin()
        self.list_contracts()
        self.look()

    def list_contracts(self):
        for symbol, asset in ((BTC, "USDT"), (COIN, "USDC")):
            listed = contract(symbol, quote_asset=asset, margin_asset=asset)
            self.hear(msg.InstrumentListed(instrument=listed, leverage=10))
            self.price(100.0, symbol)

    def look(self):
        """The venue's books, which are as ours once these have begun."""
        books = self.state.account(MAIN)
        wallets = {a: books.wallet(a) for a in self.wallets} if books.opened_ts else self.wallets
        held = self.state.positions.items()
        self.hear(
            msg.VenueSnapshot(
                asked_ts=self.now,
                taken_ts=self.now,
                orders=tuple(self.row(o.cl_ord_id) for o in self.state.all_open_orders()),
                positions=tuple(
                    msg.VenuePosition(symbol=k[1], qty=p.qty, entry_price=Decimal(100))
                    for k, p in held
                ),
                balances=wallets,
            )
        )

    def take(self, symbol, qty, price="100"):
        """Trade at the market; what it costs is settled in the contract's asset."""
        asset = "USDC" if symbol == COIN else "USDT"
        side = Side.BUY if Decimal(qty) > 0 else Side.SELL
        entry = self.place(side, str(abs(Decimal(qty))), symbol=symbol)
        assert entry, self.refusal()
        self.report(entry, msg.ExecType.NEW, OrderStatus.NEW, symbol=symbol)
        self.trade(entry, str(abs(Decimal(qty))), price, symbol=symbol, fee_asset=asset)
        self.now += NS_PER_S

    def refusal(self):
        [denied] = self.told(ev.OrderDenied)
        return denied.rule, denied.reason

    def equity(self, asset):
        return self.engine.core.exposure.equity(MAIN, asset)

    def metrics(self, symbol):
        """What an order's verdicts measured, by rule."""
        self.place(Side.BUY, "0.001", symbol=symbol)
        facts = [*self.told(ev.OrderSubmitted), *self.told(ev.OrderDenied)]
        return {v.rule: v.value for v in facts[0].verdicts}


@pytest.fixture
def rig():
    return TwoAssets()


def test_each_margin_asset_has_its_own_equity(rig):
    rig.take(BTC, "2")
    rig.take(COIN, "0.5")
    rig.price(110, BTC)
    rig.price(90, COIN)

    assert rig.equity("USDT") == Decimal("9999.99") + 20
    assert rig.equity("USDC") == Decimal("999.99") - 5


def test_a_contract_is_limited_by_the_wallet_that_stands_for_it(rig):
    assert rig.place(Side.BUY, "5", symbol=BTC)  # 500 of 10,000
    assert rig.place(Side.BUY, "5", symbol=COIN) is None  # 500 of 1,000, at most a tenth
    assert rig.refusal()[0] == "position_size"
    assert rig.place(Side.BUY, "1", symbol=COIN)


def test_an_asset_of_which_there_is_nothing_stops_its_own_contracts_alone():
    rig = TwoAssets(usdc="0")

    assert rig.place(Side.BUY, "0.1", symbol=COIN) is None
    assert rig.refusal()[1] == "equity is 0, there is nothing to risk"
    assert rig.place(Side.BUY, "1", symbol=BTC)


def test_leverage_and_margin_count_what_the_same_wallet_stands_for(rig):
    rig.take(BTC, "9")
    rig.take(COIN, "0.5")

    usdt, usdc = rig.metrics(BTC), rig.metrics(COIN)

    assert usdt["leverage"] == pytest.approx(Decimal("0.09"), abs=Decimal("0.0001"))
    assert usdc["leverage"] == pytest.approx(Decimal("0.05"), abs=Decimal("0.0002"))
    assert usdc["margin"] == pytest.approx(Decimal("0.995"), abs=Decimal("0.0001"))
    assert usdt["max_positions"] == usdc["max_positions"] == 2


def test_exposure_limits_are_shares_of_what_the_same_wallet_stands_for():
    limits = {"max_gross_exposure_pct": Decimal("0.1"), "max_net_exposure_pct": Decimal("0.1")}
    rig = TwoAssets(limits=limits)
    rig.take(BTC, "9")

    measured = rig.metrics(COIN)

    assert measured["gross_exposure"] == measured["net_exposure"] == Decimal("0.0001")


def test_sizing_by_a_share_goes_by_the_asset_of_the_contract(rig):
    rig.signal(symbol=COIN)
    [order] = rig.submitted()
    assert order.qty * 100 == 100  # a tenth of 1,000

    rig.signal(symbol=BTC)
    [order] = rig.submitted()
    assert order.qty * 100 == 1000


def test_a_loss_in_one_asset_stops_its_own_contracts_alone(rig):
    rig.take(COIN, "1")
    rig.price(75, COIN)  # 2.5 % of the USDC, and a 0.25 % of all

    assert rig.place(Side.BUY, "0.1", symbol=COIN) is None
    assert rig.refusal()[0] == "daily_loss"
    assert rig.place(Side.BUY, "1", symbol=BTC)


def test_a_fall_from_the_peak_is_one_assets():
    rig = TwoAssets(limits={"max_drawdown_pct": Decimal("0.01")})
    rig.take(COIN, "1")
    rig.wait(61)
    rig.price(89, COIN)

    assert rig.place(Side.BUY, "0.1", symbol=COIN) is None
    assert rig.refusal()[0] == "drawdown"
    assert rig.place(Side.BUY, "1", symbol=BTC)


def test_each_asset_has_its_day_and_its_curve(rig):
    days = {day.asset: day.equity for day in rig.ever(ev.TradingDayStarted)}
    samples = {each.asset: each.equity for each in rig.ever(ev.EquitySampled)}
    assert days == samples == {"USDT": 10_000, "USDC": 1_000}

    rig.now = (rig.now // NS_PER_DAY + 1) * NS_PER_DAY
    rig.tick()
    assert [day.asset for day in rig.told(ev.TradingDayStarted)] == ["USDT", "USDC"]
    rig.tick()
    assert rig.told(ev.TradingDayStarted) == []


def test_an_asset_that_comes_in_on_a_day_that_runs_begins_its_own():
    rig = TwoAssets()
    rig.restart()
    rig.hear(
        msg.InstrumentListed(instrument=contract(Symbol("ETHBTC"), margin_asset="BTC"), leverage=1)
    )
    rig.symbols = (*rig.symbols, Symbol("ETHBTC"))
    rig.begin(is_resumed=True)
    rig.look()

    assert [day.asset for day in rig.told(ev.TradingDayStarted)] == ["BTC"]


def test_money_that_is_moved_changes_the_limits_of_its_own_asset(rig):
    rig.hear(
        msg.WalletChange(
            asset="USDC", amount=Decimal(500), reason="TRANSFER", change_id="1", venue_ts=rig.now
        )
    )

    books = rig.state.account(MAIN)
    assert books.benchmark("USDC").day_equity == 1500
    assert books.benchmark("USDT").day_equity == 10_000


def test_a_sample_counts_the_exposure_of_its_own_contracts(rig):
    rig.take(BTC, "2")
    rig.take(COIN, "0.5")
    rig.wait(61)

    exposures = {each.asset: each.exposure for each in rig.ever(ev.EquitySampled)}
    assert exposures == {"USDT": 200, "USDC": 50}


def test_a_session_knows_no_asset_that_only_an_earlier_one_traded(rig):
    rig.restart(is_resumed=False)
    rig.symbols = (BTC,)
    rig.begin()
    rig.look()
    rig.now += 61 * NS_PER_S
    rig.tick()

    assert [each.asset for each in rig.told(ev.EquitySampled)] == ["USDT"]


def test_facts_that_name_no_asset_are_the_first_contracts(rig):
    rig.state.apply(ev.TradingDayStarted(ts=rig.now, day=7, equity=Decimal(5)))
    rig.state.apply(
        ev.EquitySampled(
            ts=rig.now, equity=Decimal(99_999), wallet=ZERO, unrealized=ZERO, exposure=ZERO
        )
    )

    known = rig.state.account(MAIN).benchmarks
    assert (known["USDT"].day, known["USDT"].day_equity) == (7, 5)
    assert known["USDT"].peak_equity == 99_999
    assert known["USDC"].peak_equity == 1_000


def test_what_is_shown_of_the_account_adds_dollars_one_for_one(rig):
    rig.take(BTC, "2")
    rig.price(110, BTC)
    exposure = rig.engine.core.exposure

    assert exposure.shown_wallet(MAIN) == Decimal("9999.99") + 1000
    assert exposure.shown_equity(MAIN) == Decimal("9999.99") + 1000 + 20


def test_accounts_are_shown_together_where_their_equities_can_be_added():
    desk = Desk()
    for account, asset in (("dollars", "USDC"), ("coins", "BTC")):
        desk.define("ETHUSDT", account=AccountId(account), margin_asset=asset)
    names = (MAIN, AccountId("dollars"), AccountId("coins"))

    assert desk.exposure.addable(names) == [MAIN, "dollars"]
    assert desk.exposure.addable(names[2:]) == ["coins"]


@given(
    st.lists(
        st.tuples(st.sampled_from((BTC, COIN)), st.sampled_from(("0.1", "-0.1", "0.2", "-0.2"))),
        max_size=4,
    ),
    st.integers(80, 120),
    st.integers(80, 120),
)
def test_the_equities_add_up_to_all_wallets_and_all_open_profit(trades, btc, coin):
    rig = TwoAssets()
    for symbol, qty in trades:
        rig.take(symbol, qty)
    rig.price(btc, BTC)
    rig.price(coin, COIN)
    exposure, books = rig.engine.core.exposure, rig.state.account(MAIN)

    profit = sum((exposure.unrealized(key) for key in rig.state.open_keys()), ZERO)
    assert rig.equity("USDT") + rig.equity("USDC") == (
        books.wallet("USDT") + books.wallet("USDC") + profit
    )
    assert exposure.gross_now(MAIN) == sum(exposure.gross_now(MAIN, a) for a in ("USDT", "USDC"))
