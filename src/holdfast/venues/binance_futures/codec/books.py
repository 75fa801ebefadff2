"""The account's positions, wallets and settings as REST lists them."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from ....model.messages import VenuePosition
from ....model.values import LARGEST_AMOUNT, ZERO, Symbol
from .lists import Others, read_rows
from .wire import Said, checked, decode, said


class PositionRow(msgspec.Struct, frozen=True, rename="camel"):
    """One row of `positionRisk`."""

    symbol: str
    position_amt: Decimal
    entry_price: Decimal = ZERO
    position_side: str = "BOTH"
    isolated_wallet: Decimal = ZERO
    mark_price: Said = ""


class AssetRow(msgspec.Struct, frozen=True, rename="camel"):
    """One asset of `account`. The wallet is cross and isolated together, without open profit."""

    asset: str
    wallet_balance: Decimal


class _Account(msgspec.Struct, frozen=True, rename="camel"):
    assets: tuple[AssetRow, ...]


class AccountConfig(msgspec.Struct, frozen=True, rename="camel"):
    """What the account is set to. An answer without the position mode is none."""

    dual_side_position: bool  # hedge mode
    multi_assets_margin: bool = False
    can_trade: bool = True


class KeyRestrictions(msgspec.Struct, frozen=True, rename="camel"):
    """What an API key may do. What is not said counts as the worse."""

    enable_withdrawals: bool = True
    enable_futures: bool = False
    ip_restrict: bool = False


class SymbolConfig(msgspec.Struct, frozen=True, rename="camel"):
    """What a symbol is set to."""

    symbol: str
    leverage: int
    margin_type: str = "CROSSED"

    @property
    def is_isolated(self) -> bool:
        """Tell whether each of its positions has margin of its own."""
        return self.margin_type.upper() == "ISOLATED"


class _Leverage(msgspec.Struct, frozen=True):
    leverage: int


class _ListenKey(msgspec.Struct, frozen=True, rename="camel"):
    listen_key: str = ""


class _ServerTime(msgspec.Struct, frozen=True, rename="camel"):
    server_time: int


class PositionBooks(NamedTuple):
    """Positions, and whether any is kept apart by side (hedge mode)."""

    positions: tuple[VenuePosition, ...]
    is_hedged: bool


_POSITION = msgspec.json.Decoder(PositionRow, strict=False)
_ACCOUNT = msgspec.json.Decoder(_Account, strict=False)
_ACCOUNT_CONFIG = msgspec.json.Decoder(AccountConfig, strict=False)
_KEY_RESTRICTIONS = msgspec.json.Decoder(KeyRestrictions, strict=False)
_SYMBOL_CONFIG = msgspec.json.Decoder(SymbolConfig, strict=False)
_LEVERAGE = msgspec.json.Decoder(_Leverage, strict=False)
_LISTEN_KEY = msgspec.json.Decoder(_ListenKey, strict=False)
_SERVER_TIME = msgspec.json.Decoder(_ServerTime, strict=False)


def positions(raw: bytes | msgspec.Raw, others: Others | None = None) -> PositionBooks:
    """Read `positionRisk`, without what is flat.

    In hedge mode a symbol's two positions come as their sum with the larger one's entry price:
    good for an alarm, not for trading on.
    """
    found: dict[Symbol, dict[str, PositionRow]] = {}
    for row in read_rows(raw, _position_row, "the list of positions", others):
        if row.position_amt:
            found.setdefault(Symbol(row.symbol), {})[row.position_side] = row  # told twice is once
    return PositionBooks(
        tuple(_position(symbol, [*rows.values()]) for symbol, rows in found.items()),
        any(side != "BOTH" for rows in found.values() for side in rows),
    )


def in_use(raw: bytes | msgspec.Raw, others: Others | None = None) -> frozenset[str]:
    """Read which symbols `positionRisk` lists: those with a position, or with an order."""
    rows = read_rows(raw, _position_row, "the list of positions", others)
    return frozenset(row.symbol for row in rows)


def _position_row(raw: msgspec.Raw) -> PositionRow:
    row = decode(_POSITION, raw, "a position")
    checked(row.position_amt, "positionAmt")
    checked(row.entry_price, "entryPrice")
    checked(row.isolated_wallet, "isolatedWallet")
    return row


def _position(symbol: Symbol, rows: list[PositionRow]) -> VenuePosition:
    largest = max(rows, key=lambda row: abs(row.position_amt))
    return VenuePosition(
        symbol=symbol,
        qty=sum((row.position_amt for row in rows), ZERO),
        entry_price=largest.entry_price,
        isolated_wallet=sum((row.isolated_wallet for row in rows), ZERO),
        mark_price=_mark(largest.mark_price),
    )


def _mark(told: Said) -> float:
    """Return a mark price, 0 for what is none: a position counts whatever is told of its worth."""
    try:
        mark = float(said(told))
    except ValueError:
        return 0.0
    return mark if 0.0 < mark < float(LARGEST_AMOUNT) else 0.0


def balances(raw: bytes | msgspec.Raw) -> dict[str, Decimal]:
    """Read each asset's wallet from `account`, without the empty ones."""
    return {
        row.asset: row.wallet_balance
        for row in decode(_ACCOUNT, raw, "the account").assets
        if checked(row.wallet_balance, "walletBalance")
    }


def account_config(raw: bytes | msgspec.Raw) -> AccountConfig:
    """Read `accountConfig`."""
    return decode(_ACCOUNT_CONFIG, raw, "the account's settings")


def key_restrictions(raw: bytes | msgspec.Raw) -> KeyRestrictions:
    """Read `apiRestrictions`."""
    return decode(_KEY_RESTRICTIONS, raw, "what the key may do")


def symbol_configs(
    raw: bytes | msgspec.Raw, others: Others | None = None
) -> tuple[SymbolConfig, ...]:
    """Read each symbol's leverage and margin mode from `symbolConfig`; not those of others."""
    return tuple(read_rows(raw, _symbol_config, "the symbols' settings", others, is_vast=True))


def _symbol_config(raw: msgspec.Raw) -> SymbolConfig:
    return decode(_SYMBOL_CONFIG, raw, "a symbol's settings")


def leverage(raw: bytes | msgspec.Raw) -> int:
    """Read the answer to a new leverage."""
    return decode(_LEVERAGE, raw, "the answer to a new leverage").leverage


def listen_key(raw: bytes | msgspec.Raw) -> str:
    """Read the answer to POST or PUT listenKey; "" where it names none."""
    return decode(_LISTEN_KEY, raw, "the answer with a listen key").listen_key


def server_time_ms(raw: bytes | msgspec.Raw) -> int:
    """Read the venue's time, milliseconds."""
    return decode(_SERVER_TIME, raw, "the venue's time").server_time
