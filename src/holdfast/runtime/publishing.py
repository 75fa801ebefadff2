"""Facts for those outside: on the event bus, in users' repositories, in the trade log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ..engine.engine import Engine
from ..engine.order import Order
from ..model import events as ev
from ..model.values import MAIN, ClOrdId, Key, plain
from .bus import EventBus
from .order_updates import fill_of, order_of
from .views import Position, metrics_view, order_view, position_view

TOPICS: dict[type[ev.Fact], str] = {
    ev.SignalReceived: "signal.received",
    ev.SignalDenied: "signal.denied",
    ev.OrderSubmitted: "order.submitted",
    ev.OrderDenied: "order.denied",
    ev.OrderAccepted: "order.accepted",
    ev.OrderRejected: "order.rejected",
    ev.OrderTriggered: "order.triggered",
    ev.OrderFilled: "order.filled",
    ev.OrderCanceled: "order.canceled",
    ev.OrderExpired: "order.expired",
    ev.OrderReplaced: "order.replaced",
    ev.OrderInDoubt: "order.in_doubt",
    ev.OrderNeverArrived: "order.never_arrived",
    ev.FundingPaid: "funding.paid",
    ev.SettlementPaid: "settlement.paid",
    ev.SessionChanged: "session.changed",
    ev.StrategyStarted: "strategy.started",
    ev.StrategyStopped: "strategy.stopped",
    ev.AlarmRaised: "alarm.raised",
    ev.EquitySampled: "equity.sampled",
    ev.KillSwitchEngaged: "kill_switch.engaged",
    ev.KillSwitchReleased: "kill_switch.released",
    ev.BooksDiffered: "books.differed",
}
"""Where each fact is published. Beside these, "order_update" and "position_update" carry the
venue's own field names (positions also about every second, at the market's new prices),
"order.changed", "position.changed" and "portfolio.changed" carry views, and "signal.generated"
and "order.wished" the wishes of strategies."""

RECOGNIZED = "order.fill_recognized"
"""Where an execution goes out again that was told of under another name: with its order's."""

_VENUE_NEWS = (
    ev.OrderSubmitted,
    ev.OrderDenied,
    ev.OrderAdopted,
    ev.OrderAccepted,
    ev.OrderRejected,
    ev.OrderTriggered,
    ev.OrderFilled,
    ev.FillRecognized,
    ev.OrderCanceled,
    ev.OrderExpired,
    ev.OrderNeverArrived,
    ev.OrderReplaced,
)
"""After what an "order_update" goes out: not after requests and doubts of our own, which would
tell of one fill twice."""

_trades = logging.getLogger("holdfast.trades")


class Repository(Protocol):
    """What is told of changes. `save` may be a coroutine function."""

    def save(self, entity: object) -> object: ...


class Publisher:
    """Tells whoever listens. Nobody listening costs a look-up per fact."""

    def __init__(
        self,
        bus: EventBus,
        portfolios: Repository | None,
        orders: Repository | None,
        positions: Repository | None,
        *,
        logs_trades: bool,
    ) -> None:
        self._bus = bus
        self._logs_trades = logs_trades
        for topic, repository in (
            ("portfolio.changed", portfolios),
            ("order.changed", orders),
            ("position.changed", positions),
        ):
            if repository is not None:
                bus.subscribe(topic, repository.save)

    def publish(self, facts: Sequence[ev.Event], engine: Engine) -> None:
        """Tell of facts that the engine has just applied, then of what they changed, once each."""
        orders: dict[ClOrdId, bool] = {}  # whether there is news that the venue would tell
        keys: dict[Key, None] = {}
        for fact in facts:
            self._tell(fact, engine)
            cl_ord_id = order_of(fact)
            if cl_ord_id is not None:
                is_news = isinstance(fact, _VENUE_NEWS)
                orders[cl_ord_id] = is_news or orders.get(cl_ord_id, False)
            if isinstance(fact, ev.OrderFilled):
                keys[fact.account, fact.symbol] = None
                if self._logs_trades:
                    log_trade(fact)
            elif isinstance(fact, ev.PositionAdopted):
                keys[fact.account, fact.symbol] = None
            elif isinstance(fact, ev.EquitySampled):
                view = partial(metrics_view, engine, fact.account, fact.ts)
                self._offer("portfolio.changed", view)
        for cl_ord_id, is_news in orders.items():
            self._tell_order(engine, cl_ord_id, is_news=is_news)
        for key in keys:
            self._offer("position.changed", partial(position_view, engine, key))
            self._tell_position(engine, key)

    def _tell(self, fact: ev.Event, engine: Engine) -> None:
        topic = TOPICS.get(type(fact))
        if topic is not None and self._bus.has_subscribers(topic):
            self._bus.publish(topic, fact)
        if isinstance(fact, ev.FillRecognized) and self._bus.has_subscribers(RECOGNIZED):
            fill = fill_of(fact, engine.state.orders.get(fact.cl_ord_id))
            if fill is not None:
                self._bus.publish(RECOGNIZED, fill)

    def tick(self, engine: Engine) -> None:
        """Tell of open positions at the market's new prices."""
        if self._bus.has_subscribers("position_update"):
            for key in engine.state.open_keys():
                self._tell_position(engine, key)

    def _offer(self, topic: str, view: Callable[[], object]) -> None:
        """Publish what is made only where somebody listens."""
        if self._bus.has_subscribers(topic):
            self._bus.publish(topic, view())

    def _tell_order(self, engine: Engine, cl_ord_id: ClOrdId, *, is_news: bool) -> None:
        order = engine.state.orders.get(cl_ord_id)
        if order is None:
            return
        self._offer("order.changed", lambda: order_view(engine, order))
        if is_news:
            self._offer("order_update", lambda: order_update(order))

    def _tell_position(self, engine: Engine, key: Key) -> None:
        self._offer("position_update", lambda: position_update(position_view(engine, key)))


def order_update(order: Order) -> dict[str, object]:
    """Show an order under the venue's field names, and with its account."""
    return {
        "orderId": order.cl_ord_id,
        "clientOrderId": order.cl_ord_id,
        "account": order.request.account,
        "symbol": order.request.symbol,
        "side": order.side.value,
        "type": order.request.order_type.value,
        "status": order.status.value,
        "price": order.price,
        "stopPrice": order.request.trigger_price,
        "reduceOnly": order.request.reduce_only,
        "origQty": order.qty,
        "executedQty": order.cum_qty,
        "avgPrice": order.avg_px,
        "reason": order.reason,
    }


def position_update(view: Position) -> dict[str, object]:
    """Show a position under the venue's field names, and with its account."""
    return {
        "account": view.account,
        "symbol": view.symbol,
        "positionAmt": view.quantity,
        "entryPrice": view.entry_price,
        "markPrice": view.mark_price,
        "unRealizedProfit": view.unrealized_pnl,
    }


def log_trade(fill: ev.OrderFilled) -> None:
    """Write one line of the trade log."""
    _trades.info(
        "%s %s %s @ %s fee %s %s realized %s trade %s order %s%s",
        fill.side.value,
        plain(fill.qty),
        fill.symbol,
        plain(fill.price),
        plain(fill.fee),
        fill.fee_asset,
        plain(fill.realized_pnl),
        fill.trade_id,
        fill.cl_ord_id,
        "" if fill.account == MAIN else f" account {fill.account}",
    )
