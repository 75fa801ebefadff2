"""What a session's start waits for: a price that something can be traded at."""

from __future__ import annotations

import pytest

from holdfast.engine.market import Market
from holdfast.model.market import Bar, MarkPrice, Quote, Trade
from holdfast.model.values import NS_PER_S, Symbol
from holdfast.runtime.first_prices import is_traded

BTC, START = Symbol("BTCUSDT"), 1_700_000_000 * NS_PER_S
LATER = START + NS_PER_S
MARK = MarkPrice(symbol=BTC, ts=LATER, mark_price=100.0)


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ([], False),
        ([MARK], False),
        ([Trade(symbol=BTC, ts=START, price=100.0, qty=1.0), MARK], False),
        ([MARK, Trade(symbol=BTC, ts=LATER, price=100.0, qty=1.0)], True),
        ([MARK, Quote(symbol=BTC, ts=LATER, bid=99.0, bid_qty=1.0, ask=100.0, ask_qty=1.0)], True),
    ],
    ids=["silence", "a mark", "an old trade", "a trade", "a quote"],
)
def test_a_mark_alone_is_no_price_to_trade_at(news, expected):
    market = Market(60)
    for each in news:
        market.see(each)

    assert is_traded(market.of(BTC), START) is expected


def test_a_bar_is_a_price_to_trade_at():
    market = Market(60)
    market.see(
        Bar(
            symbol=BTC,
            timeframe="1m",
            ts=LATER,
            open_ts=START,
            open=1.0,
            high=1.0,
            low=1.0,
            close=1.0,
            volume=1.0,
        )
    )

    assert is_traded(market.of(BTC), START)
