"""One account's money: wallets by asset and the totals that they are made of.

Law: in every asset, wallet == deposits + realized - fees + funding, exactly.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..model import events as ev
from ..model.values import ZERO

OPENING = "opening"
"""What the reasons begin with of what an account's books begin with."""

TRANSFERS = frozenset(
    {
        "TRANSFER",
        "INTERNAL_TRANSFER",
        "CROSS_COLLATERAL_TRANSFER",
        "STRATEGY_UMFUTURES_TRANSFER",
        "COIN_SWAP_DEPOSIT",
        "COIN_SWAP_WITHDRAW",
        "deposit",
    }
)
"""Reasons of money that somebody moved (Binance's words, and the simulated exchange's)."""


class Benchmark(msgspec.Struct):
    """What the equity in one margin asset is compared with.

    `day` and `day_equity` say when (days since 1970-01-01, UTC) and with how much the trading
    day began, -1 before the first; `peak_equity` is the session's highest. What was paid in or
    taken out since is in both.
    """

    day: int = -1
    day_equity: Decimal = ZERO
    peak_equity: Decimal = ZERO


NO_BENCHMARK = Benchmark()
"""Of an asset in which no contract is settled, or not yet. Read it, never change it."""


class AccountState(msgspec.Struct):
    """Balances and running totals, keyed by asset; `benchmarks` by margin asset alone."""

    deposits: dict[str, Decimal] = {}
    realized: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    funding: dict[str, Decimal] = {}
    opened_ts: int = 0  # when the books were begun, by the venue's clock; 0 before
    begun_ts: int = 0  # the same by ours
    benchmarks: dict[str, Benchmark] = {}
    sampled_ts: int = 0
    moved_ts: int = 0  # when a fill, funding or a transfer was last booked
    changes_seen: dict[str, int] = {}  # ids of funding and wallet changes -> when
    trades_until: int = 0  # every execution up to here has been booked (venue's time, ns)

    def wallet(self, asset: str) -> Decimal:
        """Return the balance that deposits, profits, fees and funding add up to."""
        return (
            self.deposits.get(asset, ZERO)
            + self.realized.get(asset, ZERO)
            - self.fees.get(asset, ZERO)
            + self.funding.get(asset, ZERO)
        )

    def benchmark(self, asset: str) -> Benchmark:
        """Return what the equity in a margin asset is compared with."""
        return self.benchmarks.get(asset, NO_BENCHMARK)

    def assets(self) -> set[str]:
        """Return every asset that was ever touched."""
        return {*self.deposits, *self.realized, *self.fees, *self.funding}

    def apply_fill(self, fill: ev.OrderFilled, margin_asset: str) -> None:
        """Book profit and fee of one execution."""
        self.moved_ts = fill.ts
        _add(self.realized, margin_asset, fill.realized_pnl)
        _add(self.fees, fill.fee_asset, fill.fee)

    def apply_funding(self, fact: ev.FundingPaid) -> None:
        """Book one funding payment."""
        self.moved_ts = fact.ts
        _add(self.funding, fact.asset, fact.amount)

    def apply_settlement(self, fact: ev.SettlementPaid) -> None:
        """Book what the end of a contract brought."""
        self.moved_ts = fact.ts
        if fact.is_fee:
            _add(self.fees, fact.asset, -fact.amount)
        else:
            _add(self.realized, fact.asset, fact.amount)

    def apply_wallet(self, fact: ev.WalletChanged) -> None:
        """Book money that came or went for another reason than trading."""
        self.moved_ts = fact.ts
        _add(self.deposits, fact.asset, fact.amount)

    def apply_flow(self, fact: ev.WalletChanged) -> None:
        """Count losses from where money that came or was moved out leaves the account.

        What comes is no gain, whatever brought it; what goes is a loss unless it was moved.
        """
        known = self.benchmarks.get(fact.asset)
        if known is None or is_loss(fact):
            return
        if known.day >= 0:
            known.day_equity += fact.amount
        if known.peak_equity > ZERO:
            known.peak_equity += fact.amount


def is_loss(fact: ev.WalletChanged) -> bool:
    """Tell whether money went that nobody moved, and that no fill or funding tells of.

    What the books begin with, of which a look may tell late, is no loss: it was gone before.
    """
    is_known = fact.reason in TRANSFERS or fact.reason.startswith(OPENING)
    return fact.amount < ZERO and not is_known


def _add(totals: dict[str, Decimal], asset: str, amount: Decimal) -> None:
    totals[asset] = totals.get(asset, ZERO) + amount
