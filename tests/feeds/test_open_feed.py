"""A source is the name of a feed, or of files."""

from __future__ import annotations

import pytest

from holdfast.feeds import FEEDS, FeedSettings, RecordingFeed, SyntheticFeed, open_feed
from holdfast.model.errors import ConfigError
from holdfast.model.values import Symbol
from holdfast.ports import Feed

BTC = Symbol("BTCUSDT")

START = 1_754_006_400_000_000_000
ROW = "1,5,1,5,1723075200000,true\n"


def test_a_name_opens_that_feed():
    feed = open_feed(FeedSettings(source="synthetic", start_ts=START, speed=3.0))

    assert isinstance(feed, SyntheticFeed)
    assert (feed.pace, feed.is_live, feed.start_ts) == (3.0, False, START)


def test_files_with_commas_between_are_one_recording(tmp_path):
    paths = [tmp_path / f"{name}-trades.csv" for name in ("BTCUSDT", "ETHUSDT")]
    for path in paths:
        path.write_text(ROW)

    feed = open_feed(FeedSettings(source=",".join(map(str, paths)), speed=0.0))

    assert isinstance(feed, RecordingFeed)
    assert [contract.symbol for contract in feed.instruments()] == ["BTCUSDT", "ETHUSDT"]


def test_a_path_with_a_comma_in_it_is_one_path(tmp_path):
    folder = tmp_path / "a,b"
    folder.mkdir()
    (folder / "BTCUSDT-trades.csv").write_text(ROW)

    assert open_feed(FeedSettings(source=str(folder))).default_timeframe == "5s"


@pytest.mark.parametrize("source", ["synthetc", "", " "])
def test_an_unknown_name_is_refused_with_those_there_are(source):
    with pytest.raises(ConfigError, match="synthetic"):
        open_feed(FeedSettings(source=source))


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        open_feed(FeedSettings(source=str(tmp_path / "nothing.csv")))


def test_every_feed_keeps_the_port():
    for make in FEEDS.values():
        feed: Feed = make(FeedSettings(start_ts=START))
        assert feed.is_live or feed.history(BTC, "1m", START, 1)  # a live one asks its venue
