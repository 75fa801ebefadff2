"""What moves a wallet otherwise than by fills, as a venue tells it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .values import MAIN, AccountId, Symbol, TradeId


class FundingPayment(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Funding booked to the wallet. `amount` is signed: what we paid is negative."""

    account: AccountId = MAIN
    symbol: Symbol
    amount: Decimal
    payment_id: str
    venue_ts: int
    asset: str = "USDT"


class WalletChange(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money that moved for another reason than trading: deposit, withdrawal, insurance."""

    account: AccountId = MAIN
    asset: str
    amount: Decimal
    reason: str
    change_id: str
    venue_ts: int


class SettlementPayment(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What the venue's ledger says that the end of a contract brought: profit, or a fee of it.

    `trade_id` names the execution that it is the money of, where the ledger names one: what is
    booked with its execution is not booked again. Without one the position itself was settled.
    """

    account: AccountId = MAIN
    symbol: Symbol
    amount: Decimal
    settlement_id: str
    venue_ts: int
    asset: str = "USDT"
    trade_id: TradeId = TradeId("")
    is_fee: bool = False


AccountChange = FundingPayment | WalletChange | SettlementPayment
"""What moves a wallet otherwise than by fills."""
