"""The exchange's lists of orders leave some of them out for long, longer than any fence.

Who asks after such an order by its name is told of it: what is in a list is there, what is not in
it may be there all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from .adversaries import Adversary
from .answer import Answer

LISTS = ("/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders", "/fapi/v1/allOrders")
BLIND = 0.7
"""How many of the orders are left out for a while."""

SEEN_S = (0.0, 12.0)
"""How long they are listed before."""

BLIND_S = (3.0, 60.0)


class BlindLists(Adversary):
    """Leaves orders out of lists while the storm lasts."""

    name = "blind_lists"
    share: ClassVar[float] = 0.03
    _is_over = False

    def begin(self) -> None:
        self._blind: dict[str, tuple[float, float]] = {}  # by order: from when until when
        bourse: Any = self.world.bourse
        plain = bourse.request

        async def request(verb: str, url: str, headers: Mapping[str, str]) -> Answer:
            found: Answer = await plain(verb, url, headers)
            is_list = verb == "GET" and urlsplit(url).path in LISTS
            return self._thinned(found) if is_list and found.status == 200 else found

        bourse.request = request

    def _thinned(self, found: Answer) -> Answer:
        if self._is_over:
            return found
        rows = msgspec.json.decode(found.body)
        left = [row for row in rows if not self._is_left_out(row)]
        for _ in range(len(rows) - len(left)):
            self.strike("an order is left out")
        return found._replace(body=msgspec.json.encode(left))

    def _is_left_out(self, row: Mapping[str, object]) -> bool:
        now, name = self.world.loop.time(), str(row.get("orderId", row.get("algoId")))
        if name not in self._blind:
            begin = now + round(self.lots.uniform(*SEEN_S), 3) * (self.lots.random() < 0.5)
            lasts_s = round(self.lots.uniform(*BLIND_S), 3) * (self.lots.random() < BLIND)
            self._blind[name] = begin, begin + lasts_s
        begin, end = self._blind[name]
        return begin <= now < end

    def calm_down(self) -> None:
        self._is_over = True
