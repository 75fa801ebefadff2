"""What the books behind a restart take their positions to be worth before the market speaks."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.exchange.liquidation import PATIENCE_NS
from holdfast.exchange.rows import MARKET
from holdfast.model.market import Funding
from holdfast.model.values import MAIN
from tests.exchange.desk import BTC, ETH, Desk, S, instrument
from tests.exchange.shelf import Shelf


def hedged(*, at=Decimal("0.78")):
    """Return a desk with a long and a short that make up for each other, and what is stored."""
    desk, shelf = Desk(), Shelf()
    for symbol, price in ((BTC, 100_000), (ETH, 4_000)):
        desk.quote(price - 1, price + 1, symbol=symbol)
        desk.mark(price, symbol=symbol)
    desk.buy("0.5")
    desk.sell("12.5", symbol=ETH)
    for percent in range(99, int(at * 100) - 1, -1):
        desk.mark(1_000 * percent)
        desk.mark(40 * percent, symbol=ETH)
    shelf.put(desk.exchange.drain_changes())
    return desk, shelf


def restarted(desk, shelf):
    desk.exchange = shelf.exchange(desk.exchange._books.model, desk.now)
    return desk


def marks(desk):
    return [desk.exchange.symbol_margin(MAIN, symbol).mark for symbol in (BTC, ETH)]


def test_no_account_is_judged_before_all_that_it_holds_was_heard_of():
    desk = restarted(*hedged())

    desk.mark(78_000)
    desk.trade(78_000)
    assert (desk.qty(), desk.qty(ETH)) == (Decimal("0.5"), Decimal("-12.5"))

    desk.mark(3_120, symbol=ETH)
    assert (desk.qty(), desk.qty(ETH)) == (Decimal("0.5"), Decimal("-12.5"))


def test_a_bankrupt_account_is_liquidated_once_all_that_it_holds_was_heard_of():
    desk = restarted(*hedged())
    desk.mark(78_000)

    desk.mark(4_000, symbol=ETH)

    assert (desk.qty(), desk.qty(ETH)) == (0, 0)


def test_bars_judge_no_account_before_all_that_it_holds_was_heard_of():
    desk = restarted(*hedged())

    desk.bar(78_000, 78_100, 77_900, 78_000)
    desk.bar(78_000, 78_100, 77_900, 78_000)

    assert (desk.qty(), desk.qty(ETH)) == (Decimal("0.5"), Decimal("-12.5"))


def test_a_contract_that_is_halted_keeps_nobody_from_being_judged():
    """Nothing of it is taken in, and so it would be waited for until the halt ends."""
    desk, shelf = hedged()
    desk.exchange.add_instrument(msgspec.structs.replace(instrument(ETH), status="BREAK"))
    shelf.put(desk.exchange.drain_changes())
    restarted(desk, shelf)
    desk.mark(3_120, symbol=ETH)

    desk.mark(77_900)
    assert desk.qty() == Decimal("0.5"), "the mark of before counts"
    desk.mark(50_000)

    assert desk.qty() == 0


@pytest.mark.parametrize("shown", ["mark", "trade", "bar"])
def test_who_is_not_heard_of_is_waited_for_no_longer_than_patience_lasts(shown):
    desk = restarted(*hedged())
    show = {"bar": lambda: desk.bar(50_000, 50_000, 50_000, 50_000)}.get(
        shown, lambda: getattr(desk, shown)(50_000)
    )
    desk.now += (
        1000 * S
    )  # what passes before the market speaks is no time to wait for the rest of it
    show()
    desk.now += PATIENCE_NS - (60 if shown == "bar" else 1) * S
    show()
    assert (desk.qty(), desk.qty(ETH)) == (Decimal("0.5"), Decimal("-12.5"))

    show()

    assert (desk.qty(), desk.qty(ETH)) == (0, 0)


def test_the_mark_of_before_stands_in_until_one_is_heard():
    desk, shelf = hedged()
    before = desk.exchange.margin(MAIN)
    desk.exchange.remember_marks()
    shelf.put(desk.exchange.drain_changes())

    restarted(desk, shelf)

    assert desk.exchange.margin(MAIN) == before
    assert marks(desk) == [78_000, 3_120]
    assert [each.mark_price for each in desk.exchange.positions(MAIN)] == [0.0, 0.0]
    assert desk.exchange.mark_price(BTC) is None, "no stop goes by what was not heard"


def test_a_mark_is_kept_with_what_changes_a_position():
    desk, shelf = hedged()
    desk.mark(77_000)
    desk.mark(3_000, symbol=ETH)
    desk.quote(76_999, 77_001)
    assert len(desk.buy("0.1")) == 2
    shelf.put(desk.exchange.drain_changes())

    restarted(desk, shelf)

    assert marks(desk) == [77_000, 3_120]
    desk.exchange.remember_marks()
    shelf.put(desk.exchange.drain_changes())
    restarted(desk, shelf)
    assert marks(desk) == [77_000, 3_120]


def test_books_of_before_there_were_marks_open():
    desk, shelf = hedged()
    row = msgspec.json.decode(shelf.kept[MARKET, BTC].payload)
    del row["mark"]
    shelf.kept[MARKET, BTC] = shelf.kept[MARKET, BTC]._replace(payload=msgspec.json.encode(row))

    restarted(desk, shelf)

    assert marks(desk) == [100_001, 3_120], "the entry stands in, as it did"
    assert instrument() in desk.exchange.instruments()


def test_an_isolated_position_is_not_judged_before_its_mark_is_heard():
    desk, shelf = Desk(), Shelf()
    desk.isolate()
    desk.mark(100_000)
    desk.quote(99_999, 100_001)
    desk.buy("0.5")
    shelf.put(desk.exchange.drain_changes())
    restarted(desk, shelf)

    desk.funding(0.5)

    assert desk.qty() == Decimal("0.5")


def test_what_missed_funding_takes_beyond_all_there_is_the_insurance_pays():
    """The position that owed it is closed: nothing stands for a wallet below zero."""
    desk, shelf = Desk(balance=100), Shelf()
    desk.quote(99_999, 100_001)
    desk.buy("0.01")
    due = desk.now + S
    shelf.put(desk.exchange.drain_changes())
    desk.now += 3600 * S
    restarted(desk, shelf)
    desk.exchange.leave_late_funding()
    desk.quote(99_999, 100_001)
    desk.sell("0.01")

    missed = Funding(symbol=BTC, ts=due, rate=0.5, mark_price=100_000.0)
    desk.exchange.pay_missed(missed, desk.now)

    assert desk.exchange.balances(MAIN)["USDT"] == 0


def test_a_touch_with_one_side_tells_no_price_by_which_anybody_is_judged():
    """Missed funding left less than what maintenance asks for; the mark is from before it."""
    desk, shelf = Desk(), Shelf()
    desk.quote(99_999, 100_001)
    desk.buy("1.9")
    desk.mark(95_500)
    due = desk.now + S
    desk.exchange.remember_marks()
    shelf.put(desk.exchange.drain_changes())
    desk.now += 3600 * S
    restarted(desk, shelf)
    desk.exchange.leave_late_funding()
    missed = Funding(symbol=BTC, ts=due, rate=0.005, mark_price=95_500.0)
    desk.exchange.pay_missed(missed, desk.now)
    assert desk.exchange.margin(MAIN).is_bankrupt

    desk.quote(0, 100_001)

    assert desk.qty() == Decimal("1.9")
