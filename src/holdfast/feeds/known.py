"""Refuse a made-up market of symbols that nobody lists, unless it was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ..exchange import KNOWN_SYMBOLS, known_instrument
from ..model.errors import ConfigError
from ..model.values import Symbol


def check_known(symbols: Iterable[Symbol], place: str = "symbols") -> None:
    """See that each symbol is one that exists.

    Args:
        place: where the symbols were named.

    Raises:
        ConfigError: naming those that nobody lists, and how to have them invented.
    """
    unknown = [symbol for symbol in symbols if known_instrument(symbol) is None]
    if not unknown:
        return
    close = get_close_matches(unknown[0], KNOWN_SYMBOLS, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise ConfigError(
        f"{place}: the synthetic feed does not know {', '.join(unknown)}{hint}, only "
        f"{', '.join(KNOWN_SYMBOLS)}; with invented_symbols = true (--set invented_symbols=true) "
        "it makes up any other"
    )
