"""What a session was asked to be, as its later lives find it."""

from __future__ import annotations

import threading

from holdfast import LiveTradingService, TradingConfig
from holdfast.model.config_keys import keys_of
from holdfast.runtime.wanted import anchored
from holdfast.strategies import Strategy
from tests.runtime.control_desk import BTC, SteadyFeed
from tests.runtime.session_desk import config_in

PEM = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"


def keys_from(folder):
    """Write private keys into a folder."""
    for name in ("own.pem", "second.key"):
        (folder / name).write_text(PEM)
        (folder / name).chmod(0o600)


def test_a_private_key_that_a_relative_path_names_is_found_from_another_folder(
    tmp_path, monkeypatch
):
    keys_from(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    second = {"api_key": "j" * 10, "api_secret": "second.key"}
    config = TradingConfig(
        api_key="k" * 10, api_secret="own.pem", data_dir="data", accounts={"second": second}
    )
    kept = anchored(config)
    monkeypatch.chdir(tmp_path / "elsewhere")

    for settings in (kept, kept.accounts["second"]):
        found = keys_of(settings)
        assert found is not None
        assert str(found.api_secret) == PEM
        assert "own.pem" not in repr(settings)


def test_a_secret_that_names_no_file_stays_as_it_is():
    assert anchored(TradingConfig(api_key="k", api_secret="s3cret")).api_secret == "s3cret"
    assert anchored(TradingConfig()).api_secret == ""


def test_a_private_key_in_somebodys_home_is_named_from_there(tmp_path, monkeypatch):
    keys_from(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = anchored(TradingConfig(api_key="k" * 10, api_secret="~/own.pem"))

    found = keys_of(config)
    assert found is not None
    assert str(found.api_secret) == PEM


class Locked(Strategy):
    def __init__(self):
        self.lock = threading.Lock()

    def on_bar(self, bar):
        pass


class Plain(Strategy):
    def on_bar(self, bar):
        pass


class Heard:
    def __init__(self):
        self.told = []

    def notify(self, level, text):
        self.told.append((level, text))


async def told_at_the_start(folder, strategies, **settings):
    heard = Heard()
    service = LiveTradingService(config=config_in(folder, **settings), notifier=heard)
    await service.start_session(symbols=[BTC], strategies=strategies, feed=SteadyFeed())
    await service.stop()
    return [(level, text) for level, text in heard.told if "copied" in text]


async def test_a_strategy_that_cannot_be_copied_is_told_of_at_the_start(tmp_path):
    found = await told_at_the_start(tmp_path, [Plain(), Locked()])

    [(level, text)] = found
    assert level == "warning"
    assert text.startswith("Locked can't be copied (TypeError: cannot pickle '_thread.lock' object")
    assert "used again as it is" in text
    assert "FILE.py:Locked" in text


async def test_where_no_life_follows_nobody_is_told_of_copies(tmp_path):
    assert await told_at_the_start(tmp_path, [Locked()], auto_restart=False) == []
