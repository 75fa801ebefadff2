"""In which order wishes are handed over, and whose go nowhere."""

from __future__ import annotations

from holdfast.model.signal import SignalGenerated
from holdfast.model.values import SignalType, StrategyId, Symbol
from holdfast.runtime.attached import Attached
from holdfast.runtime.wishes import Wishes
from holdfast.strategies import Strategy


def wish(number):
    return SignalGenerated(
        symbol=Symbol("BTCUSDT"),
        signal_type=SignalType.BUY,
        strategy_id=StrategyId("one"),
        signal_id=str(number),
        ts=number,
    )


def test_a_wish_whose_strategy_is_off_by_its_turn_goes_nowhere():
    one, other = (Attached(StrategyId(name), Strategy()) for name in ("one", "other"))
    heard, wishes = [], Wishes()

    def emit(given):
        heard.append(given)
        one.is_live = False

    for wisher, number in ((one, 1), (one, 2), (other, 3)):
        wishes.add(wisher, wish(number))
    wishes.let_go(emit)

    assert heard == [wish(1), wish(3)]


def test_what_a_wish_leads_to_is_handed_over_by_the_outermost_call():
    one, wishes = Attached(StrategyId("one"), Strategy()), Wishes()
    heard, depth = [], []

    def emit(given):
        heard.append(given)
        depth.append(given)
        if given.ts < 3:
            wishes.add(one, wish(given.ts + 1))
            wishes.hand_over(emit)
        assert len(depth) == 1
        depth.pop()

    wishes.add(one, wish(1))
    wishes.hand_over(emit)
    assert heard == []  # held until all are ready
    wishes.let_go(emit)

    assert [each.ts for each in heard] == [1, 2, 3]
