"""Where the venue is, and how an account there is to be traded."""

from __future__ import annotations

import msgspec

from ...model.errors import ConfigError
from ...model.ids import PREFIX
from ...model.values import NS_PER_S, Symbol
from .clock_offset import SKEW_MAX_NS

LEVERAGE = 5
READ_LAG_NS = 2 * NS_PER_S
"""How far the venue's answers to queries are taken to trail its books."""


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """The three doors: REST, streams, and the WebSocket API. No slash at the end.

    `permissions_url` is the host that knows what a key may do; "" where there is none.
    """

    rest_url: str
    stream_url: str
    ws_api_url: str
    permissions_url: str = ""


MAINNET = Endpoints(
    rest_url="https://fapi.binance.com",
    stream_url="wss://fstream.binance.com",
    ws_api_url="wss://ws-fapi.binance.com/ws-fapi/v1",
    permissions_url="https://api.binance.com",
)
TESTNET = Endpoints(
    rest_url="https://demo-fapi.binance.com",
    stream_url="wss://fstream.binancefuture.com",
    ws_api_url="wss://testnet.binancefuture.com/ws-fapi/v1",
)


def endpoints(
    *,
    testnet: bool,
    rest_url: str | None = None,
    stream_url: str | None = None,
    ws_api_url: str | None = None,
) -> Endpoints:
    """Return the doors, each of them the venue's unless named.

    A host that is named for REST alone serves the others too, on the paths of the venue.

    Raises:
        ConfigError: an address has the wrong scheme.
    """
    known = TESTNET if testnet else MAINNET
    if rest_url is None:
        rest, streams, api = known.rest_url, known.stream_url, known.ws_api_url
    else:
        rest = _checked(rest_url, "rest_url", ("http://", "https://"))
        streams = "ws" + rest.removeprefix("http")
        api = f"{streams}/ws-fapi/v1"
    if stream_url is not None:
        streams = _checked(stream_url, "stream_url", ("ws://", "wss://"))
    if ws_api_url is not None:
        api = _checked(ws_api_url, "ws_api_url", ("ws://", "wss://"))
    return Endpoints(
        rest_url=rest,
        stream_url=streams,
        ws_api_url=api,
        permissions_url=known.permissions_url if rest_url is None else "",
    )


def _checked(url: str, name: str, schemes: tuple[str, ...]) -> str:
    if not url.startswith(schemes):
        raise ConfigError(f"{name} must begin with {' or '.join(schemes)}, was {url!r}")
    return url.rstrip("/")


ONE_BY_ONE_MAX = 20
"""Up to so many symbols an audit asks after each: above it all at once weighs less."""


class BinanceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an account is traded. Leverage and margin mode are set when the venue is joined.

    `retry_attempts` is how often a request is tried again of which nothing was carried out.
    `dead_man_s` is after how long without us the venue cancels entry orders; 0 never.
    `allow_withdrawals` takes a key that may withdraw. `switch_to_one_way` leaves hedge mode where
    the account is flat; otherwise an account in hedge mode is refused. `clock_skew_ns` is how far
    off the engine's fences take our clock to be: further off, nothing new is opened. Of more
    symbols than `one_by_one_max` an audit reads executions only where something happened.
    `order_prefix` is how ids of our orders begin.
    """

    endpoints: Endpoints = TESTNET
    leverage: int = LEVERAGE
    leverages: dict[Symbol, int] = {}  # where a symbol's differs
    is_isolated: bool = False
    retry_attempts: int = 3
    orders_over_ws: bool = True
    dead_man_s: int = 120
    read_lag_ns: int = READ_LAG_NS
    clock_skew_ns: int = SKEW_MAX_NS
    one_by_one_max: int = ONE_BY_ONE_MAX
    allow_withdrawals: bool = False
    switch_to_one_way: bool = False
    order_prefix: str = PREFIX

    def leverage_of(self, symbol: Symbol) -> int:
        """Return the leverage a symbol is to be traded at."""
        return self.leverages.get(symbol, self.leverage)
