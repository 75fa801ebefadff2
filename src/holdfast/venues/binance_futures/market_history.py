"""Bars and contracts over public REST, for those who may not wait on a loop.

What warms a strategy up and what describes a contract is asked for before anything trades, in
plain calls that block: each within `ANSWER_S`.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Sequence

from ...model.bars import BarBuilder
from ...model.errors import ConfigError, NetworkError
from ...model.instrument import Instrument
from ...model.market import Bar, timeframe_ns
from ...model.values import Symbol
from . import codec
from .codec import Call, reads, rest_request

INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
PAGE_MAX = 1500
PAGES_MAX = 20
ANSWER_S = 5.0
TRIES_MAX = 3
PAUSE_S = 0.3

_BY_LENGTH = sorted(INTERVALS, key=timeframe_ns, reverse=True)


class PublicRest:
    """Reads public market data at one address; blocks."""

    def __init__(self, rest_url: str) -> None:
        if not rest_url.startswith(("http://", "https://")):
            raise ConfigError(f"rest_url must begin with http:// or https://, was {rest_url!r}")
        self._url = rest_url

    def instruments(self, symbols: Sequence[Symbol]) -> list[Instrument]:
        """Return contracts without brackets and with the usual fees.

        Raises:
            NetworkError: there was no answer.
            ConfigError: a symbol is not traded there.
        """
        info = codec.exchange_info(self._get(reads.exchange_info()))
        return [codec.instrument(codec.contract(info, symbol)) for symbol in symbols]

    def bars(self, symbol: Symbol, timeframe: str, before_ts: int, count: int) -> list[Bar]:
        """Return up to `count` closed bars that end at or before a time, oldest first.

        Time frames that the venue lacks are built of smaller ones; there is none below a minute.

        Raises:
            NetworkError: there was no answer.
        """
        length = timeframe_ns(timeframe)
        interval = next((each for each in _BY_LENGTH if length % timeframe_ns(each) == 0), None)
        if interval is None or count <= 0:
            return []
        until = before_ts - before_ts % length
        parts = count * (length // timeframe_ns(interval))
        found = self._parts(symbol, interval, until, min(parts, PAGE_MAX * PAGES_MAX))
        builder = BarBuilder(symbol, [timeframe])
        whole = [bar for part in found for bar in builder.on_bar(part)]
        if found and found[0].open_ts % length and whole:
            del whole[0]  # its beginning is missing
        return whole[-count:]

    def _parts(self, symbol: Symbol, interval: str, until: int, wanted: int) -> list[Bar]:
        """Read bars page by page, backwards from a time."""
        found: list[Bar] = []
        while len(found) < wanted:
            count = min(PAGE_MAX, wanted - len(found))
            raw = self._get(reads.klines(symbol, interval, until, count))
            page = codec.bars(raw, symbol, interval, until)
            found = [*page, *found]
            if len(page) < count:
                break
            until = page[0].open_ts
        return found

    def _get(self, call: Call) -> bytes:
        problem = ""
        for attempt in range(TRIES_MAX):
            if attempt:
                time.sleep(PAUSE_S)
            try:
                # The scheme was checked where the address was given.
                address = self._url + rest_request(call).target
                with urllib.request.urlopen(address, timeout=ANSWER_S) as answer:  # noqa: S310
                    body: bytes = answer.read()
                    return body
            except urllib.error.HTTPError as error:
                said = codec.read_error(error.read())
                problem = f"HTTP {error.code} {said.msg}"
                error.close()
            except (OSError, http.client.HTTPException) as error:
                problem = str(error) or type(error).__name__
        raise NetworkError(f"{self._url}{call.route.path}: {problem}")
