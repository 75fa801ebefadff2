"""One session on several accounts: strategies each on theirs, books apart, one journal."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from holdfast import (
    BinanceFuturesBroker,
    ConfigError,
    InputError,
    LiveTradingService,
    StrategyError,
)
from holdfast.journal import open_journal
from holdfast.model.events import OrderFilled
from holdfast.model.market import Trade
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import NS_PER_S, AccountId, Side, SignalType, TradingSessionStatus
from holdfast.runtime.accounts import Accounts, check_keys
from holdfast.runtime.assembly import assemble, openers_of
from holdfast.runtime.books import BooksReport
from holdfast.runtime.starting import telling_waits
from holdfast.runtime.trading_state import TradingState
from holdfast.stats import fold_session
from tests.runtime.replays import Listed, Scripted, replayed, settings
from tests.runtime.session_desk import (
    BTC,
    ETH,
    PRICES,
    START,
    ScriptedFeed,
    Wisher,
    books_agree,
    config_in,
    crash_image,
    running,
)

SECOND = AccountId("second")
TWO = {"second": {"initial_balance": 5000, "leverage": 3}}
S = TradingSessionStatus


class On(Wisher):
    """A wisher of an account, which a copy keeps too."""

    def __init__(self, account=""):
        super().__init__()
        self.account = account


@asynccontextmanager
async def two_accounts(folder, *, accounts=TWO, **settings):
    """Run a session with a strategy on each of two accounts, of the same symbols."""
    settings = {"position_size_pct": "0.5", "disabled": "correlation", **settings}
    first, other = On(), On("second")
    feed = settings.pop("feed", None) or ScriptedFeed((BTC, ETH))
    async with running(
        folder, feed=feed, strategies=[first, other], accounts=accounts, **settings
    ) as desk:
        desk.first, desk.other = first, other
        yield desk


def qty(desk, account, symbol=BTC):
    return desk.state.position((AccountId(account), symbol)).qty


async def wish(desk, strategy, *args):
    strategy.wish(*args)
    await desk.feed.price(PRICES[BTC])


async def test_each_strategy_trades_on_its_own_account(tmp_path):
    async with two_accounts(tmp_path) as desk:
        await wish(desk, desk.first, "BUY", BTC, "0.02")
        await wish(desk, desk.other, "SELL", BTC, "0.01")

        assert (qty(desk, "main"), qty(desk, "second")) == (Decimal("0.02"), Decimal("-0.01"))
        assert desk.first.ctx.position(BTC) == Decimal("0.02")
        assert desk.other.ctx.position(BTC) == Decimal("-0.01")
        assert desk.first.ctx.equity() > 9_900
        assert 4_900 < desk.other.ctx.equity() < 5_000
        assert desk.state.leverages[SECOND, BTC] == 3
    assert books_agree(desk.service)


async def test_order_ids_are_unique_over_accounts_and_facts_name_their_account(tmp_path):
    async with two_accounts(tmp_path) as desk:
        await wish(desk, desk.first, "BUY", BTC, "0.02")
        await wish(desk, desk.other, "BUY", BTC, "0.02")

        orders = await desk.service.get_orders(open_only=False)
    by_account = {
        account: [o.id for o in orders if o.account == account] for account in ("main", "second")
    }
    assert len({*by_account["main"], *by_account["second"]}) == len(orders)
    assert all(by_account.values())


async def test_a_strategy_hears_of_its_own_fills_alone(tmp_path):
    async with two_accounts(tmp_path) as desk:
        await wish(desk, desk.other, "BUY", BTC, "0.02")

        assert [fill.account for fill in desk.other.fills] == ["second"]
        assert desk.first.fills == []


async def test_an_account_with_symbols_of_its_own_shows_its_strategies_these_alone(tmp_path):
    accounts = {"second": {"symbols": "ETHUSDT"}}
    async with two_accounts(tmp_path, accounts=accounts) as desk:
        assert desk.first.ctx.symbols == (BTC, ETH)
        assert desk.other.ctx.symbols == (ETH,)
        before = desk.other.trades
        await desk.feed.price(PRICES[BTC])
        assert desk.other.trades == before
        await desk.feed.price(PRICES[ETH], ETH)
        assert desk.other.trades == before + 1

        with pytest.raises(InputError, match="BTCUSDT is not traded"):
            await desk.service.place_order(BTC, "BUY", "0.02", account="second")


async def test_a_symbol_of_another_account_alone_is_not_shown_to_the_main_ones_strategies(tmp_path):
    first, other = On(), On("second")
    accounts = {"second": {"symbols": "ETHUSDT"}}
    config = config_in(tmp_path, symbols=[BTC], accounts=accounts)
    service = LiveTradingService(config=config)
    feed = ScriptedFeed((BTC, ETH))
    await service.start_session(strategies=[first, other], feed=feed)
    try:
        await feed.prices()
        assert (first.ctx.symbols, other.ctx.symbols) == ((BTC,), (ETH,))
        assert (first.trades, other.trades) == (1, 1)
        assert ("main", ETH) not in service.live.engine.state.instruments
    finally:
        await service.stop()


async def test_a_symbol_of_an_account_that_the_feed_does_not_show_is_refused(tmp_path):
    config = config_in(tmp_path, accounts={"second": {"symbols": "XRPUSDT"}})
    service = LiveTradingService(config=config)

    with pytest.raises(ConfigError, match=r"accounts.second.symbols: the feed shows no XRPUSDT"):
        await service.start_session(strategies=[On()], feed=ScriptedFeed((BTC,)))


async def test_a_process_that_was_killed_goes_on_with_both_accounts(tmp_path):
    async with two_accounts(tmp_path / "one") as desk:
        await wish(desk, desk.first, "BUY", BTC, "0.02")
        await wish(desk, desk.other, "SELL", BTC, "0.01")
        image = crash_image(tmp_path / "one", tmp_path / "image")
        feed = desk.feed.again()

    async with two_accounts(image, feed=feed) as desk:
        assert desk.status is S.RUNNING
        assert (qty(desk, "main"), qty(desk, "second")) == (Decimal("0.02"), Decimal("-0.01"))
        assert desk.other.ctx.position(BTC) == Decimal("-0.01")
    assert books_agree(desk.service)


async def test_a_snapshot_has_both_accounts(tmp_path):
    async with two_accounts(tmp_path) as desk:
        await wish(desk, desk.other, "BUY", BTC, "0.02")
        (await desk.service.get_state()).save()
        session = desk.service.session().id

        found = TradingState.recover(session, config=desk.service.config)

        assert [(p.account, p.quantity) for p in found.positions] == [("second", Decimal("0.02"))]


async def test_the_kill_switch_cancels_and_closes_on_every_account(tmp_path):
    async with two_accounts(tmp_path) as desk:
        await wish(desk, desk.first, "BUY", BTC, "0.02")
        await wish(desk, desk.other, "BUY", BTC, "0.02")
        await desk.service.place_order(ETH, "BUY", "0.2", "LIMIT", 2_400, account="second")

        await desk.service.kill("enough", flatten=True)
        await desk.feed.pass_time(3)

        assert desk.state.open_keys() == []
        assert desk.state.all_open_orders() == []
        assert desk.state.is_kill_verified


async def test_an_account_can_be_closed_and_traded_by_hand(tmp_path):
    async with two_accounts(tmp_path) as desk:
        placed = await desk.service.place_order(BTC, Side.BUY, "0.02", account="second")
        assert placed.account == "second"
        await desk.feed.price(PRICES[BTC])

        with pytest.raises(InputError, match=r"no position in BTCUSDT on main; .* on second"):
            await desk.service.close_position(BTC)
        with pytest.raises(InputError, match="no account 'sceond'; accounts are main, second"):
            await desk.service.close_position(BTC, account="sceond")
        await desk.service.adjust_position(BTC, "0.01", account="second")
        assert qty(desk, "second") == Decimal("0.01")
        await desk.service.close_position(BTC, account="second")

        assert qty(desk, "second") == 0


async def test_figures_count_each_account(tmp_path):
    async with two_accounts(tmp_path) as desk:
        await wish(desk, desk.first, "BUY", BTC, "0.02")
        await wish(desk, desk.other, "BUY", BTC, "0.01")
        await desk.service.close_position(BTC, account="second")
        figures = await desk.service.get_session_stats()
        other = await desk.service.get_metrics("second")

    assert figures.by_account["main"].fills == 1
    assert figures.by_account["second"].total_trades == 1
    assert figures.equity_start == 15_000
    assert other.position_count == 0
    assert other.equity < 5_000


async def test_what_is_wished_for_on_an_account_that_was_left_out_is_denied(tmp_path):
    async with two_accounts(tmp_path) as desk:
        feed = desk.feed.again()
    async with running(tmp_path, feed=feed) as desk:
        wish = SignalGenerated(symbol=BTC, signal_type=SignalType.BUY, account=SECOND)
        desk.service.live.shell.hear(wish)
        figures = await desk.service.get_session_stats()

        assert figures.denials == {"instrument": 1}
        assert desk.status is S.RUNNING


async def test_a_strategy_of_an_unknown_account_is_refused_before_anything_is_opened(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path / "data", accounts=TWO))

    with pytest.raises(
        StrategyError, match=r"'secnod', and there is none; .*did you mean second\?"
    ):
        await service.start_session(strategies=[On("secnod")], feed=ScriptedFeed())

    assert not (tmp_path / "data").exists()


async def test_a_shipped_strategy_is_bound_by_its_parameters(tmp_path):
    strategies = ["sma_cross:fast=5,account=second,slow=20", "sma_cross"]
    async with running(tmp_path, strategies=strategies, accounts=TWO) as desk:
        assert desk.service.live.plan.accounts == {"sma_cross": "second", "sma_cross-2": "main"}


async def test_an_account_with_something_open_can_not_be_left_out(tmp_path):
    async with two_accounts(tmp_path) as desk:
        await wish(desk, desk.other, "BUY", BTC, "0.02")
        feed = desk.feed.again()
    assert desk.state.open_keys() == [("second", BTC)]

    service = LiveTradingService(config=config_in(tmp_path))
    with pytest.raises(ConfigError, match=r"a position of BTCUSDT open on the account second"):
        await service.start_session(strategies=[On()], symbols=[BTC, ETH], feed=feed)


async def test_an_account_without_anything_open_can_be_left_out_and_join_again(tmp_path):
    async with two_accounts(tmp_path) as desk:
        feed = desk.feed.again()

    async with running(tmp_path, feed=feed) as desk:
        await desk.service.kill("try")
        await desk.feed.pass_time(3)
        assert desk.state.is_kill_verified
        await desk.service.release("me")
        feed = desk.feed.again()

    async with two_accounts(tmp_path, feed=feed) as desk:
        await wish(desk, desk.other, "BUY", BTC, "0.02")
        assert qty(desk, "second") == Decimal("0.02")
    assert books_agree(desk.service)


async def test_a_limit_over_all_accounts_refuses_what_each_alone_would_let_pass(tmp_path):
    limits = {"max_portfolio_exposure_pct": "0.1", "position_size_pct": "0.5"}
    async with two_accounts(tmp_path, **limits) as desk:
        await wish(desk, desk.first, "BUY", BTC, "0.02")  # 900 of 15,000
        await wish(desk, desk.other, "BUY", BTC, "0.02")

        assert (qty(desk, "main"), qty(desk, "second")) == (Decimal("0.02"), 0)
        figures = await desk.service.get_session_stats()

    assert figures.denials == {"portfolio_exposure": 1}


def test_a_replay_trades_each_account_by_its_own_strategies():
    trades = [
        Trade(symbol=BTC, ts=START + number * NS_PER_S, price=100.0, qty=1.0)
        for number in range(20)
    ]
    first = Scripted({3: ("BUY", {"quantity": "1"})})
    other = Scripted({5: ("SELL", {"quantity": "2"})})
    other.account = "second"

    ended, facts = replayed(Listed(trades), [first, other], settings(accounts=TWO))

    assert ended.books == BooksReport(positions_diff=Decimal(0), balance_diff=Decimal(0))
    fills = [fact for fact in facts if isinstance(fact, OrderFilled)]
    assert [str(fill.account) for fill in fills] == ["main", "second"]
    assert [fill.qty * fill.side.sign for fill in fills] == [1, -2]


def test_one_key_of_two_accounts_is_refused_wherever_it_comes_from(tmp_path):
    for name in ("one", "two"):
        path = tmp_path / name
        path.write_text(f"secret of {name}".replace(" ", ""))
        path.chmod(0o600)
    config = config_in(
        tmp_path,
        venue="binance_futures",
        api_key="alike",
        api_secret_file=tmp_path / "one",
        accounts={"b": {"api_key": "another", "api_secret_file": tmp_path / "two"}},
    )
    check_keys(config, config.account_names)

    twins = config.model_copy(update={"api_key": "another"})
    with pytest.raises(ConfigError, match="accounts main and b have one key at binance_futures"):
        check_keys(twins, twins.account_names)


SECOND_AT_BINANCE = {"second": {"venue": "binance_futures", "api_key": "k", "api_secret": "s"}}


@pytest.mark.parametrize(
    ("broker", "settings"),
    [
        ({"testnet": True}, {"testnet": False}),
        ({"testnet": False}, {}),
        ({"rest_url": "http://127.0.0.1:9"}, {}),
        ({}, {"rest_url": "http://127.0.0.1:9"}),
    ],
)
async def test_an_account_elsewhere_than_the_broker_s_is_refused(tmp_path, broker, settings):
    """Its orders would be judged by another market's prices; one of the two may be real money."""
    config = config_in(tmp_path, dry_run=False, speed=1.0, accounts=SECOND_AT_BINANCE, **settings)
    with pytest.raises(ConfigError, match="the account second is traded where the settings say"):
        await assemble(
            config,
            [BTC],
            feed=ScriptedFeed(is_live=True),
            broker=BinanceFuturesBroker("other", "s", **broker),
        )


def test_a_key_of_the_broker_s_is_no_other_account_s(tmp_path):
    config = config_in(tmp_path, dry_run=False, accounts=SECOND_AT_BINANCE)
    with pytest.raises(ConfigError, match="the accounts main and second have one key"):
        openers_of(config, BinanceFuturesBroker("k", "s"), {}, is_dry=False)

    openers_of(config, BinanceFuturesBroker("other", "s"), {}, is_dry=False)


async def test_each_account_is_marked_in_the_data_folder(tmp_path):
    async with two_accounts(tmp_path):
        pass
    assert (tmp_path / "account").read_text() == "paper\nsecond: paper\n"

    journal = open_journal(f"sqlite:///{tmp_path}/holdfast.db", read_only=True)
    try:
        assert fold_session(journal.replay()).equity_start == 15_000
    finally:
        journal.close()


class Held:
    """What a venue tells of its waits."""

    awaits, held = "", "room"

    def __init__(self, account):
        self.account = account


class Told:
    def __init__(self):
        self.lines = []

    def notify(self, level, text):
        self.lines.append((level, text))


async def test_a_limit_that_holds_two_accounts_up_is_told_once(monkeypatch):
    monkeypatch.setattr("holdfast.runtime.starting.LOOK_S", 0.001)
    told, venues = Told(), list[Any]([Held("main"), Held("second")])
    accounts = Accounts(venues, {})
    with telling_waits(accounts, told, "stop", 2.0):
        for _ in range(5):
            await asyncio.sleep(0.002)
        venues[1].held = "a ban's end"
        await asyncio.sleep(0.02)

    waits = [text.removeprefix("the stop waits, up to 2 s, for ") for _, text in told.lines]
    assert waits == ["room", "a ban's end"]
