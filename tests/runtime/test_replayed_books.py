"""What a strategy is shown of the books in a capture, beside the changes themselves."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from holdfast.feeds import RecordingFeed
from holdfast.model.values import NS_PER_S
from holdfast.strategies import Strategy
from tests.runtime.replays import replayed
from tests.runtime.replays import settings as config_of

CAPTURE = Path(__file__).resolve().parents[2].parent / "shared/data/ws_usdm/ethusdt_20240808.gz"
SYMBOL = "ETHUSDT"


class Looks(Strategy):
    """Notes the whole book now and then."""

    def __init__(self):
        self.seen: dict[int, tuple] = {}
        self.count = 0

    def on_book(self, book):
        self.count += 1
        if book.is_whole and self.count % 50 == 1:
            self.seen[book.update_id] = (book.bids(10_000), book.asks(10_000))


def books_of(lines, wanted):
    """Keep the book by the venue's rules, from the changes that follow the snapshot by number."""
    found = [json.loads(line.partition(b" ")[2]) for line in lines]
    (snapshot,) = [each for each in found if "lastUpdateId" in each]
    changes = [each["data"] for each in found if each.get("data", {}).get("e") == "depthUpdate"]
    sides = {side: {float(p): float(q) for p, q in snapshot[side]} for side in ("bids", "asks")}
    books = {}
    for change in changes:
        if change["u"] <= snapshot["lastUpdateId"]:
            continue
        for side, levels in (("bids", change["b"]), ("asks", change["a"])):
            sides[side].update((float(price), float(qty)) for price, qty in levels)
        if change["u"] in wanted:
            books[change["u"]] = tuple(
                sorted(((p, q) for p, q in sides[side].items() if q), reverse=side == "bids")
                for side in ("bids", "asks")
            )
    return books


@pytest.mark.skipif(not CAPTURE.is_file(), reason="no recorded capture on this machine")
@pytest.mark.parametrize("start_s", [0, 1_723_161_360])
def test_a_strategy_is_shown_the_books_that_the_changes_make(start_s):
    """The snapshot of this capture was written behind a change that follows it, and only once."""
    looks = Looks()
    feed = RecordingFeed(CAPTURE, start_ts=start_s * NS_PER_S)
    replayed(feed, [looks], config_of(symbols=(SYMBOL,)))

    with gzip.open(CAPTURE) as file:
        books = books_of(file, looks.seen)

    assert len(looks.seen) > 80
    for number, seen in looks.seen.items():
        if number in books:
            assert seen == books[number]
    assert len(books) >= len(looks.seen) - 1  # the first may be the snapshot's own
