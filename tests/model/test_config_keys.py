"""Where keys come from, and what is said when they don't."""

from __future__ import annotations

import sys

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError

from holdfast.model.config import TradingConfig
from holdfast.model.config_keys import (
    keys_of,
    read_secret,
    secrets_in,
    secrets_of,
    watch_keys_of,
)
from holdfast.model.errors import ConfigError

KEY, SECRET = "canary-key-4711", "canary-secret-0815"


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


def found(**settings):
    keys = keys_of(TradingConfig(**settings))
    assert keys is not None
    return keys


def refusal(call):
    with pytest.raises(ConfigError) as caught:
        call()
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_keys_come_from_the_settings():
    keys = found(api_key=KEY, api_secret=SECRET)

    assert (keys.api_key, keys.api_secret, keys.password) == (KEY, SECRET, None)


def test_no_key_is_no_key():
    assert keys_of(TradingConfig()) is None


def test_a_secret_comes_from_a_file_that_its_owner_alone_reads(secret_file):
    keys = found(api_key=KEY, api_secret_file=secret_file)

    assert (keys.api_key, keys.api_secret) == (KEY, SECRET)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o777])
def test_a_file_that_is_open_to_others_is_refused_with_the_way_out(secret_file, mode):
    secret_file.chmod(mode)
    said = refusal(lambda: read_secret(secret_file))

    assert f"mode {mode:04o}" in said
    assert f"chmod 600 {secret_file}" in said


def test_a_private_key_s_file_is_held_to_the_same(tmp_path):
    path = tmp_path / "mine.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\n" + SECRET)
    config = TradingConfig(api_key=KEY, api_secret=str(path), api_secret_password="pass-word")
    path.chmod(0o644)
    assert "chmod 600" in refusal(lambda: keys_of(config))

    path.chmod(0o600)
    keys = keys_of(config)

    assert keys is not None
    assert keys.api_secret.startswith("-----BEGIN")
    assert keys.password == "pass-word"
    assert {"pass-word", str(path), keys.api_secret} <= set(secrets_of(config))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "is no text"), (b"x" * 70_000, "more")],
)
def test_a_file_that_holds_no_secret_is_refused(secret_file, content, said):
    secret_file.write_bytes(content)

    assert said in refusal(lambda: read_secret(secret_file))


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "nowhere can't be read: No such file" in refusal(
        lambda: read_secret(tmp_path / "nowhere")
    )


class Ring(KeyringBackend):
    """A store as the system's, in memory: the real one needs a desktop."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service, username):
        if self.is_locked:
            raise KeyringError(SECRET)
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password


@pytest.fixture
def ring():
    before, ours = keyring.get_keyring(), Ring()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


def test_keys_come_from_the_keyring(ring):
    keyring.set_password("holdfast", "api_key", KEY)
    keyring.set_password("holdfast", "api_secret", SECRET)
    keys = found(api_keyring="holdfast")

    assert (keys.api_key, keys.api_secret) == (KEY, SECRET)


def test_a_keyring_that_lacks_an_entry_says_how_to_make_it(ring):
    keyring.set_password("holdfast", "api_key", KEY)

    assert "keyring set holdfast api_secret" in refusal(
        lambda: keys_of(TradingConfig(api_keyring="holdfast"))
    )


def test_a_keyring_that_is_locked_is_told_without_its_words(ring):
    ring.is_locked = True

    assert "the keyring can't be read: KeyringError" in refusal(
        lambda: keys_of(TradingConfig(api_keyring="holdfast"))
    )


def test_a_keyring_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert "pip install 'holdfast[keyring]'" in refusal(
        lambda: keys_of(TradingConfig(api_keyring="holdfast"))
    )


def test_a_pair_of_keys_does_not_show_itself():
    keys = found(api_key=KEY, api_secret=SECRET)

    assert KEY not in repr(keys)
    assert SECRET not in f"{keys}"


def test_a_watcher_asks_with_a_key_of_its_own(secret_file):
    given = TradingConfig(watch_api_key="w", watch_api_secret="ws", api_key=KEY, api_secret=SECRET)
    filed = TradingConfig(watch_api_key="w", watch_api_secret_file=secret_file)

    assert watch_keys_of(given)[:2] == ("w", "ws")
    assert watch_keys_of(filed)[:2] == ("w", SECRET)
    refusal(lambda: watch_keys_of(TradingConfig(watch_api_key="w")))


def test_a_watcher_takes_no_key_that_trades_wherever_it_is_named(ring):
    keyring.set_password("holdfast", "api_key", "traded")
    keyring.set_password("holdfast", "api_secret", SECRET)
    watching = {"watch_api_key": "traded", "watch_api_secret": SECRET}
    second = {"api_key": "traded", "api_secret": SECRET}

    for named in (
        {"api_key": "traded", "api_secret": SECRET},
        {"api_keyring": "holdfast"},
        {"accounts": {"second": second}},
    ):
        said = refusal(lambda named=named: watch_keys_of(TradingConfig(**watching, **named)))
        assert "is the key that the session trades with" in said


def test_what_settings_hold_is_known_without_fetching_anything(secret_file):
    secret_file.chmod(0o000)
    config = TradingConfig(api_key=KEY, api_secret_file=secret_file, watch_api_key="w")

    assert {KEY, "w"} <= set(secrets_in(config))
