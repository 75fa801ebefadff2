"""Which symbols' data comes, and when that is told."""

from __future__ import annotations

import pytest

from holdfast.model.values import Symbol
from holdfast.venues.binance_futures.market_watch import SYMBOL_SILENCE_S, MarketWatch

A, B = Symbol("AUSDT"), Symbol("BUSDT")


class Watched:
    def __init__(self):
        self.time = 0.0
        self.told: list[tuple[Symbol, bool]] = []
        self.watch = MarketWatch((A, B), self._tell, lambda: self.time)

    def _tell(self, symbol, is_up, reason):
        assert bool(reason) is not is_up
        self.told.append((symbol, is_up))


@pytest.fixture
def one():
    return Watched()


def test_lost_path_cuts_every_symbol_off_until_it_tells_of_that_symbol(one):
    one.watch.lost("public", (A, B))
    one.watch.heard(A, "market")
    assert one.told == [(A, False), (B, False)]

    one.watch.heard(A, "public")
    assert one.told[2:] == [(A, True)]
    assert one.watch.misses

    one.watch.heard(B, "public")
    assert one.told[3:] == [(B, True)]
    assert not one.watch.misses


def test_a_lost_connection_cuts_off_only_the_symbols_that_came_on_it(one):
    one.watch.lost("public", (B,))
    assert one.told == [(B, False)]


def test_two_lost_paths_are_told_once_and_both_must_come_back(one):
    one.watch.lost("public", (A, B))
    one.watch.lost("market", (A, B))
    one.watch.heard(A, "public")
    assert one.told == [(A, False), (B, False)]

    one.watch.heard(A, "market")
    assert one.told[2:] == [(A, True)]


def test_symbol_without_mark_prices_is_cut_off_alone(one):
    one.time = SYMBOL_SILENCE_S + 1
    one.watch.marked(B)
    one.watch.look()
    assert one.told == [(A, False)]

    one.watch.marked(A)
    assert one.told[1:] == [(A, True)]


def test_symbol_that_nobody_asked_for_is_of_no_concern(one):
    other = Symbol("CUSDT")
    one.watch.lost("public", (A, B))
    one.watch.heard(other, "public")
    one.watch.marked(other)

    assert {symbol for symbol, _ in one.told} == {A, B}


def test_quotes_stand_in_for_no_mark_prices(one):
    """They come over another connection, which says nothing of this one."""
    one.time = SYMBOL_SILENCE_S + 1
    one.watch.marked(B)
    one.watch.heard(A, "public")
    one.watch.look()
    one.watch.heard(A, "public")

    assert one.told == [(A, False)]
    assert one.watch.misses
