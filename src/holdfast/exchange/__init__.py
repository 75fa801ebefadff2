"""Floor 1: the simulated exchange. Pure: no I/O, no clock, no randomness."""

from .catalog import guess_instrument, known_instrument
from .exchange import Exchange
from .ledger import AccountMargin, Position, SymbolMargin
from .liquidity import Liquidity
from .orders import Expiry, OrderKey, SelfTrade, VenueOrder
from .outputs import AccountUpdate, OrderUpdate, Output, VenueNews, messages
from .refusals import Refusal
from .rows import Row

__all__ = [
    "AccountMargin",
    "AccountUpdate",
    "Exchange",
    "Expiry",
    "Liquidity",
    "OrderKey",
    "OrderUpdate",
    "Output",
    "Position",
    "Refusal",
    "Row",
    "SelfTrade",
    "SymbolMargin",
    "VenueNews",
    "VenueOrder",
    "guess_instrument",
    "known_instrument",
    "messages",
]
