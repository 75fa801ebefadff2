"""How an exchange on a port is set up: where it listens, what it is fed, who may trade."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from ..exchange import Liquidity
from ..feeds import FeedSettings
from ..model.config_kinds import Secret
from ..model.errors import ConfigError
from ..model.values import AccountId, Symbol
from .faults import Rule
from .heartbeat import StreamLimits

DEFAULT_KEY = "test"
"""Key and secret of the account that is there when none is given. Fixed, and no secret at all."""

NO_FEED = "none"
"""The feed of a market that moves only when `POST /admin/market` moves it."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What lets a program trade an account.

    `secret` is for HMAC; `public_key` is a PEM text, RSA or Ed25519. One of them is given.
    """

    key: str
    account: AccountId
    secret: str = ""
    public_key: str = ""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "secret", Secret(self.secret))


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be asked for; 0 is no limit."""

    weight_1m: int = 2400
    orders_10s: int = 300
    orders_1m: int = 1200
    funding_5m: int = 500  # requests of an address for funding rates, which have no weight
    statistics_5m: int = 1000  # and for statistics
    warnings: int = 10  # refused requests of one minute after which the address is banned
    ban_s: int = 120  # of a first ban; each further one is twice as long


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a start may say.

    `symbols` empty lists what the feed has. `port` 0 takes a free one. `faults` is a file.
    """

    host: str = "127.0.0.1"
    port: int = 0
    feed: FeedSettings = FeedSettings()
    feed_url: str = ""  # another host for a live feed, REST and streams
    symbols: tuple[Symbol, ...] = ()
    keys: tuple[ApiKey, ...] = ()
    balance: Decimal = Decimal(10_000)  # USDT, put in when an account is opened
    leverage: int = 20
    liquidity: Liquidity = Liquidity()
    limits: LimitSettings = LimitSettings()
    streams: StreamLimits = StreamLimits()
    data_dir: Path | None = None
    faults: Path | None = None
    fault_rules: tuple[Rule, ...] = ()  # before those of the file
    fault_seed: int = 0
    strict_routing: bool = False
    legacy_acks: bool = False
    own_child_names: bool = False  # what a conditional order becomes has a client id of its own
    admin_token: str = ""  # needed where the server listens beyond the loopback

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "admin_token", Secret(self.admin_token))

    def all_keys(self) -> tuple[ApiKey, ...]:
        """Return the keys given, or the default one."""
        default = ApiKey(key=DEFAULT_KEY, secret=DEFAULT_KEY, account=AccountId(DEFAULT_KEY))
        return self.keys or (default,)


def parse_account(text: str) -> ApiKey:
    """Read `KEY:SECRET`, or `KEY:@FILE` for a file with a public key (RSA or Ed25519, PEM).

    Raises:
        ConfigError: it is neither, or the file can't be read.
    """
    key, colon, secret = text.partition(":")
    if not colon or not key or not secret:
        found = f"one of {len(text)} characters has {'no colon' if not colon else 'half of it'}"
        expected = "an account is a key, a colon, and a secret or @ with a public key's file"
        raise ConfigError(f"{expected}; {found}")  # not shown: it may be the secret
    account = AccountId(key)
    if not secret.startswith("@"):
        return ApiKey(key=key, secret=secret, account=account)
    path = Path(secret[1:]).expanduser()
    try:
        return ApiKey(key=key, public_key=path.read_text("ascii"), account=account)
    except (OSError, ValueError) as error:
        raise ConfigError(f"public key {path} of account {key} can't be read: {error}") from error
