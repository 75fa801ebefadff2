"""Floor 3: market data from files and from a seeded generator, behind the `Feed` port."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ..model.errors import ConfigError
from ..ports import Feed
from .settings import DEFAULT_SYMBOLS, MAX_SPEED, FeedSettings, parse_speed

if TYPE_CHECKING:
    from .recording import RecordingFeed, read_recording
    from .synthetic import SyntheticFeed

__all__ = [
    "DEFAULT_SYMBOLS",
    "FEEDS",
    "MAX_SPEED",
    "TESTNET_FEED",
    "FeedSettings",
    "RecordingFeed",
    "SyntheticFeed",
    "open_feed",
    "parse_speed",
    "read_recording",
]

# Imported by those who use them: a session on a live market needs no numpy.
_HOMES = {
    "RecordingFeed": "recording",
    "SyntheticFeed": "synthetic",
    "read_recording": "recording",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def _synthetic(settings: FeedSettings) -> Feed:
    from .synthetic import SyntheticFeed  # noqa: PLC0415 - loads numpy

    return SyntheticFeed(settings)


def _binance_futures(settings: FeedSettings) -> Feed:
    from .binance_futures import open_live  # noqa: PLC0415 - loads aiohttp

    return open_live(settings)


def _binance_futures_testnet(settings: FeedSettings) -> Feed:
    return _binance_futures(
        msgspec.structs.replace(settings, testnet=True, rest_url=None, stream_url=None)
    )


TESTNET_FEED = "binance_futures_testnet"
"""Of the testnet, whatever other settings say."""

FEEDS: dict[str, Callable[[FeedSettings], Feed]] = {
    "synthetic": _synthetic,
    "binance": _binance_futures,
    "binance_futures": _binance_futures,
    TESTNET_FEED: _binance_futures_testnet,
}
"""Feeds by name. Any other source is the name of recorded files."""


def open_feed(settings: FeedSettings) -> Feed:
    """Open the feed that `settings.source` names: one of `FEEDS`, or recorded files.

    Raises:
        ConfigError: there is neither, or a setting does not fit it.
        FeedError: the files are no market data.
    """
    if not settings.source.strip():
        raise ConfigError(f"a feed is one of {', '.join(FEEDS)}, or recorded files; it was empty")
    make = FEEDS.get(settings.source)
    if make is not None:
        return make(settings)
    from .recording import RecordingFeed  # noqa: PLC0415 - loads numpy

    try:
        return RecordingFeed.from_settings(settings)
    except ConfigError as error:
        if any(mark in settings.source for mark in "/.*,"):
            raise
        raise ConfigError(f"{error}; feeds by name are {', '.join(FEEDS)}") from error
