"""The strategy that `holdfast new strategy` writes: small, commented, and it runs."""

from __future__ import annotations

import keyword

from ..model.errors import StrategyError

_TEMPLATE = '''\
"""{name}: long while the price is above its average.

Run it as THIS_FILE.py:{name}, or with parameters as THIS_FILE.py:{name}:period=50.
"""

from holdfast.indicators import SMA
from holdfast.model.market import Bar
from holdfast.strategies import Strategy


class {name}(Strategy):
    def __init__(self, period: int = 20) -> None:
        self.period = period
        self.warmup_bars = period  # history to replay before the first live bar
        self.averages: dict[str, SMA] = {{}}  # one for each symbol

    def on_bar(self, bar: Bar) -> None:
        average = self.averages.setdefault(bar.symbol, SMA(self.period)).update(bar.close)
        if average is None:  # too few bars yet
            return
        held = self.ctx.position(bar.symbol)  # 0 again when a stop has closed it
        if bar.close > average and held == 0:
            # No quantity: the sizing rules decide. Prices are Decimal, text, int or float.
            self.signal("BUY", bar.symbol, stop_loss=bar.close * 0.98, reason="above average")
        elif bar.close < average and held > 0:
            self.signal("CLOSE", bar.symbol, reason="below average")
'''
_TAKEN = ("Bar", "SMA", "Strategy", "dict", "int", "str")


def new_strategy_source(class_name: str) -> str:
    """Return the text of a strategy file.

    Raises:
        StrategyError: the name is none that a class of that file could have.
    """
    if not class_name.isidentifier() or keyword.iskeyword(class_name) or class_name in _TAKEN:
        raise StrategyError(
            f"a strategy's class needs a name like MyBreakout, other than {', '.join(_TAKEN[:3])}, "
            f"was {class_name!r}"
        )
    return _TEMPLATE.format(name=class_name)
