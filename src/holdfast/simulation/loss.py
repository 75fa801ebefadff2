"""What the accounts have lost, by the exchange's own equity: of the day, and from the peak.

A loss counts where it has been one for as long as a price may be old: every second of that time.
So does a gain. What is between the two is nobody's fault.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from ..engine.forgetting import trade_name
from ..exchange import VenueOrder
from ..model import events as ev
from ..model.settings import RiskLimits
from ..model.values import NS_PER_S, ZERO, AccountId
from .process import running

if TYPE_CHECKING:
    from ..model.execution import ExecutionReport
    from .world import World

SECONDS = 16
DAY_S, TURN_S = 86_400, 3
MARGIN = Decimal("0.0002")
"""What equity may be off by that a session goes by: fees and profits that it has not heard of."""

UNHEARD_MAX = Decimal("0.001")
"""What the equity of the day, or of the peak, may be off by as a session reckons it."""

Purse = tuple[AccountId, str]
"""An account, by the exchange's name, and a margin asset; all accounts together are ""."""

ALL = AccountId("")


class Past:
    """What was lost of late, by the time at which it was looked for."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Decimal]] = deque()

    def add(self, now: float, loss: Decimal) -> None:
        self._seen.append((now, loss))
        while self._seen[0][0] < now - SECONDS:
            self._seen.popleft()

    @property
    def is_long(self) -> bool:
        """Tell whether it goes back as far as a price may be old."""
        return self._seen[-1][0] - self._seen[0][0] >= SECONDS - 1

    @property
    def least(self) -> Decimal:
        return min(loss for _, loss in self._seen)

    @property
    def most(self) -> Decimal:
        return max(loss for _, loss in self._seen)


class Losses:
    """Follows the equity of each account, and of all together, in each margin asset."""

    def __init__(self, world: World, say: Callable[[str], None]) -> None:
        self._world, self._say = world, say
        self._began: dict[Purse, Decimal] = {}
        self._peaks: dict[Purse, Decimal] = {}
        self._last: dict[Purse, Decimal] = {}  # at the last sample
        self._day_off: dict[Purse, Decimal] = {}  # by which share the day's equity may be another
        self._peak_off: dict[Purse, Decimal] = {}
        self._day: dict[Purse, Past] = {}
        self._fall: dict[Purse, Past] = {}
        self._denied: list[tuple[ev.OrderDenied, RiskLimits, Decimal]] = []  # since the last look

    def hear(self, fact: ev.Event, limits: RiskLimits | None) -> None:
        """Note where the day begins, and the peaks."""
        if isinstance(fact, ev.EpochStarted) and not fact.is_resumed:
            self._peaks, self._last, self._fall = {}, {}, {}
        elif isinstance(fact, ev.TradingDayStarted):
            purse = self._purse(fact.account, fact.asset)
            self._began[purse] = self._equity(purse)
            self._day_off[purse] = self._day_off[ALL, purse[1]] = self._gap(purse, fact.equity)
            self._day.pop(purse, None)
            self._day.pop((ALL, purse[1]), None)
        elif isinstance(fact, ev.EquitySampled):
            self._sample(self._purse(fact.account, fact.asset), fact.equity)
        elif isinstance(fact, ev.OrderDenied) and limits is not None:
            self._note_denial(fact, limits)

    def _purse(self, account: AccountId, asset: str) -> Purse:
        first = self._world.instrument(self._world.market.symbols[0]).margin_asset
        return self._world.accounts.venue_names[account], asset or first

    def _equity(self, purse: Purse) -> Decimal:
        exchange, (account, asset) = self._world.bourse.exchange, purse
        names = (account,) if account else tuple(self._world.accounts.session_names)
        return sum((exchange.margin(each, asset).balance for each in names), ZERO)

    def _sample(self, purse: Purse, told: Decimal) -> None:
        equity, together = self._equity(purse), (ALL, purse[1])
        self._last[purse] = equity
        self._peaks[purse] = max(equity, self._peaks.get(purse, ZERO))
        for each in (purse, together):
            self._peak_off[each] = max(self._gap(purse, told), self._peak_off.get(each, ZERO))
        names = self._world.accounts.session_names
        if all((name, purse[1]) in self._last for name in names):
            total = sum((self._equity((name, purse[1])) for name in names), ZERO)
            self._peaks[together] = max(total, self._peaks.get(together, ZERO))

    def look(self) -> None:
        """Note what is lost: once a second, and where prices jump about at each of them."""
        for purse, began in self._began.items():
            self._note(self._day, purse, began)
        for asset in {asset for _, asset in self._began}:
            names = [purse for purse in self._began if purse[1] == asset]
            if len(names) == len(self._world.accounts.session_names):
                total = sum((self._began[purse] for purse in names), ZERO)
                self._note(self._day, (ALL, asset), total)
        for purse, peak in self._peaks.items():
            self._note(self._fall, purse, peak)
        denied, self._denied = self._denied, []
        for each in denied:
            self._judge_denial(*each)

    def _note(self, losses: dict[Purse, Past], purse: Purse, before: Decimal) -> None:
        if before > ZERO:
            loss = (before - self._equity(purse)) / before
            losses.setdefault(purse, Past()).add(self._world.loop.time(), loss)

    def swing_unheard(self) -> dict[AccountId, Decimal]:
        """Return what each account's equity may be off by, in money, for trades that the session
        has not heard of: it goes by the position before them, at today's prices.
        """
        found: dict[AccountId, Decimal] = {}
        for account, each in self._unheard():
            since = each.venue_ts
            low, high = self._world.market.range_since(each.symbol, since)
            moved = abs(each.last_qty) * Decimal(repr(high - low))
            found[account] = found.get(account, ZERO) + moved + abs(each.fee)
        return found

    def judge(
        self,
        order: VenueOrder,
        account: AccountId,
        limits: RiskLimits,
        unheard: Mapping[AccountId, Decimal],
    ) -> None:
        """Judge an order that may open; `unheard` is `swing_unheard` as it was decided on."""
        asset = self._world.instrument(order.symbol).margin_asset
        for rule, purse, losses, limit in self._rules(account, asset, limits):
            past = losses.get(purse)
            if losses is self._day and self._turns():
                continue  # by the day that has begun, or by the one before
            if limit is None or rule in limits.disabled or past is None or not past.is_long:
                continue
            off = sum(unheard.values()) if purse[0] == ALL else unheard.get(purse[0], ZERO)
            least = past.least - self._off(losses, purse) - self._share(Decimal(off), purse)
            if least > limit + MARGIN:
                self._say(f"{order.cl_ord_id} opens, and {rule} is {least:.4f}, at most {limit}")

    def _note_denial(self, fact: ev.OrderDenied, limits: RiskLimits) -> None:
        """Keep one that could be known to be wrong until the prices that it went by are in."""
        if running() is not self._world.process:
            return  # a zombie's, which has heard of nothing for long
        is_told = not self._has_unheard() and not self._is_torn(limits)
        if self._world.judges.limits.is_alone and is_told:
            self._denied.append((fact, limits, self._swing()))

    def _swing(self) -> Decimal:
        """Return what equity may be off by where a position is new and the price heard is old."""
        world, live, swing = self._world, self._world.live, ZERO
        since = world.venue_now() - SECONDS * NS_PER_S
        for account in world.accounts.session_names:
            for each in world.bourse.exchange.positions(account):
                low, high = world.market.range_since(each.symbol, since)
                heard = None if live is None else live.engine.core.market.mark(each.symbol)
                off = abs(float(heard or 0) - world.market.prices[each.symbol])
                swing += abs(each.qty) * Decimal(repr(min(off, high - low)))
        return swing

    def _gap(self, purse: Purse, told: Decimal) -> Decimal:
        """Return by which share a session's equity is another: what was paid just then, such as
        funding at midnight, it has not heard of.
        """
        return min(self._share(abs(self._equity(purse) - told), purse), UNHEARD_MAX)

    def _share(self, amount: Decimal, purse: Purse) -> Decimal:
        return amount / max(self._equity(purse), Decimal(1))

    def _off(self, losses: dict[Purse, Past], purse: Purse) -> Decimal:
        """Return by which share the session may go by another equity of the day, or of the peak."""
        return (self._day_off if losses is self._day else self._peak_off).get(purse, ZERO)

    def _judge_denial(self, fact: ev.OrderDenied, limits: RiskLimits, swing: Decimal) -> None:
        order = fact.order
        account = self._world.accounts.venue_names[order.account]
        asset = self._world.instrument(order.symbol).margin_asset
        for rule, purse, losses, limit in self._rules(account, asset, limits):
            past = losses.get(purse)
            if rule != fact.rule or limit is None or past is None or not past.is_long:
                continue
            most = past.most + self._off(losses, purse) + self._share(swing, purse)
            if most < limit - MARGIN:
                text = f"{order.cl_ord_id} is refused for {rule}: {fact.reason}"
                self._say(f"{text}, and it is {most:.4f} at most at the exchange")

    def _turns(self) -> bool:
        """Tell whether a day has just begun, or is about to: the session says so a moment later."""
        since_s = self._world.venue_now() // NS_PER_S % DAY_S
        return min(since_s, DAY_S - since_s) <= TURN_S

    def _has_unheard(self) -> bool:
        """Tell whether something has traded of late that the session has not heard of, or at any
        time on an account that it does not hear at all.
        """
        live = self._world.live
        is_deaf = live is None or live.engine.core.market.accounts_cut_off
        return bool(is_deaf) or any(self._unheard())

    def _unheard(self) -> Iterator[tuple[AccountId, ExecutionReport]]:
        world, live = self._world, self._world.live
        since = world.venue_now() - SECONDS * NS_PER_S
        for account, ours in world.accounts.session_names.items():
            for each in world.bourse.exchange.trades_since(account, since):
                name = trade_name(ours, each.symbol, each.trade_id)
                if live is not None and name not in live.engine.state.trades_seen:
                    yield account, each

    def _is_torn(self, limits: RiskLimits) -> bool:
        """Tell whether a mark lies so far off the market, as heard, that no gain by it is believed:
        one of two streams trails.
        """
        live = self._world.live
        if live is None:
            return False
        held = [key[1] for key, each in live.engine.state.positions.items() if each.qty]
        markets = map(live.engine.core.market.of, held)
        share = float(limits.price_collar_pct)
        return any(abs(each.mark - each.reference) > share * each.reference for each in markets)

    def _rules(self, account: AccountId, asset: str, limits: RiskLimits) -> tuple[Case, ...]:
        own, together = (account, asset), (ALL, asset)
        return (
            ("daily_loss", own, self._day, limits.max_daily_loss_pct),
            ("drawdown", own, self._fall, limits.max_drawdown_pct),
            ("portfolio_loss", together, self._day, limits.max_portfolio_daily_loss_pct),
            ("portfolio_drawdown", together, self._fall, limits.max_portfolio_drawdown_pct),
        )


Case = tuple[str, Purse, dict[Purse, Past], Decimal | None]
