"""Whatever is asked of the exchange in whatever order, its sums hold and nothing is forgotten."""

from __future__ import annotations

import itertools
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.exchange import (
    Liquidity,
    OrderKey,
    PositionSide,
    SelfTrade,
    messages,
    position_side_of,
)
from holdfast.exchange.liquidation import cross_positions
from holdfast.model.messages import ExecType, ExecutionReport, FundingPayment, WalletChange
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    WorkingType,
)
from tests.exchange.desk import BOTH, BTC, ETH, LONG, OTHER, SHORT, Desk, d
from tests.exchange.shelf import Shelf, contents

IDS = [f"c{n}" for n in range(40)]
PRICES = st.integers(990, 1010).map(lambda n: n * 50)  # 49500 to 50500
JUMPS = st.integers(700, 1300).map(lambda n: n * 50)
SIGNS = {BOTH: 0, LONG: 1, SHORT: -1}
FINAL = {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED}

orders = st.fixed_dictionaries(
    {
        "side": st.sampled_from(Side),
        "qty": st.sampled_from(["0.01", "0.1", "0.7", "2"]),
        "kind": st.sampled_from([*OrderType, *[OrderType.LIMIT] * 6, *[OrderType.MARKET] * 2]),
        "price": PRICES,
        "trigger_price": PRICES,
        "callback_rate": st.sampled_from(["0.5", "2"]),
        "activation_price": st.none() | PRICES,
        "time_in_force": st.sampled_from([*TimeInForce, *[TimeInForce.GTC] * 4]),
        "reduce_only": st.sampled_from([False, False, True]),
        "working_type": st.sampled_from(WorkingType),
        "account": st.sampled_from([MAIN, OTHER]),
        "cl_ord_id": st.sampled_from(IDS),
        "symbol": st.sampled_from([BTC, BTC, BTC, ETH]),
        "named": st.sampled_from([LONG, SHORT]),
    }
)
modes = st.fixed_dictionaries(
    {
        "hedged": st.lists(st.sampled_from([MAIN, OTHER]), unique=True),
        "isolated": st.lists(
            st.tuples(st.sampled_from([BTC, ETH]), st.sampled_from([MAIN, OTHER])), unique=True
        ),
    }
)
"""Which accounts are hedged, and which of their symbols isolated."""

places = st.tuples(
    st.sampled_from([MAIN, OTHER]), st.sampled_from([BTC, ETH]), st.sampled_from(PositionSide)
)
levels = st.lists(st.tuples(PRICES, st.sampled_from(["0.05", "0.3", "1"])), min_size=1, max_size=4)
steps = st.one_of(
    st.tuples(st.just("order"), orders, st.sampled_from(SelfTrade)),
    st.tuples(st.just("order"), orders, st.sampled_from(SelfTrade)),
    st.tuples(st.just("trade"), PRICES, st.sampled_from(["0.05", "0.5", "5"])),
    st.tuples(st.just("trade"), PRICES, st.sampled_from(["0.05", "0.5", "5"])),
    st.tuples(st.just("quote"), PRICES, st.sampled_from(["0.05", "0.5"])),
    st.tuples(st.just("bar"), st.lists(PRICES, min_size=4, max_size=4), st.just(None)),
    st.tuples(st.just("book"), levels, levels),
    st.tuples(st.just("delta"), levels, st.sampled_from([False, False, True])),
    st.tuples(st.just("delta"), levels, st.sampled_from([False, False, True])),
    st.tuples(st.just("mark"), PRICES, st.just(None)),
    st.tuples(st.just("mark"), JUMPS, st.just(None)),
    st.tuples(st.just("trade"), JUMPS, st.just("0.5")),
    st.tuples(st.just("funding"), st.floats(-0.01, 0.01), st.just(None)),
    st.tuples(st.just("cancel"), st.integers(0, 9), st.sampled_from([MAIN, OTHER])),
    st.tuples(st.just("amend"), st.integers(0, 9), PRICES),
    st.tuples(st.just("wait"), st.integers(1, 2000), st.just(None)),
    st.tuples(st.just("margin"), st.sampled_from(["-40", "-1", "5", "60"]), places),
    st.tuples(st.just("force"), st.sampled_from(["liquidation", "adl", "funding"]), places),
    st.tuples(st.just("mode"), st.booleans(), places),
)
scripts = st.lists(steps, min_size=25, max_size=60)
models = st.builds(
    Liquidity,
    half_spread=st.sampled_from([Decimal(0), Decimal("0.001")]),
    beyond_touch=st.none() | st.just(Decimal("0.001")),
    unknown_queue=st.none() | st.just(Decimal(0)),
    partial_fills=st.booleans(),
)


def order_of(desk, wish):
    """Leave out of a wish what its kind has no room for, so that it is mostly taken."""
    wish = dict(wish)
    kind, more = wish.pop("kind"), {}
    price = wish.pop("price") if kind.has_limit_price else wish.pop("price") and None
    trigger, rate, start = (
        wish.pop(name) for name in ("trigger_price", "callback_rate", "activation_price")
    )
    if kind is OrderType.TRAILING_STOP_MARKET:
        more = {"callback_rate": rate, "activation_price": start}
    elif kind.is_conditional:
        more = {"trigger_price": trigger}
    if wish["time_in_force"] is TimeInForce.GTD:
        more["expire_ts"] = desk.now + 700 * NS_PER_S
    return desk.order(wish.pop("side"), wish.pop("qty"), price, kind=kind, **wish, **more)


def change(desk, kind, what, place):
    """Do what a customer does beside trading, and what the exchange does of itself."""
    exchange, (account, symbol, side) = desk.exchange, place
    match kind, what:
        case "margin", _:
            desk.move_margin(what, account=account, symbol=symbol, side=side)
        case "mode", _:
            exchange.set_position_mode(account, is_hedged=what)
            desk.isolate(symbol, account, is_isolated=not what)
        case _, "funding":
            return list(messages(exchange.force_funding(symbol, 0.01, desk.now)))
        case _, "liquidation":
            return list(messages(exchange.force_liquidation(account, symbol, side, desk.now)))
        case _:
            return list(messages(exchange.force_adl(account, symbol, side, d("0.1"), desk.now)))
    return []


def prepared(desk, mode):
    """Set a desk's accounts up, and let the market have prices."""
    return opened(desk, mode, "trade")


def opened(desk, mode, opening):
    """Set a desk's accounts up, and let prices come from one source alone."""
    for account in mode["hedged"]:
        desk.hedge(account)
    for symbol, account in mode["isolated"]:
        desk.isolate(symbol, account)
    for symbol in (BTC, ETH):
        match opening:
            case "trade":
                desk.trade(50_000, symbol=symbol)
            case "quote":
                desk.quote(49_950, 50_000, symbol=symbol)
            case _:
                desk.bar(50_000, 50_000, 50_000, 50_000, symbol=symbol)
    return desk


def open_id(desk, number, account):
    found = desk.open_ids(account)
    return found[number % len(found)] if found else "none"


def place_order(desk, wish, self_trade):
    wish = dict(wish)
    named = wish.pop("named")
    is_hedged = desk.exchange.is_hedged(wish["account"])
    if is_hedged:
        wish["reduce_only"] = False
    order = order_of(desk, wish)
    return desk.submit(order, self_trade, named if is_hedged else BOTH)


def move_market(desk, kind, one, two):
    match kind:
        case "trade":
            return desk.trade(one, two)
        case "quote":
            return desk.quote(one, one + 50, two, two)
        case "bar":
            return desk.bar(one[0], max(one), min(one), one[3], volume=2)
        case "book":
            desk.updates += 1
            return desk.book(one, two, update_id=desk.updates)
        case "delta":
            before = desk.updates + (5 if two else 0)  # some are missing then
            desk.updates = before + 1
            return desk.delta(one, ids=(before + 1, before + 1, before))
        case "mark":
            return desk.mark(one)
        case _:
            return desk.funding(round(one, 6))


def perform(desk, step):
    kind, one, two = step
    match kind:
        case "order":
            return place_order(desk, one, two)
        case "trade" | "quote" | "bar" | "book" | "delta" | "mark" | "funding":
            return move_market(desk, kind, one, two)
        case "cancel":
            return desk.cancel(open_id(desk, one, two), account=two)
        case "amend":
            return desk.amend(open_id(desk, one, MAIN), "0.5", two)
        case "wait":
            return desk.tick(desk.now + one * NS_PER_S)
        case _:
            return change(desk, kind, one, two)


class Auditor:
    """Believes nothing but the reports, and compares."""

    def __init__(self, desk):
        self.wallets = {MAIN: d(10_000), OTHER: d(10_000)}
        self.positions = {}
        self.trade_ids = {MAIN: 0, OTHER: 0}
        self.cum = {}
        self.final = set()
        self.desk = desk

    def hear(self, reports):
        for each in reports:
            if isinstance(each, FundingPayment | WalletChange):
                self.wallets[each.account] += each.amount
            elif isinstance(each, ExecutionReport) and each.exec_type is not ExecType.REJECTED:
                self.order(each)

    def order(self, report):
        key = report.account, report.cl_ord_id, report.venue_order_id
        assert key not in self.final, "a report after the end"
        if report.exec_type is ExecType.TRADE:
            self.fill(report, key)
        assert report.cum_qty == self.cum.get(key, 0)
        assert report.cum_qty <= report.qty
        if report.status in FINAL:
            self.final.add(key)

    def fill(self, report, key):
        assert report.last_qty > 0
        assert int(report.trade_id) > self.trade_ids[report.account], "a fill told twice"
        self.trade_ids[report.account] = int(report.trade_id)
        if report.price is not None:
            assert (report.last_px - report.price) * report.side.sign <= 0, "past its limit"
        self.cum[key] = self.cum.get(key, 0) + report.last_qty
        place = report.account, report.symbol, position_side_of(report)
        before = self.positions.get(place, d(0))
        after = before + report.last_qty * report.side.sign
        if report.reduce_only:
            assert abs(after) < abs(before), "reduce-only added"
        self.positions[place] = after
        self.wallets[report.account] += report.realized_pnl - report.fee

    def compare(self):
        exchange = self.desk.exchange
        for account in (MAIN, OTHER):
            assert exchange.balances(account)["USDT"] == self.wallets[account]
            for symbol, side in itertools.product((BTC, ETH), PositionSide):
                told = self.positions.get((account, symbol, side), 0)
                assert self.desk.qty(symbol, account, side) == told
                assert told * SIGNS[side] >= 0, "a long below zero, or a short above"
            self.compare_margin(account)
        for market in exchange._books.markets.values():
            symbol = market.instrument.symbol
            held = {
                (a, p.side) for a in (MAIN, OTHER) for p in exchange.held(a) if p.symbol == symbol
            }
            assert set(market.holders) == held
            line = [*market.buys, *market.sells]
            assert all(order.is_open and order.leaves_qty > 0 for order in line)
            if market.buys and market.sells:
                assert market.buys[0].price < market.sells[0].price

    def compare_margin(self, account):
        """What is isolated is a part of the wallet, and flat or cross positions have none of it."""
        exchange = self.desk.exchange
        opened, total = exchange._books.accounts[account], exchange.margin(account)
        isolated = sum((each.isolated_wallet for each in opened.positions.values()), d(0))
        assert total.cross_wallet == total.wallet - isolated
        assert isolated == isolated.quantize(d("0.00000001"))
        for position in opened.positions.values():
            if not position.qty or position.symbol not in opened.isolated:
                assert position.isolated_wallet == 0
        sides = exchange.sides(account)
        rows = [exchange.symbol_margin(account, s, x) for s in (BTC, ETH) for x in sides]
        assert total.unrealized == sum(row.unrealized for row in rows)
        assert total.position_margin == sum(row.position_margin for row in rows)
        remembered = cross_positions(exchange._books, opened, "USDT")
        opened.rough.clear()
        assert remembered == cross_positions(exchange._books, opened, "USDT")


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(models, modes, scripts)
def test_the_sums_hold_and_a_restored_exchange_is_equal_at_every_step(model, mode, script):
    desk, shelf = prepared(Desk(liquidity=model), mode), Shelf()
    auditor = Auditor(desk)
    for step in script:
        auditor.hear(perform(desk, step))
        auditor.compare()
        shelf.put(desk.exchange.drain_changes())

        assert contents(shelf.exchange(model, desk.now)) == contents(desk.exchange)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(models, modes, scripts)
def test_the_same_script_says_the_same(model, mode, script):
    def told():
        desk = prepared(Desk(liquidity=model), mode)
        return [perform(desk, step) for step in script], desk.exchange.drain_changes()

    assert told() == told()


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(models, modes, scripts)
def test_what_the_exchange_says_of_an_order_is_what_a_query_finds(model, mode, script):
    desk = prepared(Desk(liquidity=model), mode)
    for step in script:
        for report in perform(desk, step):
            if isinstance(report, ExecutionReport) and report.exec_type is ExecType.REJECTED:
                continue
            if isinstance(report, ExecutionReport) and report.status in FINAL:
                order = desk.exchange.order_by_id(int(report.venue_order_id))
                if order is None:
                    continue  # its id was used again
                status = desk.exchange.status(order, desk.now)
                assert (status.status, status.cum_qty) == (report.status, report.cum_qty)
    for account in (MAIN, OTHER):
        for order in desk.exchange.open_orders(account):
            key = OrderKey(account, order.symbol, order.cl_ord_id)
            assert desk.exchange.query(key) is order


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(models, modes, st.sampled_from(["trade", "quote", "bar"]), scripts)
def test_a_close_look_at_every_message_finds_no_more(model, mode, opening, script):
    """The bands of prices at which nothing happens are never too wide."""
    quick, close = (opened(Desk(liquidity=model), mode, opening) for _ in range(2))
    for step in script:
        for market in close.exchange._books.markets.values():
            market.disturb()

        assert perform(quick, step) == perform(close, step)
        assert contents(quick.exchange) == contents(close.exchange)


def test_outputs_without_news_are_empty():
    desk = Desk()

    assert list(messages(desk.exchange.tick(desk.now))) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(models, scripts)
def test_the_quick_touch_is_the_best_that_is_offered(model, script):
    desk = Desk(liquidity=model)
    for step in script:
        perform(desk, step)
        for symbol, taker in itertools.product((BTC, ETH), Side):
            quick = desk.exchange.touch(symbol, taker)
            if quick is not None:
                price, qty = desk.exchange.offered(symbol, taker, 1)[0]
                assert (d(quick[0]), round(d(quick[1]), 3)) == (price, qty)
