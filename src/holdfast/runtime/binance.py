"""A Binance USD-M Futures account as users hold it."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from ..feeds import FeedSettings
from ..model.config import TradingConfig
from ..model.config_keys import KEY_FILES, read_secret
from ..model.errors import ConfigError
from ..model.values import NS_PER_S
from ..ports import Venue
from ..venues import Wiring
from ..venues.binance_futures.adapter import BinanceFuturesVenue
from ..venues.binance_futures.counters import shared_budget
from ..venues.binance_futures.settings import (
    LEVERAGE,
    READ_LAG_NS,
    BinanceSettings,
    endpoints,
)
from ..venues.binance_futures.sign import make_signer
from .broker import LiveBrokerAdapter

FEED = "binance_futures"


class BinanceFuturesBroker(LiveBrokerAdapter):
    """A live account, or one of the testnet. It trades on the live market of the same place.

    Leverage is the configuration's, and so is how often a request is tried again.

    Args:
        api_key: as the venue shows it.
        api_secret: an HMAC secret, or a private key (Ed25519 or RSA) as PEM text or file name.
        testnet: False trades real money.
        rest_url: another host; it serves streams and the WebSocket API too unless those are given.
        isolated: margin of each position by itself instead of the whole account's.
        orders_over_ws: False sends every order over REST.
        dead_man_s: after how long a silence of ours the venue cancels entry orders; 0 never.
        read_lag_s: how far the venue's answers to questions may trail its books; it is part of
            every fence, and of the pause between two reads of the books.
        allow_withdrawals: takes a key that may withdraw funds, which is refused otherwise.
        switch_to_one_way: leaves hedge mode where the account has no positions and orders; an
            account in hedge mode is refused otherwise.
        password: of an encrypted private key.

    Raises:
        ConfigError: the key is empty, the secret can't be used, or an address is none.
    """

    def __init__(  # noqa: PLR0913 - what an account consists of
        self,
        api_key: str,
        api_secret: str,
        testnet: bool = True,
        *,
        rest_url: str | None = None,
        stream_url: str | None = None,
        ws_api_url: str | None = None,
        isolated: bool = False,
        orders_over_ws: bool = True,
        dead_man_s: int = 120,
        read_lag_s: float = READ_LAG_NS / NS_PER_S,
        allow_withdrawals: bool = False,
        switch_to_one_way: bool = False,
        password: str | None = None,
        config: TradingConfig | None = None,
    ) -> None:
        super().__init__(self._open_venue, config)
        if not api_key:
            raise ConfigError("the API key is empty")
        make_signer(api_secret, password=password)  # what is wrong with it is said at once
        self._key, self._secret, self._password = api_key, api_secret, password
        self._is_testnet, self._rest_url, self._stream_url = testnet, rest_url, stream_url
        self._settings = BinanceSettings(
            endpoints=endpoints(
                testnet=testnet, rest_url=rest_url, stream_url=stream_url, ws_api_url=ws_api_url
            ),
            leverage=LEVERAGE,
            is_isolated=isolated,
            orders_over_ws=orders_over_ws,
            dead_man_s=dead_man_s,
            allow_withdrawals=allow_withdrawals,
            switch_to_one_way=switch_to_one_way,
            read_lag_ns=round(read_lag_s * NS_PER_S),
        )

    def __repr__(self) -> str:
        return f"BinanceFuturesBroker({self._settings.endpoints.rest_url})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return key and secret; of a secret in a file, what is in it."""
        secret = self._secret
        if secret.endswith(KEY_FILES):
            secret = read_secret(Path(secret).expanduser())
        return tuple(text for text in (self._key, secret, self._password) if text)

    def market(self, settings: FeedSettings, *, is_named: bool) -> FeedSettings:
        """Show the market that orders go to."""
        return msgspec.structs.replace(
            settings,
            source=settings.source if is_named else FEED,
            testnet=self._is_testnet,
            rest_url=self._rest_url,
            stream_url=self._stream_url,
        )

    def _open_venue(self, wiring: Wiring) -> Venue:
        config = wiring.config
        return BinanceFuturesVenue(
            self._key,
            self._secret,
            clock=wiring.clock,
            password=self._password,
            known=wiring.known,
            settings=self._settings.set_by(
                config.leverage, dict(config.leverages), config.retry_attempts
            ),
            budget=shared_budget(self._settings.endpoints.rest_url, random.random),
        )
