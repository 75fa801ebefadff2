"""Floor 4: the simulated exchange on a port; it speaks Binance USD-M Futures."""

from __future__ import annotations

from .app import Server, create_server
from .settings import ApiKey, LimitSettings, ServerSettings, parse_account
from .venue import Venue

__all__ = [
    "ApiKey",
    "LimitSettings",
    "Server",
    "ServerSettings",
    "Venue",
    "create_server",
    "parse_account",
]
