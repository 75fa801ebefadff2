"""What the figures of a journal say was earned, beside the exchange's own ledger.

Rule 1: profits, fees and funding in the statistics are what the exchange has booked since.
Rule 2: trips from flat to flat leave nothing out and count nothing twice: together they have
        earned, and paid, what the executions have. What was opened and closed while no process
        ran, in a contract that is gone since, is known by its money alone, and is no trip's.
Judged in a share of the runs, where nobody set the books by hand and no journal was lost.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from ..exchange.fees import BURNT
from ..journal.codec import decode
from ..model import events as ev
from ..model.values import ZERO
from ..stats import SessionFold
from ..stats.trips import RoundTrips
from .judge import Judge

if TYPE_CHECKING:
    from ..runtime.live import LiveSession

SHARE = 0.25


class Ledger(Judge):
    """Judges the statistics of one run, at rest."""

    oracle = "ledger"

    def judge_rest(self, live: LiveSession) -> None:
        world = self.world
        is_chosen = Random(f"{world.seed}/ledger").random() < SHARE or world.fired["delisting"]
        if not is_chosen or world.fired["amnesia"]:
            return
        facts = [decode(row) for row in world.disk.rows]
        self._judge_fills(facts)
        self._judge_trips(facts)
        self._judge_session(facts)

    def _judge_fills(self, facts: list[ev.Event]) -> None:
        """Hold each execution that was booked against the exchange's."""
        exchange, accounts = self.world.bourse.exchange, self.world.accounts
        theirs = {
            (ours, each.symbol, each.trade_id): each
            for account, ours in accounts.session_names.items()
            for each in exchange.trades_since(account)
        }
        for fact in facts:
            if not isinstance(fact, ev.OrderFilled):
                continue
            there = theirs.get((fact.account, fact.symbol, fact.trade_id))
            if there is None:
                self.say(f"execution {fact.trade_id} of {fact.symbol} is none of the exchange's")
                continue
            ours = (fact.side, fact.qty, fact.price, fact.fee, fact.fee_asset)
            real = (there.side, there.last_qty, there.last_px, there.fee, there.fee_asset)
            if ours != real:
                self.say(f"execution {fact.trade_id} is booked as {ours}, and was {real}")

    def _judge_trips(self, facts: list[ev.Event]) -> None:
        trips, ended = RoundTrips(), []
        booked: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        unlisted = {
            (fact.account, fact.symbol)
            for fact in facts
            if isinstance(fact, ev.SettlementPaid) and self._is_of_fills(fact)
        }
        for fact in facts:
            if (trip := trips.apply(fact)) is not None:
                ended.append(trip)
            if isinstance(fact, ev.OrderFilled):
                booked["profit"] += fact.realized_pnl
                booked["fees"] += fact.fee if fact.fee_asset != BURNT else ZERO
            elif isinstance(fact, ev.SettlementPaid) and fact.asset != BURNT:
                key = (fact.account, fact.symbol)
                if key not in trips.open and key in unlisted:
                    continue
                booked["fees" if fact.is_fee else "profit"] += (
                    -fact.amount if fact.is_fee else fact.amount
                )
        under_way = trips.open.values()
        profit = sum((t.gross_pnl for t in ended), ZERO) + sum(
            (t.gross_pnl for t in under_way), ZERO
        )
        fees = sum((t.fees for t in ended), ZERO) + sum((t.fees for t in under_way), ZERO)
        if (profit, fees) != (booked["profit"], booked["fees"]):
            text = f"{booked['profit']} and {booked['fees']} of fees were booked"
            self.say(f"trips earned {profit} and paid {fees}, {text}")

    def _is_of_fills(self, fact: ev.SettlementPaid) -> bool:
        """Tell whether what was paid is the profit, or the fee, of an execution."""
        account = self.world.accounts.venue_names[fact.account]
        return any(
            (each.symbol, each.trade_id) == (fact.symbol, fact.trade_id)
            for each in self.world.bourse.exchange.trades_since(account, fact.venue_ts)
        )

    def _judge_session(self, facts: list[ev.Event]) -> None:
        fold = SessionFold()
        for fact in facts:
            fold.apply(fact)
        stats, booked = fold.stats(), _Booked()
        for fact in facts:
            booked.apply(fact)
        shown = (stats.realized_pnl, stats.fees, stats.funding, stats.other_fees.get(BURNT, ZERO))
        if shown != booked.sums:
            self.say(f"the session shows {shown}, and booked {booked.sums}")


class _Booked:
    """What the facts of the newest session add up to: profit, fees, funding, fees in BNB."""

    def __init__(self) -> None:
        self.sums: tuple[Decimal, ...] = (ZERO,) * 4
        self._has_begun = False

    def apply(self, fact: ev.Event) -> None:
        match fact:
            case ev.EpochStarted():
                if not self._has_begun or not fact.is_resumed:
                    self.sums = (ZERO,) * 4
                self._has_begun = True
            case ev.OrderFilled() if fact.fee_asset == BURNT:
                self._add(fact.realized_pnl, burnt=fact.fee)
            case ev.OrderFilled():
                self._add(fact.realized_pnl, fact.fee)
            case ev.FundingPaid():
                self._add(funding=fact.amount)
            case ev.SettlementPaid() if fact.asset == BURNT:
                self._add(burnt=-fact.amount)
            case ev.SettlementPaid() if fact.is_fee:
                self._add(fees=-fact.amount)
            case ev.SettlementPaid():
                self._add(fact.amount)
            case _:
                pass

    def _add(
        self,
        profit: Decimal = ZERO,
        fees: Decimal = ZERO,
        funding: Decimal = ZERO,
        burnt: Decimal = ZERO,
    ) -> None:
        more = (profit, fees, funding, burnt)
        self.sums = tuple(a + b for a, b in zip(self.sums, more, strict=True))
