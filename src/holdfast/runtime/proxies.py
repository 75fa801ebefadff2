"""A proxy that the environment names, and that connections to an exchange do not take."""

from __future__ import annotations

import os

from ..feeds import FEEDS
from ..model.config import TradingConfig
from ..venues import PAPER

NAMES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
MADE_UP = "synthetic"

WAY_OUT = "let this machine reach the exchange directly, or through a tunnel; or unset it"


def unused_proxy(config: TradingConfig) -> str:
    """Say that a session with these settings goes past a proxy; "" where it does not."""
    is_live = config.feed in FEEDS and config.feed != MADE_UP
    if not is_live and (config.dry_run or config.venue == PAPER):
        return ""
    named = next((name for name in NAMES if os.environ.get(name)), "")
    if not named:
        return ""
    return f"{named} is set, but connections to the exchange take no proxy: they go out directly"
