"""The books once more, straight from the facts and apart from the engine's own fold.

What the engine holds and what the venue says are compared with this: position is the sum of
fills, wallet is deposits + realized - fees + funding, and no trade counts twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ..model.events import (
    Event,
    FundingPaid,
    OrderFilled,
    PositionAdopted,
    SettlementPaid,
    WalletChanged,
)
from ..model.values import ZERO, AccountId, Key, Symbol, plain
from .context import Context

AssetKey = tuple[AccountId, str]
"""What balances are kept under: account and asset."""


class Wallet(msgspec.Struct, kw_only=True):
    """What moved one asset of one account."""

    deposits: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def balance(self) -> Decimal:
        """Return deposits + realized - fees + funding."""
        return self.deposits + self.realized - self.fees + self.funding


class Books:
    """Positions and wallets as the facts add up.

    Args:
        context: one that already hears every fact from somebody else; None keeps its own.
        positions: where to go on from.
        wallets: the same.
    """

    def __init__(
        self,
        context: Context | None = None,
        positions: dict[Key, Decimal] | None = None,
        wallets: dict[AssetKey, Wallet] | None = None,
    ) -> None:
        self.positions: dict[Key, Decimal] = positions or {}
        self.wallets: dict[AssetKey, Wallet] = wallets or {}
        self._context = context or Context()
        self._feeds_context = context is None

    def apply(self, fact: Event) -> None:
        """Take one fact in."""
        if self._feeds_context:
            self._context.apply(fact)
        match fact:
            case OrderFilled():
                self._fill(fact)
            case PositionAdopted():
                self.positions[fact.account, fact.symbol] = fact.qty
            case FundingPaid():
                self._wallet(fact.account, fact.asset).funding += fact.amount
            case SettlementPaid() if fact.is_fee:
                self._wallet(fact.account, fact.asset).fees -= fact.amount
            case SettlementPaid():
                self._wallet(fact.account, fact.asset).realized += fact.amount
            case WalletChanged():
                self._wallet(fact.account, fact.asset).deposits += fact.amount
            case _:
                pass

    def _fill(self, fill: OrderFilled) -> None:
        key = (fill.account, fill.symbol)
        self.positions[key] = self.positions.get(key, ZERO) + fill.qty * fill.side.sign
        asset = self._context.margin_asset_of(key)
        self._wallet(fill.account, asset).realized += fill.realized_pnl
        self._wallet(fill.account, fill.fee_asset).fees += fill.fee

    def _wallet(self, account: AccountId, asset: str) -> Wallet:
        return self.wallets.setdefault((account, asset), Wallet())

    def balance(self, account: AccountId, asset: str) -> Decimal:
        """Return what an account has of an asset; 0 where no fact names it."""
        wallet = self.wallets.get((account, asset))
        return wallet.balance if wallet else ZERO

    def differences(
        self,
        positions: Mapping[Key, Decimal],
        balances: Mapping[AssetKey, Decimal],
        tolerance: Decimal = ZERO,
    ) -> list[str]:
        """Say where another's books are not these; an entry that is missing counts as zero.

        Args:
            tolerance: by how much balances may differ; positions never may.
        """
        found = _compare(
            {_position(*key): qty for key, qty in self.positions.items()},
            {_position(*key): qty for key, qty in positions.items()},
            ZERO,
        )
        return found + _compare(
            {_balance(*key): wallet.balance for key, wallet in self.wallets.items()},
            {_balance(*key): balance for key, balance in balances.items()},
            tolerance,
        )


def fold_books(facts: Iterable[Event]) -> Books:
    """Return the books of a whole journal."""
    books = Books()
    for fact in facts:
        books.apply(fact)
    return books


def repeated_ids(facts: Iterable[Event]) -> list[str]:
    """Name each trade, funding payment and wallet change that was booked more than once."""
    counts = Counter(name for fact in facts if (name := _id_of(fact)))
    return [f"{name}: booked {count} times" for name, count in counts.items() if count > 1]


def _id_of(fact: Event) -> str | None:
    match fact:
        case OrderFilled():
            return f"trade {fact.trade_id} of {fact.symbol}, account {fact.account}"
        case FundingPaid():
            return f"payment {fact.payment_id} of account {fact.account}"
        case SettlementPaid():
            return f"payment {fact.settlement_id} of account {fact.account}"
        case WalletChanged():
            return f"payment {fact.change_id} of account {fact.account}"
        case _:
            return None


def _position(account: AccountId, symbol: Symbol) -> str:
    return f"position {symbol} of account {account}"


def _balance(account: AccountId, asset: str) -> str:
    return f"balance {asset} of account {account}"


def _compare(
    ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal], tolerance: Decimal
) -> list[str]:
    found = []
    for name in sorted({*ours, *theirs}):
        own, other = ours.get(name, ZERO), theirs.get(name, ZERO)
        if abs(own - other) > tolerance:
            found.append(f"{name}: the facts make {plain(own)}, not {plain(other)}")
    return found
