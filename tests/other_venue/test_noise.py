"""What the other venue says besides: of others, of nothing known, without sense."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.other_venue.street import BTC, session, street

REASONS = (
    "DEPOSIT", "WITHDRAW", "ORDER", "FUNDING_FEE", "WITHDRAW_REJECT", "ADJUSTMENT",
    "INSURANCE_CLEAR", "ADMIN_DEPOSIT", "ADMIN_WITHDRAW", "MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE",
    "ASSET_TRANSFER", "OPTIONS_PREMIUM_FEE", "OPTIONS_SETTLE_PROFIT", "AUTO_EXCHANGE",
    "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW", "SOMETHING_NEW",
)  # fmt: skip
NO_ORDER = {
    "s": BTC, "c": "web_9", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "1", "p": "1", "i": 77, "T": 1,
    "x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH", "er": "1",
}  # fmt: skip
TRADED = {"x": "TRADE", "X": "FILLED", "l": "1", "L": "0.1", "z": "1", "t": 5}
EVENTS = [
    {"e": "MARGIN_CALL", "E": 1, "cw": "3.1", "p": [{"s": BTC, "ps": "BOTH", "pa": "1"}]},
    {"e": "STRATEGY_UPDATE", "T": 1, "E": 1, "su": {"si": 1, "st": "GRID"}},
    {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": 1, "T": 1, "or": {"s": BTC, "i": 1, "r": "?"}},
    {"e": "listenKeyExpired", "E": 1, "listenKey": "another's"},
    {"e": "ACCOUNT_CONFIG_UPDATE", "T": 1, "E": 1, "ac": {"s": "DOGEUSDT", "l": 3}},
    {"e": "ACCOUNT_CONFIG_UPDATE", "T": 1, "E": 1, "ai": {"j": False}},
    {"e": "ORDER_TRADE_UPDATE", "T": 1, "E": 1, "o": NO_ORDER},
    {"e": "ORDER_TRADE_UPDATE", "T": 1, "E": 1, "o": NO_ORDER | TRADED | {"s": "DOGEUSDT"}},
    *(
        {"e": "ACCOUNT_UPDATE", "T": 1, "E": 1, "a": {"m": why, "P": [], "B": [
            {"a": "DOGE", "wb": "0", "cw": "0", "bc": "0"}]}}
        for why in REASONS
    ),
]  # fmt: skip
"""Of long ago, of others, or of nothing that we do."""

ANSWERS = (
    '{"id":null,"status":400,"error":{"code":-1102,"msg":"Malformed"}}',
    '{"status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}',
    '{"id":"zz-9","status":200,"result":{}}',
    '{"id":99999,"status":200,"result":{}}',
    '{"id":1,"status":"200","result":null}',
    '{"id":-5}',
    '{"event":{"e":"serverShutdown","E":1}}',
    "[]",
    "{}",
    "no JSON",
)


async def trade(one, market):
    """Hold something with a stop, and leave it."""
    await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
    await one.until(lambda: market.protected() == market.books()[1] == {BTC: Decimal("0.01")})
    await one.agree()
    await one.service.close_position(BTC)
    await one.until(lambda: not market.books()[1] and not market.books()[2])
    await one.agree()
    assert one.status == "RUNNING"
    assert not one.state.differences


@pytest.mark.parametrize("how", ["each by itself", "in a batch"])
async def test_events_of_others_and_of_nothing_known_change_nothing(tmp_path, how):
    texts = [json.dumps(event) for event in EVENTS]
    if how == "in a batch":
        texts = [f"[{','.join(texts)}]", "[]", "{}", "pong"]
    with street() as market:
        async with session(tmp_path, market) as one:
            market.call(lambda: [market.venue._send_user(text) for text in texts])
            await trade(one, market)


async def test_answers_that_nobody_asked_for_answer_nothing(tmp_path):
    def say(venue):
        for socket in venue.orders:
            for text in ANSWERS:
                socket.send(text)

    with street() as market:
        async with session(tmp_path, market) as one:
            market.call(lambda: say(market.venue))
            await trade(one, market)
            assert len(market.ordinary()) == 2
