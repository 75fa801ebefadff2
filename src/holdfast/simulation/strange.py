"""An exchange that speaks otherwise than ours: words that nobody knows, numbers for texts, gaps.

What is told stays true, or can't be understood: the books must be right all the same.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from .answer import Answer

NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,8})?")
NAMES = frozenset({"c", "C", "i", "t", "s", "id", "ca", "clientOrderId", "clientAlgoId", "symbol"})
"""Fields that stay texts whatever they look like."""

OPTIONAL = (
    *("ps", "ss", "si", "pP", "V", "pm", "gtd", "cr", "ot"),
    *("closePosition", "priceProtect", "priceMatch", "selfTradePreventionMode"),
    *("goodTillDate", "cumQuote", "cumBase", "origType"),
)
"""Fields that an answer may lack without anybody being told less.

A fill's profit is none of them: worked out from fills that are heard out of turn it is another.
"""

STATUSES = ("X", "status", "algoStatus")
UNKNOWN = "ON_HOLD"
REPLAYED = 30
"""How many frames of the stream come again when it is opened anew."""

_decode, _encode = msgspec.json.decode, msgspec.json.encode


class Strange:
    """What is odd about an exchange for a while. `fired` counts."""

    def __init__(self, lots: Random, now: Callable[[], float], fired: Counter[str]) -> None:
        self.frames_until = self.answers_until = 0.0
        self.replays = 0
        self.chance = 0.3
        self._lots = lots
        self._now = now
        self._fired = fired
        self._heard: dict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=REPLAYED))

    def frame(self, text: bytes, path: str) -> list[bytes]:
        """Return what arrives in a frame's place, on a stream of this path."""
        self._heard[path].append(text)
        if self._now() >= self.frames_until or self._lots.random() >= self.chance:
            return [text]
        self._fired["strange_frames"] += 1
        if self._lots.random() < 0.3:
            return [self._lots.choice(_ODD_FRAMES), text]
        return [_encode(self._bent(_decode(text)))]

    def again(self, path: str) -> list[bytes]:
        """Return the frames that come once more on a stream that was opened anew."""
        heard = self._heard[path]
        if self.replays <= 0 or not heard:
            return []
        self.replays -= 1
        self._fired["replayed_frames"] += 1
        return list(heard)

    def forget_market(self) -> None:
        """Forget the frames of the market: an exchange that counts its trades anew has no others.

        What was told of accounts stays true.
        """
        for path in [path for path in self._heard if "/private" not in path]:
            del self._heard[path]

    def reply(self, text: bytes) -> bytes:
        """Return what arrives in place of an answer over the API's socket."""
        if self._now() >= self.answers_until or self._lots.random() >= self.chance:
            return text
        self._fired["strange_answers"] += 1
        found = _decode(text)
        if isinstance(found, dict) and self._lots.random() < 0.3:
            found.pop("result", None)
            return _encode(found)
        return _encode(self._bent(found))

    def answer(self, found: Answer) -> Answer:
        """Return what arrives in an HTTP answer's place."""
        if self._now() >= self.answers_until or self._lots.random() >= self.chance:
            return found
        self._fired["strange_answers"] += 1
        if self._lots.random() < 0.4:
            return found._replace(body=self._lots.choice(_ODD_BODIES), status=self._status(found))
        return found._replace(body=_encode(self._bent(_decode(found.body))))

    def _status(self, found: Answer) -> int:
        """Return a status that is odd, and none that says that nothing was done."""
        return self._lots.choice((found.status, 202, 206, 302, 500, 502, 520))

    def _bent(self, value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return the same with numbers for texts, unknown words, fields more and less."""
        if isinstance(value, list):
            return [self._bent(each) for each in value]
        if not isinstance(value, dict):
            return value
        way = self._lots.choice((self._loosen, self._shorten, self._add, self._misname))
        bent = way({name: self._bent(each) for name, each in value.items()})
        return bent

    def _loosen(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            name: float(each)
            if name not in NAMES and isinstance(each, str) and NUMBER.fullmatch(each)
            else each
            for name, each in row.items()
        }

    def _shorten(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: each for name, each in row.items() if name not in OPTIONAL}

    def _add(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"zz": {"new": [1, None, "x"]}, **row, "aNewField": "yes"}

    def _misname(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: UNKNOWN if name in STATUSES else each for name, each in row.items()}


def _stranger(status: str) -> bytes:
    order = {
        "s": "UNHEARDUSDT", "c": "web_abc", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "1",
        "p": "2", "ap": "0", "sp": "0", "x": status, "X": status, "i": 991, "l": "0", "z": "0",
        "L": "0", "T": 1790000000000, "t": 0, "b": "0", "a": "0", "m": False, "R": False,
        "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "pP": False,
        "si": 0, "ss": 0, "V": "NONE", "pm": "NONE", "gtd": 0, "er": "0",
    }  # fmt: skip
    now = 1790000000000
    return _encode({"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": order})


_ODD_FRAMES = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"not JSON",
    b'{"e":1}',
    b'{"e":"SOMETHING_NEW","E":1790000000000,"x":{"y":[]}}',
    b'{"e":"ORDER_TRADE_UPDATE","E":1790000000000}',
    b'{"e":"ACCOUNT_UPDATE","E":1790000000000,"T":1790000000000,"a":{}}',
    _stranger("CANCELED"),
)
_ODD_BODIES = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b"<html><body>Bad gateway</body></html>",
    b'{"code":"x","msg":1}',
    b'{"unexpected":true}',
)
