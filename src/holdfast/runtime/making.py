"""Make one life of a session: everything opened, wired together, and ready to begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..engine.engine import Engine
from ..model.config import TradingConfig
from ..model.events import Event
from ..model.order_wish import Wish
from ..ports import Notifier
from ..strategies import overridden_hooks
from .assembly import assemble, load_strategies
from .broker import LiveBrokerAdapter
from .commit_watch import CommitWatch
from .figures import Figures
from .live import LiveSession
from .parts import plan_of
from .rotation import Rotation
from .seats import bindings_of
from .stopwatch import Stopwatch
from .wanted import Wanted


class Made(NamedTuple):
    """A life, and the figures that follow it."""

    live: LiveSession
    figures: Figures


async def make_life(  # noqa: PLR0913 - whom a life deals with
    config: TradingConfig,
    wanted: Wanted,
    broker: LiveBrokerAdapter | None,
    notifier: Notifier,
    *,
    hands_over: Callable[[Wish], bool],
    publish: Callable[[Sequence[Event], Engine], None],
    on_folded: Callable[[bool], None],
) -> Made:
    """Open what a life needs and put it together.

    Args:
        hands_over: takes a wish, or says that the session itself is to act on it.
        publish: hears of all facts, behind the figures.
        on_folded: see `assemble`.

    Raises:
        TradingError: a part can't be had; what was opened has been given back.
    """
    strategies, descriptions = load_strategies(wanted.strategies.fresh())
    bindings_of(strategies, config.account_names)  # said before anything is opened
    if config.auto_restart:
        wanted.strategies.tell(notifier)
    parts = await assemble(
        config,
        wanted.symbols,
        feed=wanted.feed,
        broker=broker,
        is_dry=wanted.is_dry,
        books=any("on_book" in overridden_hooks(each) for each in strategies.values()),
        on_folded=on_folded,
    )
    for finding in parts.journal.findings:
        notifier.notify("alarm", finding)
    portfolio_id = wanted.portfolio_id or wanted.new_portfolio_id
    plan = plan_of(parts, portfolio_id, strategies, descriptions, hands_over)
    if text := wanted.differs_from(plan):
        notifier.notify("warning", text)
    if broker is not None:
        plan = replace(plan, secrets=broker.secrets)
    engine, figures = parts.recovered.engine, Figures(plan.session_id)
    listeners = [figures.hear, lambda facts: publish(facts, engine)]
    live = LiveSession(config, plan, parts, notifier, listeners=listeners)
    live.rotation = Rotation(config.database_url, config.archive_facts)
    live.commit_watch = CommitWatch(live.shell, parts.journal, notifier, config.recv_window_ns)
    if parts.feed.is_live:
        live.shell.stopwatch = Stopwatch()
    try:
        figures.recall(parts.journal, parts.recovered, is_resumed=plan.is_resumed)
        live.figures = figures
    except BaseException:
        await live.close()
        raise
    if broker is not None:
        broker.attach(live)
    return Made(live, figures)
