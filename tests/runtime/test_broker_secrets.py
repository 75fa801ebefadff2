"""Canaries: keys that are handed to a broker directly, and looked for in all that a session leaves."""

from __future__ import annotations

import asyncio
import logging

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from holdfast import BinanceFuturesBroker, LiveTradingService, Strategy
from holdfast.exchange_server.settings import ApiKey
from holdfast.model.config import TradingConfig
from holdfast.model.errors import ConfigError
from holdfast.model.values import AccountId
from holdfast.runtime.clock import WallClock
from holdfast.venues import Wiring
from tests.venues.binance_futures.adapter_desk import BTC
from tests.venues.binance_futures.adapter_street import street

KEY, SECRET = "canaryKEY" * 6, "canarySECRET" * 5
PATIENCE_S = 20.0


class Blabber(Strategy):
    """Tells what it should not know: in its lines, and in its last words, cut in the middle."""

    def __init__(self, *known):
        self.known = known

    def on_quote(self, quote):
        for each in self.known:
            self.ctx.log(f"using {each}")
        raise RuntimeError(" ".join(["x" * 270, *self.known]))


async def leaves(folder, caplog, broker, *known):
    """Run a session until its strategy has failed; return everything that was left of it."""
    caplog.set_level(logging.DEBUG)
    config = TradingConfig(dry_run=False, data_dir=folder, log_trades=False)
    service = LiveTradingService(config=config)
    service.set_broker(broker)
    heard = []
    service.event_bus.subscribe("strategy.failed", lambda *event: heard.append(repr(event)))
    await service.start_session("p", [Blabber(*known)], [BTC])
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not service.live.engine.state.stopped_strategies:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        state = repr(service.live.engine.state.stopped_strategies)
    finally:
        await service.stop("test")
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert sum(map(len, files)) > 1000
    return caplog.text + state + "".join(heard) + repr(broker), b"".join(files)


def parts(secret):
    """Return every piece of a secret that says too much."""
    return {secret[i : i + 12] for i in range(len(secret) - 11)}


async def test_keys_given_to_a_broker_are_in_nothing_that_a_session_leaves(tmp_path, caplog):
    account = ApiKey(key=KEY, secret=SECRET, account=AccountId("me"))
    with street(keys=(account,)) as market:
        broker = BinanceFuturesBroker(KEY, SECRET, rest_url=market.url, read_lag_s=0.05)
        said, files = await leaves(tmp_path, caplog, broker, KEY, SECRET)

    assert "was taken off: RuntimeError" in said
    for piece in parts(KEY) | parts(SECRET):
        assert piece not in said
        assert piece.encode() not in files


@pytest.mark.parametrize("is_file", [True, False], ids=["file", "text"])
async def test_private_key_given_to_a_broker_is_in_nothing_either(tmp_path, caplog, is_file):
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / "mine.pem"
    path.write_text(pem)
    path.chmod(0o600)
    account = ApiKey(key=KEY, public_key=public.decode(), account=AccountId("me"))
    folder = tmp_path / "data"
    with street(keys=(account,)) as market:
        given = str(path) if is_file else pem
        broker = BinanceFuturesBroker(KEY, given, rest_url=market.url, read_lag_s=0.05)
        said, files = await leaves(folder, caplog, broker, pem)

    line = pem.splitlines()[1]
    assert line not in said
    assert line.encode() not in files


def test_private_keys_file_that_is_open_to_others_is_refused(tmp_path):
    path = tmp_path / "mine.pem"
    path.write_text("whatever")
    path.chmod(0o640)

    with pytest.raises(ConfigError, match=r"open to others \(mode 0640\): chmod 600"):
        BinanceFuturesBroker(KEY, str(path))


def test_a_brokers_private_key_is_found_from_another_folder(tmp_path, monkeypatch):
    """A strategy may go elsewhere, and a life that follows a failed one opens the venue there."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path = tmp_path / "mine.pem"
    path.write_text(pem)
    path.chmod(0o600)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    brokers = [BinanceFuturesBroker(f"{KEY}\n", given) for given in ("mine.pem", " mine.pem\n")]
    monkeypatch.chdir(tmp_path / "elsewhere")

    for broker in brokers:
        broker.open(Wiring(config=TradingConfig(), clock=WallClock()))
        assert broker.secrets == (KEY, pem.strip())
