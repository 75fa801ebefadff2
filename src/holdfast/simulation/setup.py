"""What the user has set: the configuration, the symbols, the strategies. It may change."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from ..model.config import TradingConfig
from ..model.settings import EXECUTIONS_COUNTED_MAX, MESSAGES_COUNTED_MAX
from ..model.values import Symbol
from .disk import SCHEME
from .spec import BOLDNESS


class Setup:
    """The user's settings. `boldest` is the largest limit of a position that there ever was."""

    def __init__(
        self, durability: str, boldness: int, symbols: tuple[Symbol, ...], *, are_two: bool = False
    ) -> None:
        self._are_two = are_two
        self._settings: dict[str, object] = {
            "durability": durability,
            "position_size_pct": BOLDNESS[boldness],
        }
        self.symbols = symbols
        self.strategies_left_out = 0
        self.config = _config(are_two, **self._settings)
        self.boldest = self.config.position_size_pct

    def change(self, settings: dict[str, object]) -> None:
        """Set some things anew; the next life goes by them."""
        self._settings |= settings
        self.config = _config(self._are_two, **self._settings)
        self.boldest = max(self.boldest, self.config.position_size_pct)


@lru_cache(maxsize=64)
def _config(are_two: bool, /, **settings: object) -> TradingConfig:
    base: dict[str, object] = {
        "database_url": f"{SCHEME}://disk",
        "max_daily_loss_pct": Decimal("0.9"),
        "min_free_margin_pct": Decimal("0.01"),
        "volatility_max": Decimal(1000),
        "max_executions": EXECUTIONS_COUNTED_MAX,
        "max_messages": MESSAGES_COUNTED_MAX,
        "disabled": ("correlation",),
        "save_state_interval": 45,
        **({"accounts": {"second": {"leverage": 10}}} if are_two else {}),
    }
    return TradingConfig(**{**base, **settings})
