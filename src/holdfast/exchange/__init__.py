"""Floor 1: the simulated exchange. Pure: no I/O, no clock, no randomness."""

from .catalog import (
    KNOWN_SYMBOLS,
    completed_instrument,
    guess_instrument,
    known_instrument,
)
from .exchange import Exchange
from .ledger import AccountMargin, Position, SymbolMargin
from .liquidation import ADL_PREFIX, LIQUIDATION_PREFIX
from .liquidity import Liquidity
from .orders import Expiry, Fate, OrderKey, PositionSide, SelfTrade, VenueOrder
from .outputs import (
    AccountUpdate,
    HedgedReport,
    OrderUpdate,
    Output,
    PositionShown,
    VenueNews,
    messages,
    position_side_of,
)
from .refusals import Refusal
from .rows import MarginMove, Row
from .settlement import SETTLEMENT_PREFIX
from .settlement import Terms as SettlementTerms

__all__ = [
    "ADL_PREFIX",
    "KNOWN_SYMBOLS",
    "LIQUIDATION_PREFIX",
    "SETTLEMENT_PREFIX",
    "AccountMargin",
    "AccountUpdate",
    "Exchange",
    "Expiry",
    "Fate",
    "HedgedReport",
    "Liquidity",
    "MarginMove",
    "OrderKey",
    "OrderUpdate",
    "Output",
    "Position",
    "PositionShown",
    "PositionSide",
    "Refusal",
    "Row",
    "SelfTrade",
    "SettlementTerms",
    "SymbolMargin",
    "VenueNews",
    "VenueOrder",
    "completed_instrument",
    "guess_instrument",
    "known_instrument",
    "messages",
    "position_side_of",
]
