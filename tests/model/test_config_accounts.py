"""Further accounts in the settings: tables, variables, arguments; what each takes from the session."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.model.config import TradingConfig
from holdfast.model.config_accounts import ACCOUNTS_MAX
from holdfast.model.config_keys import keys_of, secrets_of
from holdfast.model.errors import ConfigError
from holdfast.model.values import AccountId

SECOND = AccountId("second")
KEY, SECRET = "k3y-of-the-second", "s3cret-of-the-second"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(text, **env):
    Path("holdfast.toml").write_text(text)
    Path("holdfast.toml").chmod(0o600)
    return TradingConfig.load(env=env)


def refusal(text="", **settings):
    with pytest.raises(ConfigError) as caught:
        load(text) if text else TradingConfig(**settings)
    return str(caught.value)


def test_an_account_takes_what_it_does_not_say_from_the_session():
    config = load(
        'leverage = 4\nsymbols = "BTCUSDT"\nisolated = true\n[leverages]\nBTCUSDT = 9\n'
        "[accounts.second]\n[accounts.third]\nleverage = 2\nisolated = false\n"
        'symbols = ["ETHUSDT"]\nvenue = "paper"\ninitial_balance = 500\n'
    ).config
    second, third = config.of_account(SECOND), config.of_account(AccountId("third"))

    assert config.account_names == ("main", "second", "third")
    assert (second.leverage, second.leverage_of("BTCUSDT"), second.isolated) == (4, 9, True)
    assert second.symbols == ("BTCUSDT",)
    assert (third.leverage, third.leverage_of("BTCUSDT"), third.isolated) == (2, 2, False)
    assert (third.symbols, third.initial_balance) == (("ETHUSDT",), 500)


def test_an_account_never_takes_the_sessions_key():
    config = TradingConfig(
        api_key="a", api_secret="b", venue="binance_futures", accounts={"second": {}}
    )

    assert keys_of(config.of_account(SECOND)) is None


def test_every_source_gives_an_accounts_settings_and_says_which():
    loaded = load(
        f'[accounts.second]\napi_key = "{KEY}"\nleverage = 2\n',
        HOLDFAST_ACCOUNTS_SECOND_API_SECRET=SECRET,
        HOLDFAST_ACCOUNTS_SECOND_LEVERAGE="3",
    )
    rows = {key: (shown, source) for key, shown, source in loaded.table()}

    assert rows["accounts.second.leverage"] == (
        "3",
        "environment HOLDFAST_ACCOUNTS_SECOND_LEVERAGE",
    )
    assert rows["accounts.second.api_key"] == ("********", "holdfast.toml:2")
    assert tuple(keys_of(loaded.config.of_account(SECOND)) or ())[:2] == (KEY, SECRET)


def test_a_flag_gives_an_accounts_setting():
    flags = {"accounts.second.leverage": "7", "accounts.second.venue": "paper"}
    config = TradingConfig.load(env={}, overrides=flags).config

    assert config.of_account(SECOND).leverage == 7


def test_secrets_of_accounts_are_shown_nowhere_and_known_to_the_redactor():
    config = load(f'[accounts.second]\napi_key = "{KEY}"\napi_secret = "{SECRET}"\n').config
    shown = [repr(config), str(config), config.model_dump_json(), repr(config.of_account(SECOND))]

    assert not [text for text in shown if KEY in text or SECRET in text]
    assert {KEY, SECRET} <= set(secrets_of(config))
    told = refusal(f'[accounts.second]\napi_key = "{KEY}"\napi_secret = "{SECRET} x"\n')
    assert "accounts.second.api_secret" in told
    assert SECRET not in told


def test_one_key_of_two_accounts_at_one_venue_is_a_mistake():
    said = {"api_key": KEY, "api_secret": SECRET}

    told = refusal(venue="binance_futures", **said, accounts={"b": said})
    assert "one account twice: each needs a key of its own" in told
    assert KEY not in told
    assert "one account twice" in refusal(accounts={"b": said, "c": said})
    TradingConfig(
        venue="binance_futures", **said, accounts={"b": {**said, "venue": "another_venue"}}
    )


@pytest.mark.parametrize("setting", ["testnet = false", 'rest_url = "http://h"', 'feed = "x"'])
def test_another_market_of_an_account_is_refused_with_the_way_out(setting):
    told = refusal(f"[accounts.second]\n{setting}\n")

    assert "holdfast.toml:2" in told
    assert "all traded on one market: run another session, with a data_dir of its own" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[accounts.main]\nleverage = 2\n", "the account main is the one that the other settings"),
        ("[accounts.Big]\nleverage = 2\n", "an account needs a name of up to 16 small letters"),
        ("[accounts.b]\nlevrage = 2\n", "holdfast.toml:2: levrage is no setting of an account"),
        ("[accounts.b]\nleverage = 200\n", "accounts.b.leverage = 200: expected a whole number"),
        ("[accounts.b]\napi_key = 'k'\n", "a key and its secret come together"),
        ("accounts = 3\n", "expected a table for each account"),
        ("[accounts]\nb = 3\n", "expected a table [accounts.b]"),
    ],
)
def test_a_mistake_in_an_account_names_its_place_and_what_was_expected(text, told):
    assert told in refusal(text)


def test_accounts_are_bounded():
    many: dict[str, dict[str, object]] = {f"a{number}": {} for number in range(ACCOUNTS_MAX + 1)}

    assert f"at most {ACCOUNTS_MAX} accounts beside main" in refusal(accounts=many)
