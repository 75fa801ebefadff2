from datetime import UTC, datetime

import pytest

from holdfast import ConfigError, InputError, Order, OrderSide, TradingConfig
from holdfast.model.errors import StrategyError
from holdfast.model.ids import short_name
from holdfast.model.values import NS_PER_S, StrategyId, Symbol
from holdfast.runtime.assembly import assemble, check_disabled_rules, load_strategies
from holdfast.runtime.user_orders import request_of, since_1970
from holdfast.strategies import SmaCrossStrategy


def test_an_unknown_rule_cannot_be_switched_off():
    with pytest.raises(ConfigError, match="there is no rule nonsense"):
        check_disabled_rules(TradingConfig(disabled=["nonsense"]))


@pytest.mark.parametrize("rule", ["kill_switch", "session", "filters"])
def test_what_nothing_may_go_without_cannot_be_switched_off(rule):
    with pytest.raises(ConfigError, match=f"{rule} can't be switched off"):
        check_disabled_rules(TradingConfig(disabled=[rule]))


def test_another_rule_can_be_switched_off():
    check_disabled_rules(TradingConfig(disabled=["correlation"]))


def test_a_trailing_stop_and_a_good_till_date_reach_the_engine():
    when = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    order = Order("BTCUSDT", OrderSide.SELL, 1, callback_rate="0.5", activation_price=60_000)
    order.expire_at = when

    request = request_of(order)

    assert str(request.callback_rate) == "0.5"
    assert request.activation_price == 60_000
    assert request.expire_ts == int(when.timestamp()) * NS_PER_S


def test_a_time_without_its_zone_is_refused():
    with pytest.raises(InputError, match="time zone"):
        since_1970(datetime(2026, 11, 23))  # noqa: DTZ001 - what is refused


async def test_a_made_up_market_knows_the_symbols_that_exist_alone(tmp_path):
    config = TradingConfig(data_dir=tmp_path)

    with pytest.raises(ConfigError, match=r"symbols: .* does not know NOPE, only BTCUSDT,"):
        await assemble(config, [Symbol("NOPE")])


async def test_a_symbol_may_be_invented_where_that_is_said(tmp_path):
    config = TradingConfig(data_dir=tmp_path, invented_symbols=True)
    parts = await assemble(config, [Symbol("NOPE")])
    await parts.venues[0].close()
    parts.journal.close()

    assert parts.symbols == ("NOPE",)


def alike_in_ids():
    """Two long names that even their checksums do not tell apart, as one pair of many thousands."""
    seen: dict[str, str] = {}
    for number in range(2_000):
        name = f"BreakoutOfTheRange{number}"
        other = seen.setdefault(short_name(StrategyId(name)), name)
        if other != name:
            return other, name
    raise AssertionError("no such pair")


def test_strategies_whose_orders_could_not_be_told_apart_are_refused():
    both = [type(name, (SmaCrossStrategy,), {})() for name in alike_in_ids()]

    with pytest.raises(StrategyError, match="could not be told apart: both are 'Breakout-"):
        load_strategies(both)


def test_two_of_one_long_name_are_told_apart():
    made, _ = load_strategies(["donchian_breakout", "donchian_breakout"])

    assert len({short_name(each) for each in made}) == len(made) == 2


@pytest.mark.parametrize("where", [{"testnet": False}, {"rest_url": "http://127.0.0.1:9"}])
async def test_a_real_account_is_not_traded_by_the_testnets_prices(tmp_path, where):
    config = TradingConfig(
        data_dir=tmp_path,
        venue="binance_futures",
        feed="binance_futures_testnet",
        api_key="k",
        api_secret="s",
        **where,
    )

    with pytest.raises(ConfigError, match="is not one of the testnet"):
        await assemble(config, [Symbol("BTCUSDT")])
