"""A Binance USD-M Futures account as users hold it."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from ..feeds import FeedSettings
from ..model.config import TradingConfig
from ..model.config_keys import KEY_FILES, anchored_secret, read_secret
from ..model.values import NS_PER_S
from ..ports import Venue
from ..venues import Wiring
from ..venues.binance_futures.adapter import BinanceFuturesVenue
from ..venues.binance_futures.counters import shared_budget
from ..venues.binance_futures.opening import settings_of
from ..venues.binance_futures.settings import endpoints
from ..venues.binance_futures.sign import Credentials
from .broker import LiveBrokerAdapter

FEED = "binance_futures"


class BinanceFuturesBroker(LiveBrokerAdapter):
    """A live account, or one of the testnet. It trades on the live market of the same place.

    Where it is (`testnet` and addresses) and its key are the broker's own. How it is traded is the
    session's configuration, but for what is said here: None takes the setting of that name.

    Args:
        api_key: as the venue shows it.
        api_secret: an HMAC secret, or a private key (Ed25519 or RSA) as PEM text or file name.
        testnet: False trades real money.
        rest_url: another host; it serves streams and the WebSocket API too unless those are given.
        isolated: margin of each position by itself instead of the whole account's.
        orders_over_ws: False sends every order over REST.
        dead_man_s: after how long a silence of ours the venue cancels entry orders; 0 never.
        read_lag_s: how far the venue's answers to questions may trail its books; it is part of
            every fence, and of the pause between two reads of the books. None: `read_lag_ns`.
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
        isolated: bool | None = None,
        orders_over_ws: bool | None = None,
        dead_man_s: int | None = None,
        read_lag_s: float | None = None,
        allow_withdrawals: bool | None = None,
        switch_to_one_way: bool | None = None,
        password: str | None = None,
        config: TradingConfig | None = None,
    ) -> None:
        super().__init__(self._open_venue, config)
        Credentials(api_key, api_secret, password=password)  # what is wrong is said at once
        self._key, self._secret = api_key.strip(), anchored_secret(api_secret)
        self._password = password
        self._is_testnet, self._rest_url, self._stream_url = testnet, rest_url, stream_url
        self._where = endpoints(
            testnet=testnet, rest_url=rest_url, stream_url=stream_url, ws_api_url=ws_api_url
        )
        said: dict[str, object] = {
            "is_isolated": isolated,
            "orders_over_ws": orders_over_ws,
            "dead_man_s": dead_man_s,
            "allow_withdrawals": allow_withdrawals,
            "switch_to_one_way": switch_to_one_way,
            "read_lag_ns": None if read_lag_s is None else round(read_lag_s * NS_PER_S),
        }
        self._said = {name: value for name, value in said.items() if value is not None}

    def __repr__(self) -> str:
        return f"BinanceFuturesBroker({self._where.rest_url})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return key and secret; of a secret in a file, what is in it."""
        secret = self._secret
        if secret.endswith(KEY_FILES):
            secret = read_secret(Path(secret))
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
        settings = settings_of(wiring.config)
        return BinanceFuturesVenue(
            self._key,
            self._secret,
            clock=wiring.clock,
            password=self._password,
            known=wiring.known,
            settings=msgspec.structs.replace(settings, endpoints=self._where, **self._said),
            budget=shared_budget(self._where.rest_url, random.random),
        )
