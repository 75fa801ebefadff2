import json
import os
import pickle
import subprocess
import sys
import traceback
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.model.config import TradingConfig
from holdfast.model.config_fields import SECTION_OF, ConfigFields
from holdfast.model.errors import ConfigError
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.values import NS_PER_S, Symbol
from holdfast.runtime.redaction import Redactor

KEY, SECRET = "k3y-of-the-venue", "s3cret-of-the-venue"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, text):
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def refusal(call):
    with pytest.raises(ConfigError) as caught:
        call()
    return str(caught.value)


# The specification's names and defaults


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("api_key", ""),
        ("api_secret", ""),
        ("testnet", True),
        ("dry_run", False),
        ("max_positions", 10),
        ("position_size_pct", Decimal("0.1")),
        ("stop_loss_pct", Decimal("0.02")),
        ("take_profit_pct", Decimal("0.05")),
        ("max_daily_loss_pct", Decimal("0.02")),
        ("use_market_orders", True),
        ("slippage_tolerance", Decimal("0.001")),
        ("retry_attempts", 3),
        ("auto_restart", True),
        ("save_state_interval", 60),
        ("log_trades", True),
        ("use_testnet", True),
        ("leverage", 5),
        ("initial_balance", Decimal(10_000)),
        ("data_dir", Path("holdfast-data")),
        ("log_dir", Path("holdfast-data/logs/trading")),
        ("database_url", "sqlite:///holdfast-data/holdfast.db"),
        ("durability", "process"),
        ("hook_budget_ms", 250),
        ("control_port", 0),
        ("on_stop", "keep"),
        ("venue", "paper"),
        ("feed", "synthetic"),
        ("rest_url", None),
        ("isolated", False),
        ("orders_over_ws", True),
        ("dead_man_s", 120),
        ("read_lag_ns", 2 * NS_PER_S),
    ],
)
def test_a_setting_has_the_default_that_is_promised(name, default):
    assert getattr(TradingConfig(), name) == default


def test_a_venue_that_is_named_brings_its_market_unless_another_is():
    assert TradingConfig(venue="binance_futures").feed == "binance_futures"
    assert TradingConfig(venue="binance_futures", dry_run=True).feed == "binance_futures"
    assert TradingConfig(venue="binance_futures", feed="synthetic").feed == "synthetic"


def test_every_limit_and_engine_setting_can_be_set_and_has_the_same_default():
    config = TradingConfig()

    assert config.risk_limits() == RiskLimits()
    assert config.engine_settings() == EngineSettings()


def test_what_is_set_reaches_the_engine():
    settings = TradingConfig(
        max_positions=3, max_drawdown_pct="0.25", stop_loss_pct=0.01, save_state_interval=5
    ).engine_settings()

    assert settings.limits.max_positions == 3
    assert settings.limits.max_drawdown_pct == Decimal("0.25")
    assert settings.stop_loss_pct == Decimal("0.01")
    assert settings.equity_interval_ns == 5 * NS_PER_S


def test_every_setting_has_a_section():
    assert set(SECTION_OF) == set(ConfigFields.model_fields)
    assert set(SECTION_OF.values()) == {
        "trading", "venue", "risk", "execution", "session", "journal", "feed", "accounts",
    }  # fmt: skip


# Made directly


def test_made_directly_it_needs_no_keys_and_reads_neither_files_nor_environment(monkeypatch):
    write("holdfast.toml", "max_positions = 3")
    write(".env", "MAX_POSITIONS=4")
    monkeypatch.setenv("MAX_POSITIONS", "5")
    monkeypatch.setenv("HOLDFAST_MAX_POSITIONS", "6")

    config = TradingConfig(dry_run=True, testnet=True, log_trades=True)

    assert config.max_positions == 10
    assert config.api_key == ""


def test_the_other_name_of_testnet_is_taken_too():
    assert TradingConfig(use_testnet=False).testnet is False


def test_it_is_frozen():
    config = TradingConfig()

    with pytest.raises(ValueError, match="frozen"):
        config.max_positions = 3


def test_it_survives_pickling_and_being_made_of_itself():
    config = TradingConfig(api_key=KEY, api_secret=SECRET, leverages={"btcusdt": 7})

    assert pickle.loads(pickle.dumps(config)) == config
    assert TradingConfig(**dict(config)) == config


# Amounts


@pytest.mark.parametrize("given", ["0.1", 0.1, Decimal("0.1"), " 0.10 "])
def test_a_tenth_is_exactly_a_tenth_however_it_is_written(given):
    assert TradingConfig(position_size_pct=given).position_size_pct == Decimal("0.1")


def test_a_tenth_in_a_toml_file_is_exactly_a_tenth():
    write("holdfast.toml", "slippage_tolerance = 0.001234567890123456789")

    config = TradingConfig.load(env={}).config

    assert config.slippage_tolerance == Decimal("0.001234567890123456789")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("position_size_pct", "1.01", "a number above 0 up to 1"),
        ("position_size_pct", 0, "a number above 0 up to 1"),
        ("position_size_pct", True, "a number above 0 up to 1"),
        ("position_size_pct", float("nan"), "a number above 0 up to 1"),
        ("stop_loss_pct", 1, "a number from 0 to 0.99"),
        ("retry_attempts", 11, "a whole number from 0 to 10"),
        ("retry_attempts", 1.5, "a whole number from 0 to 10"),
        ("save_state_interval", 0, "a whole number from 1 to 86400"),
        ("max_positions", True, "a whole number from 1 to 1000"),
        ("slippage_tolerance", "0.11", "a number from 0 to 0.1"),
        ("auto_restart", "maybe", "true or false"),
        ("auto_restart", 2, "true or false"),
        ("durability", "always", "one of process, power"),
        ("control_port", 70_000, "a whole number from 0 to 65535"),
        ("leverages", {"BTCUSDT": 126}, "whole numbers from 1 to 125 by symbol"),
        ("leverages", "BTCUSDT", "whole numbers from 1 to 125 by symbol"),
        ("leverages", "{", "whole numbers from 1 to 125 by symbol"),
        ("symbols", [1], "a list of names"),
        ("symbols", 1, "a list of names"),
        ("recv_window_ns", "5 fortnights", "nanoseconds, or a text"),
        ("database_url", "holdfast.db", "a database URL"),
        ("data_dir", " ", "a folder's path"),
        ("data_dir", "~nobody-here/x", "a folder's path; nobody's home is known as ~nobody-here"),
        ("order_prefix", "has.dot", "1 to 8 letters, digits, _ or -"),
        ("venue", 3, "a text"),
        ("max_order_notional", [1], "a number above 0 up to 1E+12"),
        ("speed", -1, "a number from 0 to 1000000"),
    ],
)
def test_a_value_out_of_its_range_says_what_was_expected(key, value, expected):
    message = refusal(lambda: TradingConfig(**{key: value}))

    assert f"argument {key} = " in message
    assert f"expected {expected}" in message


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [
        ("symbols", "btcusdt, ETHUSDT ,btcusdt", ("BTCUSDT", "ETHUSDT")),
        ("strategies", ["sma_cross"], ("sma_cross",)),
        ("strategies", "rsi, sma_cross", ("rsi", "sma_cross")),
        (
            "strategies",
            "sma_cross:fast=5,slow=20, rsi, m.py:Mine:at=12:30,n=2",
            ("sma_cross:fast=5,slow=20", "rsi", "m.py:Mine:at=12:30,n=2"),
        ),
        ("strategies", "fast=5", ("fast=5",)),
        ("leverages", "btcusdt=10, ETHUSDT=5", {"BTCUSDT": 10, "ETHUSDT": 5}),
        ("leverages", '{"BTCUSDT": 10}', {"BTCUSDT": 10}),
        ("recv_window_ns", "2.5s", 2_500_000_000),
        ("recv_window_ns", "1000000", 1_000_000),
        ("max_drawdown_pct", "none", None),
        ("max_drawdown_pct", "0.3", Decimal("0.3")),
        ("log_level", "debug", "DEBUG"),
        ("auto_restart", "off", False),
        ("data_dir", "~/x", Path("~/x").expanduser()),
    ],
)
def test_text_is_read_as_its_setting_wants(key, given, value):
    assert getattr(TradingConfig(**{key: given}), key) == value


def test_files_lie_in_the_data_folder_unless_told_otherwise():
    config = TradingConfig(data_dir="/srv/hf", database_url="postgresql://h/db")

    assert config.log_dir == Path("/srv/hf/logs/trading")
    assert config.database_url == "postgresql://h/db"
    assert TradingConfig(data_dir="/srv/hf").database_url == "sqlite:////srv/hf/holdfast.db"


def test_a_symbol_has_its_own_leverage_or_the_common_one():
    config = TradingConfig(leverage=4, leverages={"BTCUSDT": 20})

    assert [config.leverage_of(Symbol(name)) for name in ("BTCUSDT", "ETHUSDT")] == [20, 4]


# Sources


def test_sources_win_in_the_order_of_their_strength_and_are_remembered():
    write(
        "holdfast.toml", "[risk]\nmax_positions = 1\nmax_correlation = 0.5\n[session]\n\nseed = 7"
    )
    write(".env", "MAX_POSITIONS=2\nSTOP_LOSS_PCT=0.03\n")
    env = {"MAX_POSITIONS": "3", "USE_TESTNET": "false", "BINANCE_API_KEY": KEY}

    loaded = TradingConfig.load(
        env=env, overrides={"max_positions": 4, "dry_run": None, "api_secret": SECRET}
    )

    assert loaded.config.max_positions == 4
    assert loaded.config.testnet is False
    assert loaded.config.api_key == KEY
    assert {key: loaded.source_of(key) for key in loaded.sources} == {
        "max_positions": "--set max_positions",
        "max_correlation": "holdfast.toml:3",
        "seed": "holdfast.toml:6",
        "stop_loss_pct": ".env:2",
        "testnet": "environment USE_TESTNET",
        "api_key": "environment BINANCE_API_KEY",
        "api_secret": "--set api_secret",
    }
    assert loaded.source_of("dry_run") == "default"


@pytest.mark.parametrize(
    "weaker",
    ["holdfast.toml", ".env", "environment MAX_POSITIONS"],
)
def test_a_weak_source_counts_where_no_stronger_speaks(weaker):
    strength = ["holdfast.toml", ".env", "environment MAX_POSITIONS"]
    if strength.index(weaker) >= 0:
        write("holdfast.toml", "max_positions = 1")
    if strength.index(weaker) >= 1:
        write(".env", "MAX_POSITIONS=2")
    env = {"MAX_POSITIONS": "3"} if strength.index(weaker) >= 2 else {}

    loaded = TradingConfig.load(env=env)

    assert loaded.config.max_positions == strength.index(weaker) + 1
    assert loaded.source_of("max_positions").startswith(weaker)


def test_every_setting_is_heard_from_the_environment_by_both_its_names():
    known = {key: getattr(TradingConfig(), key) for key in SECTION_OF if key != "accounts"}
    texts = {
        key: json.dumps(value) if isinstance(value, dict)
        else ",".join(value) if isinstance(value, tuple)
        else "none" if value is None
        else str(value)
        for key, value in known.items()
    }  # fmt: skip
    given = {key: text for key, text in texts.items() if text}

    for prefix in ("", "HOLDFAST_"):
        loaded = TradingConfig.load(env={prefix + key.upper(): given[key] for key in given})

        assert loaded.config == TradingConfig()
        assert set(loaded.sources) == set(given)


def test_the_prefixed_variable_wins_over_the_bare_one():
    loaded = TradingConfig.load(env={"SEED": "5", "HOLDFAST_SEED": "6"})

    assert loaded.config.seed == 6


def test_an_empty_variable_counts_as_not_set():
    write(".env", "BINANCE_API_KEY=\nBINANCE_API_SECRET=''\n")

    assert TradingConfig.load(env={"MAX_POSITIONS": ""}).config == TradingConfig()


def test_a_dotenv_value_is_taken_as_it_stands():
    write(".env", f"export BINANCE_API_KEY='a${{HOME}}b'  # mine\nAPI_SECRET={SECRET}\n")

    loaded = TradingConfig.load(env={"HOME": "/root"})

    assert loaded.config.api_key == "a${HOME}b"
    assert loaded.source_of("api_secret") == ".env:2"


def test_sections_are_for_the_reader_and_names_may_stand_outside_of_them():
    write(
        "holdfast.toml",
        'max_positions = 2\nfeed = "recording"\n[venue]\nname = "binance_futures"\n'
        "[trading]\nposition_size_pct = 0.2\n[trading.leverages]\nBTCUSDT = 9\n",
    )

    loaded = TradingConfig.load(env={})

    assert loaded.config.max_positions == 2
    assert loaded.config.feed == "recording"
    assert loaded.config.venue == "binance_futures"
    assert loaded.config.leverages == {"BTCUSDT": 9}
    assert loaded.source_of("leverages") == "holdfast.toml:7"


def test_a_file_that_was_named_must_exist_and_one_that_was_not_need_not():
    assert TradingConfig.load(env={}).config == TradingConfig()
    assert "none.toml: no such file" in refusal(lambda: TradingConfig.load("none.toml", env={}))
    assert "no.env: no such file" in refusal(lambda: TradingConfig.load(env={}, dotenv="no.env"))
    named = {"HOLDFAST_CONFIG": "other.toml"}
    assert "other.toml: no such file" in refusal(lambda: TradingConfig.load(env=named))


def test_what_the_exchanges_own_options_are_read_from_is_no_setting_and_no_mistake():
    env = {"HOLDFAST_EXCHANGE_ADMIN_TOKEN": "x", "HOLDFAST_EXCHANGE_FEED_URL": "http://h"}

    assert TradingConfig.load(env=env).warnings == ()
    assert "EXCHANGE_PORT is no setting" in refusal(
        lambda: TradingConfig.load(env={"HOLDFAST_EXCHANGE_PORT": "1"})
    )


def test_a_virtual_environment_called_dotenv_is_no_settings_file():
    Path(".env").mkdir()

    assert TradingConfig.load(env={}).config == TradingConfig()
    assert "Is a directory" in refusal(lambda: TradingConfig.load(env={}, dotenv=".env"))


def test_without_being_told_it_reads_the_environment_of_the_process(monkeypatch):
    monkeypatch.setenv("HOLDFAST_SEED", "77")

    assert TradingConfig.load().config.seed == 77


# Mistakes


def test_all_mistakes_of_all_sources_are_told_at_once_each_with_its_place():
    write(
        "holdfast.toml",
        'max_positionss = 3\n[risk]\nmax_positions = "many"\n[rsik]\na = 1\n',
    )
    write(".env", "DRY_RUN=perhaps\n\n# a comment\nSTOP_LOSS_PC=3\nBAD LINE\n")
    env = {"HOLDFAST_MAX_DAILY_LOS_PCT": "1", "LEVERAGE": "500"}

    message = refusal(lambda: TradingConfig.load(env=env, overrides={"sede": 1, "speed": "x"}))

    assert message.splitlines() == [
        "10 mistakes in the configuration:",
        "  holdfast.toml:1: max_positionss is no setting; did you mean max_positions?",
        "  holdfast.toml:4: [rsik]: unknown section; did you mean risk?",
        "  .env:5: expected NAME=value",
        "  .env:4: STOP_LOSS_PC is no setting; did you mean STOP_LOSS_PCT?",
        "  environment HOLDFAST_MAX_DAILY_LOS_PCT is no setting; did you mean MAX_DAILY_LOSS_PCT?",
        "  --set sede is no setting; did you mean seed?",
        "  .env:1: dry_run = 'perhaps': expected true or false",
        "  environment LEVERAGE = '500': expected a whole number from 1 to 125",
        "  holdfast.toml:3: max_positions = 'many': expected a whole number from 1 to 1000",
        "  --speed = 'x': expected a number from 0 to 1000000",
    ]


def test_a_broken_toml_file_names_the_line():
    write("holdfast.toml", "max_positions = 3\nseed = = 4\n")

    assert "holdfast.toml:2: not valid TOML: " in refusal(lambda: TradingConfig.load(env={}))


def test_a_dotenv_name_without_a_value_names_the_line():
    write(".env", "\nSEED\n")

    assert ".env:2: SEED needs a value behind =" in refusal(lambda: TradingConfig.load(env={}))


def test_a_toml_file_that_ends_too_early_names_its_last_line():
    write("holdfast.toml", 'seed = 1\nvenue = """paper\n')

    assert "holdfast.toml:3: not valid TOML: " in refusal(lambda: TradingConfig.load(env={}))


def test_a_file_that_is_no_text_is_a_mistake():
    Path("holdfast.toml").write_bytes(b"a = '\xff'")

    assert "expected UTF-8, byte 5 is not" in refusal(lambda: TradingConfig.load(env={}))


def test_a_folder_in_place_of_a_file_is_a_mistake():
    Path("holdfast.toml").mkdir()

    assert "holdfast.toml: can't be read" in refusal(lambda: TradingConfig.load(env={}))


def test_a_setting_given_twice_with_different_values_is_a_mistake():
    write("holdfast.toml", "seed = 1\n[feed]\nseed = 2\n")

    message = refusal(lambda: TradingConfig.load(env={"TESTNET": "1", "USE_TESTNET": "0"}))

    assert "holdfast.toml:3: seed has another value at holdfast.toml:1" in message
    assert "USE_TESTNET: testnet has another value at environment TESTNET" in message


def test_a_bad_value_that_a_stronger_source_replaces_does_no_harm():
    write("holdfast.toml", 'seed = "x"')

    assert TradingConfig.load(env={"SEED": "3"}).config.seed == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"api_key": KEY}, "a key and its secret come together"),
        ({"api_secret_file": "f"}, "a key and its secret come together"),
        (
            {"api_key": KEY, "api_secret": SECRET, "api_secret_file": "f"},
            "the secret comes from one place",
        ),
        ({"api_keyring": "r", "api_key": KEY, "api_secret": SECRET}, "the key comes from one"),
        ({"message_reserve": 100}, "message_reserve = 100 (argument message_reserve) and max_mess"),
        ({"max_messages": 30}, "message_reserve = 30 (default) and max_messages = 30 (argument"),
        ({"correlation_returns": 10}, "the window never holds so many returns"),
        ({"volatility_returns_min": 61}, "the window never holds so many returns"),
        ({"volatility_min": 5}, "nothing lies between the two"),
        (
            {"max_net_exposure_pct": 2, "max_gross_exposure_pct": 1},
            "net exposure is never above gross",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, said):
    assert said in refusal(lambda: TradingConfig(**settings))


def test_names_of_others_are_left_alone_and_near_misses_are_mistakes():
    write(".env", "POSTGRES_USER=x\n")
    env = {"PATH": "/bin", "HOLDFAST_SERVICE_HOST": "10.0.0.1",
           "HOLDFAST_PORT_80_TCP": "x", "max_positions": "3"}  # fmt: skip

    loaded = TradingConfig.load(env=env)

    assert (loaded.config, loaded.warnings) == (TradingConfig(), ())
    for name, meant in (("TAKE_PROFIT_PC", "TAKE_PROFIT_PCT"), ("MAX_POSITONS", "MAX_POSITIONS")):
        said = refusal(lambda name=name: TradingConfig.load(env={**env, name: "0.1"}))
        assert f"environment {name} is no setting; did you mean {meant}?" in said


# Secrets


def test_a_setting_in_small_letters_is_not_ignored_without_a_word():
    dotenv = write(".env", "max_daily_loss_pct=0.01\nother=1\n")
    said = refusal(lambda: TradingConfig.load(env={}, dotenv=dotenv))
    assert ".env:1: max_daily_loss_pct is no setting; did you mean MAX_DAILY_LOSS_PCT?" in said
    assert "other" not in said

    said = refusal(lambda: TradingConfig.load(env={"Holdfast_Leverage": "3"}))
    assert "did you mean HOLDFAST_LEVERAGE?" in said
    said = refusal(lambda: TradingConfig.load(env={"holdfast_accounts_b_leverage": "3"}))
    assert "did you mean HOLDFAST_ACCOUNTS_B_LEVERAGE?" in said

    Path(".env").unlink()
    loaded = TradingConfig.load(env={"leverage": "3", "http_proxy": "x"})
    assert (loaded.config.leverage, loaded.warnings) == (5, ())


def test_what_is_wrong_with_a_keys_name_can_be_read_where_secrets_are_masked():
    write("holdfast.toml", f'api_keys = "{KEY}"\n')
    write(".env", f"BINANCE_API_SECRET=\nHOLDFAST_API_SECRETS={SECRET}\nAPI_SECRET\n")
    env = {"HOLDFAST_API_KEYY": KEY, "BINANCE_API_KEY": KEY, "API_KEY": f"{KEY}x"}
    message = refusal(lambda: TradingConfig.load(env=env))

    shown = Redactor().clean(message)
    assert "holdfast.toml:1: api_keys is no setting; did you mean api_key?" in shown
    assert ".env:2: HOLDFAST_API_SECRETS is no setting; did you mean API_SECRET?" in shown
    assert ".env:3: API_SECRET needs a value behind =" in shown
    assert "environment HOLDFAST_API_KEYY is no setting; did you mean API_KEY?" in shown
    assert " has another value at environment API_KEY" in shown
    assert KEY not in shown


def shown_everywhere(config):
    return [
        repr(config),
        str(config),
        config.model_dump_json(),
        str(config.model_dump()),
        json.dumps(config.model_dump(mode="json")),
        repr(dict(config)),
    ]


def test_secrets_can_be_used_and_are_never_shown():
    url = "postgresql://me:pa55@host/db?password=pa66&sslpassword=pa77"
    config = TradingConfig(api_key=KEY, api_secret=SECRET, database_url=url)

    assert f"{config.api_key}" == KEY
    assert config.api_secret == SECRET
    assert config.database_url == url
    for text in shown_everywhere(config):
        assert not [secret for secret in (KEY, SECRET, "pa55", "pa66", "pa77") if secret in text]
        assert "********" in text


def test_the_table_masks_secrets_and_says_where_each_setting_came_from():
    env = {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET,
           "DATABASE_URL": "postgresql://me:pa55@host/db", "SYMBOLS": "BTCUSDT,ETHUSDT"}  # fmt: skip

    loaded = TradingConfig.load(env=env)
    table = {key: (shown, source) for key, shown, source in loaded.table()}

    assert table["venue.api_key"] == ("********", "environment BINANCE_API_KEY")
    assert table["venue.api_secret"] == ("********", "environment BINANCE_API_SECRET")
    assert table["journal.database_url"][0] == "postgresql://me:********@host/db"
    assert table["trading.symbols"][0] == "BTCUSDT, ETHUSDT"
    assert table["risk.position_size_pct"] == ("0.1", "default")
    assert table["risk.max_drawdown_pct"] == ("none", "default")
    assert table["session.auto_restart"] == ("true", "default")
    assert set(table) == {
        f"{section}.{key}" for key, section in SECTION_OF.items() if key != "accounts"
    }
    assert KEY not in repr(loaded)
    assert SECRET not in repr(loaded)


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": "k3y with spaces", "api_secret": "s3c\x00ret"},
        {"api_key": ["k3y"], "api_secret": {"s3c": "s3c"}},
        {"api_kye": "k3y", "api_secert": "s3c"},
        {"api_key": "k3y"},
        {"database_url": "postgres//me:k3y@host/db"},
        {"api_key": "k3y", "api_secret": "s3c", "seed": "x"},
    ],
)
def test_no_mistake_shows_a_secret_nor_does_its_traceback(settings):
    with pytest.raises(ConfigError) as direct:
        TradingConfig(**settings)
    with pytest.raises(ConfigError) as loaded:
        TradingConfig.load(env={}, overrides=settings)

    for caught in (direct.value, loaded.value):
        shown = "".join(traceback.format_exception(caught))
        assert "k3y" not in shown
        assert "s3c" not in shown


def test_a_private_key_in_pem_keeps_its_lines():
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----"

    assert TradingConfig(api_key=KEY, api_secret=pem).api_secret == pem


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", f"BINANCE_API_KEY={KEY}\nBINANCE_API_SECRET={SECRET}\n"),
        ("holdfast.toml", f'[venue]\napi_key = "{KEY}"\napi_secret = "{SECRET}"\n'),
        (".env", "DATABASE_URL=postgresql://me:pa55@host/db\n"),
    ],
)
@pytest.mark.parametrize(("mode", "is_warned"), [(0o600, False), (0o640, True), (0o644, True)])
def test_a_secret_in_a_file_that_others_can_read_is_warned_of(name, text, mode, is_warned):
    write(name, text).chmod(mode)

    warnings = TradingConfig.load(env={}).warnings

    assert bool(warnings) is is_warned
    assert all(f"{name}: holds a secret" in warning and "chmod 600" in warning
               for warning in warnings)  # fmt: skip


def test_a_readable_file_without_secrets_is_fine():
    write(".env", "MAX_POSITIONS=3\nBINANCE_API_KEY=\n").chmod(0o644)

    assert TradingConfig.load(env={}).warnings == ()


# Start-up time


def test_the_model_is_imported_without_pydantic():
    code = (
        "import sys, holdfast.model, holdfast.model.settings, holdfast.model.events, holdfast.stats;"
        "print(sorted(n for n in ('pydantic', 'dotenv', 'plotly', 'rich') if n in sys.modules))"
    )
    path = os.pathsep.join(sys.path)

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["my data", "a?b", "50%", "a#b", "tab\tline\n", "a@b:c"])
def test_a_folder_may_have_any_name(name):
    config = TradingConfig(data_dir=name)

    assert config.data_dir == Path(name.strip())
    assert config.database_url == f"sqlite:///{name.strip()}/holdfast.db"
    assert "my data" not in name or "my data" in repr(config.database_url)


def test_the_listing_s_settings_can_be_given_by_place():
    listed = ("key", "secret", False, True, 3, 0.2, 0.01, 0.04, 0.03, False, 0.002, 5, False, 30)
    names = (
        "api_key",
        "api_secret",
        "testnet",
        "dry_run",
        "max_positions",
        "position_size_pct",
        "stop_loss_pct",
        "take_profit_pct",
        "max_daily_loss_pct",
        "use_market_orders",
        "slippage_tolerance",
        "retry_attempts",
        "auto_restart",
        "save_state_interval",
    )

    assert TradingConfig(*listed) == TradingConfig(**dict(zip(names, listed, strict=True)))
    assert TradingConfig("key", "secret", dry_run=True).api_secret == "secret"
    with pytest.raises(TypeError, match="takes at most 14"):
        TradingConfig(*listed, 1)
    with pytest.raises(TypeError, match="api_key"):
        TradingConfig("key", "secret", api_key="other")


@pytest.mark.parametrize("text", ["1e99999999", "1e-99999999", "nan", "-inf"])
def test_an_absurd_number_is_a_mistake_like_any_other(text):
    write("holdfast.toml", f"max_order_notional = {text}\n")

    message = refusal(lambda: TradingConfig.load(env={}))
    assert "holdfast.toml:1: max_order_notional = " in message
    assert "expected a number above 0 up to 1E+12" in message
    assert len(message) < 300
