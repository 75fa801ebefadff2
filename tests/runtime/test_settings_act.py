"""Every setting acts in a real session, wherever it was given; what the engine goes by is everywhere.

A setting that has no row here fails the first test: it would be one that nobody has seen act.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import pytest

from holdfast import LiveTradingService
from holdfast.cli.run import overrides_of
from holdfast.feeds import FeedSettings, open_feed
from holdfast.model.config import TradingConfig
from holdfast.model.config_fields import SECRETS, ConfigFields
from holdfast.model.errors import ConfigError
from holdfast.model.market import Trade
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.values import MAIN, NS_PER_S, AccountId
from holdfast.runtime import beat
from holdfast.runtime.clock import WallClock
from holdfast.runtime.live import LiveSession
from holdfast.runtime.market_source import feed_settings
from holdfast.venues.binance_futures.opening import open_venue
from holdfast.venues.binance_futures.wire import Wire
from holdfast.venues.wiring import Wiring
from tests.engine.test_settings_act import ENGINE, LIMITS
from tests.runtime.replays import Listed, replayed
from tests.runtime.session_desk import (
    BTC,
    ETH,
    START,
    ScriptedFeed,
    config_in,
    crash_image,
    running,
)

ROOT = Path(__file__).parents[2]
KEYS = {"api_key": "the-key", "api_secret": "the-secret"}


class Row(NamedTuple):
    """What is seen with one value, written as text, and with others."""

    see: Callable[..., Awaitable[object]]
    seen: Mapping[str, object]
    given: dict[str, str] = {}  # noqa: RUF012 - what else is set, with each


# A session, and what becomes of it


async def exchange_of(folder, **settings):
    async with running(folder, feed=ScriptedFeed((BTC, ETH)), **settings) as desk:
        venue = desk.service.live.venue
        margins = [venue.exchange.is_isolated(MAIN, each) for each in (BTC, ETH)]
        leverages = [venue.exchange.leverage(MAIN, each) for each in (BTC, ETH)]
        return {
            "wallet": (await desk.service.get_metrics()).wallet,
            "margins": margins,
            "leverages": leverages,
        }


def of_exchange(what):
    async def see(folder, **settings):
        return (await exchange_of(folder, **settings))[what]

    return see


async def account_traded(folder, **settings):
    given = {"venue": "binance_futures", "feed": "synthetic"} | settings
    service = LiveTradingService(config=config_in(folder, **given))
    try:
        async with running(folder, service=service) as desk:
            return desk.service.live.venue.name
    except ConfigError as error:
        return str(error).partition(";")[0]


async def trade_log(folder, **settings):
    lines: list[str] = []
    log = logging.getLogger("holdfast.trades")
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        async with running(folder, **settings) as desk:
            await desk.service.place_order(BTC, "BUY", "0.01")
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
    return len(lines)


async def plan_of_settings(folder, **settings):
    """Start with nothing but the settings; return what is traded, by whom, and on which feed."""
    given = {"symbols": "BTCUSDT", "feed": "synthetic", "speed": "20"} | settings
    service = LiveTradingService(config=config_in(folder, **given))
    await service.start_session()
    try:
        plan, feed = service.live.plan, service.live.feed
        speed = service.live._clock._speed  # type: ignore[attr-defined]
        return {
            "symbols": plan.symbols,
            "strategies": list(plan.strategies),
            "feed": feed.name,
            "speed": speed,
        }
    finally:
        await service.stop()


def of_plan(what):
    async def see(folder, **settings):
        return (await plan_of_settings(folder, **settings))[what]

    return see


async def id_after_a_kill(folder, **settings):
    async with running(folder / "a", **settings) as desk:
        first = desk.service.session().id
        await desk.service.live.save()
        crash_image(folder / "a", folder / "b")
    async with running(folder / "b", feed=desk.feed.again(), **settings) as other:
        return other.service.session().id == first


async def position_after_a_stop(folder, **settings):
    async with running(folder, **settings) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        await desk.service.stop()
        return bool(desk.state.open_keys())


def audit_due_in(life):
    life.next_audit = 0
    life.tick()
    return life.next_audit - life.next_tick + NS_PER_S


async def snapshots(folder, **settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beat, "HEARTBEAT_S", 0.02)
        async with running(folder, **settings) as desk:
            before = desk.service.live._saved_at
            await desk.service.place_order(BTC, "BUY", "0.01")
            await asyncio.sleep(1.3)  # what is looked at is that time alone saves, or does not
            return desk.service.live._saved_at > before


def of_life(look):
    async def see(folder, **settings):
        async with running(folder, **settings) as desk:
            return look(desk.service.live)

    return see


# The venue and its market, not connected to


def venue_with(settings):
    config = TradingConfig(**{"venue": "binance_futures", **KEYS, **settings})
    venue = open_venue(Wiring(config=config, clock=WallClock()))
    venue._furnish(cast("Wire", None), ())  # it sends nothing
    return venue


def of_venue(look):
    async def see(_, **settings):
        return look(venue_with(settings))

    return see


def of_market(look):
    async def see(_, **settings):
        config = TradingConfig(**{"venue": "binance_futures"} | settings)
        made_from = msgspec.structs.replace(feed_settings(config, (BTC,)), start_ts=START)
        return look(open_feed(made_from))

    return see


def is_of_seed_1(feed):
    other = open_feed(FeedSettings(seed=1, symbols=(BTC,), start_ts=START))
    return feed.history(BTC, "1m", START, 5) == other.history(BTC, "1m", START, 5)


HERE, WS = "http://127.0.0.1:9", "ws://127.0.0.1:9"
NO_KEY = "the venue binance_futures needs an API key"
YES_NO = {"true": True, "false": False}


def setting_of_venue(name):
    return of_venue(lambda venue: getattr(venue._settings, name))


def address_of_venue(name):
    return of_venue(lambda venue: getattr(venue._settings.endpoints, name).partition("/ws-")[0])


ACTS: dict[str, Row] = {
    "dry_run": Row(account_traded, {"true": "paper", "false": NO_KEY}),
    "venue": Row(
        account_traded, {"paper": "paper", "binance_futures": NO_KEY}, {"dry_run": "false"}
    ),
    "log_trades": Row(trade_log, {"true": 1, "false": 0}),
    "symbols": Row(of_plan("symbols"), {"btcusdt": (BTC,), "ETHUSDT, BTCUSDT": (ETH, BTC)}),
    "strategies": Row(of_plan("strategies"), {"rsi": ["rsi"], "": []}),
    "leverage": Row(of_exchange("leverages"), {"5": [5, 5], "9": [9, 9]}),
    "leverages": Row(of_exchange("leverages"), {"": [5, 5], "ETHUSDT=7": [5, 7]}),
    "initial_balance": Row(of_exchange("wallet"), {"10000": 10_000, "1234.5": 1234.5}),
    "isolated": Row(of_exchange("margins"), {"false": [False] * 2, "true": [True] * 2}),
    "speed": Row(of_plan("speed"), {"20": 20.0, "50": 50.0}),
    "seed": Row(of_market(is_of_seed_1), {"1": True, "2": False}, {"feed": "synthetic"}),
    "auto_restart": Row(id_after_a_kill, YES_NO),
    "save_state_interval": Row(snapshots, {"1": True, "3600": False}),
    "audit_interval_ns": Row(
        of_life(audit_due_in), {"10s": 10 * NS_PER_S, "30s": 30 * NS_PER_S}, {"speed": "1"}
    ),
    "hook_budget_ms": Row(
        of_life(lambda life: life.runner.guard.budget_ns), {"250": 250_000_000, "20": 20_000_000}
    ),
    "on_stop": Row(position_after_a_stop, {"keep": True, "flatten": False}),
    "durability": Row(
        of_life(lambda life: life.journal.is_synchronous), {"process": True, "power": False}
    ),
    "archive_facts": Row(
        of_life(lambda life: life.rotation._spare), {"20000": 20_000, "none": None}
    ),
    "feed": Row(
        of_market(lambda feed: feed.name),
        {"synthetic": "synthetic", "binance": "binance_futures"},
    ),
    "books": Row(of_market(lambda feed: feed._has_books), YES_NO),
    "api_key": Row(
        of_venue(lambda venue: venue._credentials.api_key), {"one": "one", "two": "two"}
    ),
    "api_secret": Row(
        of_venue(lambda venue: venue._credentials.signer.sign("x")[:4]),
        {"one": "c2cb", "two": "59b5"},
    ),
    "testnet": Row(
        address_of_venue("rest_url"),
        {"true": "https://demo-fapi.binance.com", "false": "https://fapi.binance.com"},
    ),
    "rest_url": Row(
        address_of_venue("rest_url"), {"none": "https://demo-fapi.binance.com", HERE: HERE}
    ),
    "stream_url": Row(
        address_of_venue("stream_url"), {"none": "wss://fstream.binancefuture.com", WS: WS}
    ),
    "ws_api_url": Row(
        address_of_venue("ws_api_url"), {"none": "wss://testnet.binancefuture.com", WS: WS}
    ),
    "orders_over_ws": Row(setting_of_venue("orders_over_ws"), YES_NO),
    "allow_withdrawals": Row(setting_of_venue("allow_withdrawals"), YES_NO),
    "switch_to_one_way": Row(setting_of_venue("switch_to_one_way"), YES_NO),
    "dead_man_s": Row(
        of_venue(lambda venue: (venue._dead_man._after_s, venue.capabilities.has_dead_man_switch)),
        {"120": (120, True), "0": (0, False)},
    ),
    "read_lag_ns": Row(
        of_venue(lambda venue: venue.capabilities.read_lag_ns), {"2s": 2 * NS_PER_S, "0s": 0}
    ),
    "retry_attempts": Row(of_venue(lambda venue: venue._asker._attempts_max), {"3": 4, "0": 1}),
}
IN_TESTS_OF = {
    "api_secret_file": "model/test_config_keys.py::test_a_secret_comes_from_a_file_that_its_owner",
    "api_secret_password": "model/test_config_keys.py::test_a_private_key_s_file_is_held_to",
    "api_keyring": "model/test_config_keys.py::test_keys_come_from_the_keyring",
    "watch_api_key": "model/test_config_keys.py::test_a_watcher_asks_with_a_key_of_its_own",
    "watch_api_secret": "model/test_config_keys.py::test_a_watcher_asks_with_a_key_of_its_own",
    "watch_api_secret_file": "model/test_config_keys.py::test_a_watcher_asks_with_a_key_of_its_own",
    "invented_symbols": "runtime/test_assembly.py::test_a_symbol_may_be_invented_where_that_is_said",
    "accounts": "runtime/test_accounts.py::test_each_strategy_trades_on_its_own_account",
    "control_port": "cli/test_run.py::test_a_taken_port_starts_nothing",
    "log_dir": "cli/test_settings.py::test_the_log_is_where_and_as_loud_as_settings_say",
    "log_level": "cli/test_settings.py::test_the_log_is_where_and_as_loud_as_settings_say",
    "data_dir": "runtime/test_settings_act.py::test_files_are_where_the_settings_say",
    "database_url": "runtime/test_settings_act.py::test_files_are_where_the_settings_say",
}
OF_ENGINE = LIMITS | ENGINE
CASES = [(key, value) for key, row in ACTS.items() for value in row.seen]


def test_each_setting_has_been_seen_to_act():
    assert set(ConfigFields.model_fields) == {*ACTS, *IN_TESTS_OF, *OF_ENGINE}
    assert all(len(set(map(repr, row.seen.values()))) > 1 for row in ACTS.values())
    for place in IN_TESTS_OF.values():
        file, _, name = place.partition("::")
        assert f"def {name}" in (ROOT / "tests" / file).read_text(), place


@pytest.mark.parametrize(("key", "value"), CASES, ids=[f"{k}={v}" for k, v in CASES])
async def test_a_setting_does_what_its_value_says(tmp_path, key, value):
    row = ACTS[key]

    assert await row.see(tmp_path, **{**row.given, key: value}) == row.seen[value]


async def test_files_are_where_the_settings_say(tmp_path):
    where = f"sqlite:///{tmp_path / 'other' / 'facts.db'}"
    async with running(tmp_path / "one"):
        pass
    async with running(tmp_path / "two", database_url=where):
        pass

    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db")}
    assert found == {"one/holdfast.db", "one/paper.db", "other/facts.db", "two/paper.db"}


@pytest.mark.parametrize(("on_stop", "is_held"), [("keep", True), ("flatten", False)])
async def test_a_feed_that_ends_leaves_what_the_setting_says(tmp_path, on_stop, is_held):
    async with running(tmp_path, on_stop=on_stop) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        desk.feed.end()
        await desk.service.wait()
        assert bool(desk.state.open_keys()) is is_held


# What the engine goes by, in every kind of session


def changed():
    """Return a text for each limit and setting of the engine that is not its default."""
    defaults, texts = TradingConfig(), {}
    for key, row in OF_ENGINE.items():
        for text in row.seen:
            if getattr(TradingConfig(**row.given | {key: text}), key) != getattr(defaults, key):
                texts[key] = text
    fits = {
        "volatility_max": "2",
        "max_messages": "50",
        "max_net_exposure_pct": "0.04",
        "correlation_returns": "50",
    }
    return {**texts, **fits, "audit_interval_ns": "7s"}


CHANGED: dict[str, Any] = changed()


@pytest.fixture
def lives(monkeypatch):
    """All that was begun, as a replay gives none of it away."""
    made = []

    def keep(self, *args, honest=LiveSession.__init__, **kwargs):
        honest(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(LiveSession, "__init__", keep)
    return made


def wanted(**settings):
    config = TradingConfig(**CHANGED | settings)
    found, default = config.engine_settings(), EngineSettings()
    same = {n for n in EngineSettings.__struct_fields__ if getattr(found, n) == getattr(default, n)}
    limits = {
        n
        for n in RiskLimits.__struct_fields__
        if getattr(found.limits, n) == getattr(default.limits, n)
    }
    assert (same, limits) == (set(), set())
    return found


@pytest.mark.parametrize("kind", ["paper", "resumed", "accounts", "replay"])
async def test_the_engine_goes_by_the_settings_in_every_kind_of_session(tmp_path, lives, kind):
    settings = dict(CHANGED)
    if kind == "replay":
        feed = ScriptedFeed()
        async with running(tmp_path / "first", feed=feed):
            await feed.pass_time(3)
        lives.clear()
        config = TradingConfig(**settings | {"symbols": "BTCUSDT"})
        await asyncio.to_thread(replayed, Listed(feed.tape), [], config)
    else:
        folder, feed = tmp_path / "a", None
        if kind == "accounts":
            settings["accounts"] = {"second": {"leverage": 3}}
        if kind == "resumed":
            async with running(folder) as desk:
                await desk.service.place_order(BTC, "BUY", "0.01")
                await desk.service.live.save()
                crash_image(folder, tmp_path / "b")
                folder, feed = tmp_path / "b", desk.feed.again()
        lives.clear()
        async with running(folder, feed=feed, **settings):
            pass

    [life] = lives
    assert life.plan.is_resumed is (kind == "resumed")
    core = life.engine.core
    assert core.settings == wanted()
    assert core.market._sample_ns == core.settings.limits.sample_s * NS_PER_S


def test_a_replay_isolates_margin_where_the_settings_do(lives):
    feed = Listed([Trade(symbol=BTC, ts=START + n, price=100.0, qty=1.0) for n in range(20)])
    config = TradingConfig(
        symbols="BTCUSDT", accounts={"second": {"isolated": False}}, isolated=True
    )
    replayed(feed, [], config)

    exchanges = {name: venue.exchange for name, venue in lives[0].accounts.venues.items()}
    assert exchanges[MAIN].is_isolated(MAIN, BTC)
    assert not exchanges[AccountId("second")].is_isolated(AccountId("second"), BTC)


def test_a_clock_may_be_off_by_no_more_than_the_fences_reckon_with():
    """Further off, an order could reach the venue after its fence has passed here."""
    second_off = 1_700_000_000 * NS_PER_S
    for text, is_off in (("1s", False), ("200ms", True)):
        offset = venue_with({"clock_skew_ns": text})._asker.offset
        offset.hear(second_off, second_off, 1_700_000_000_500)
        assert offset.is_off is is_off
        assert f"off by {text[0] if text == '1s' else '0.2'} s at most" in offset.told

    assert venue_with({"clock_skew_ns": "60s"})._asker.offset.most_ns == NS_PER_S


# Sources


def texts_of_all():
    """Return a text for each setting that is not its default."""
    texts = {**CHANGED}
    for key, row in ACTS.items():
        for text in row.seen:
            value = getattr(TradingConfig(**{**KEYS, **row.given, key: text}), key)
            if value != getattr(TradingConfig(), key):
                texts[key] = text
    others = {
        "api_secret_password": "pw",
        "watch_api_key": "w",
        "watch_api_secret": "ws",
        "watch_api_secret_file": "/nowhere/w",
        "invented_symbols": "yes",
        "control_port": "7777",
        "log_dir": "/tmp/logs",
        "log_level": "debug",
        "data_dir": "/tmp/d",
        "database_url": "postgresql://host/name",
    }
    return texts | others


ALL = texts_of_all()
ONE_PLACE = {"api_secret_file", "api_keyring"}  # where the key comes from one place alone


def test_every_source_gives_every_setting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert {*ALL, *ONE_PLACE, "accounts"} == set(ConfigFields.model_fields)
    toml, dotenv = tmp_path / "all.toml", tmp_path / "all.env"
    toml.write_text("".join(f"{key} = {json.dumps(text)}\n" for key, text in ALL.items()))
    dotenv.write_text("".join(f"HOLDFAST_{key.upper()}='{text}'\n" for key, text in ALL.items()))
    open_keys = {key: text for key, text in ALL.items() if key not in SECRETS}
    hidden = {key: text for key, text in ALL.items() if key in SECRETS}
    by_source = {
        "argument": TradingConfig(**ALL),
        "toml": TradingConfig.load(toml, env={}).config,
        "dotenv": TradingConfig.load(env={}, dotenv=dotenv).config,
        "environment": TradingConfig.load(env={k.upper(): v for k, v in ALL.items()}).config,
        "--set": TradingConfig.load(
            env={f"HOLDFAST_{k.upper()}": v for k, v in hidden.items()},
            overrides=overrides_of([f"{k}={v}" for k, v in open_keys.items()], {}),
        ).config,
    }

    default = TradingConfig()
    unheard = [
        (name, key)
        for name, config in by_source.items()
        for key in ALL
        if getattr(config, key) == getattr(default, key)
    ]
    assert unheard == []
    assert all(config == by_source["argument"] for config in by_source.values())
