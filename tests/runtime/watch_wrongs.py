"""What may be wrong with a house that is watched, for so long, and what must be told of it."""

from __future__ import annotations

import shutil
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from holdfast.journal import reading
from holdfast.model import events as ev
from holdfast.model.errors import JournalCorrupt, JournalError, TradingError
from holdfast.model.values import Symbol, TradingSessionStatus
from tests.runtime.watch_house import (
    DUST,
    LAG_S_MAX,
    LOOK_S_MAX,
    LOT,
    OFF,
    PLAIN,
    QUIET_S,
    House,
    Wrong,
)

PATIENCE_S = 20.0
SETTLED_S = 20.0
"""How long after a wrong is right again its last traces may still be on their way."""

STAYS_S = (45.0, 80.0)
ANY = ("*", "*")
STILL = ("journal_still", "*")
BOOKS = {"journal", "venue", "books"}
NEEDS: dict[str, set[str]] = {
    "blind": {"journal"},
    "journal_unread": set(),
    "nobody": {"journal"},
    "session_error": {"journal"},
    "journal_quiet": {"journal"},
    "journal_still": {"journal", "venue"},
    "missing_order": {"journal", "venue"},
    "unknown_order": {"journal", "venue"},
    "order_differs": {"journal", "venue"},
}
"""What a look must see to see a thing; the books in all others."""

ENDS_BY: dict[str, set[str]] = {"blind": {"journal", "venue"}, "journal_unread": {"journal"}}
"""What a look must see to call a thing off, where that is more."""

LOOKS_MIN = 6
"""After so many looks in a row that could see it, what stays is an alarm, whatever else moves."""


class Wrongs:
    """Does wrong, makes it right again, and says at each look what must be told and what may."""

    def __init__(self, house: House, lots: Random, patch: Any) -> None:
        self.house, self.lots = house, lots
        self.active: list[Wrong] = []
        self.is_exclusive = False
        self.is_unreadable = False  # at this look
        self.is_swapped = False  # and nobody has noticed yet
        self.is_away = False
        self.is_older = False  # what is read is not this house's journal
        self.seen: dict[int, list[float]] = {}
        self.reads_left = -1
        self.copy: Any = None
        real = reading.Tables._read

        def read(tables: Any, take: Any) -> Any:
            if house.is_read and self.reads_left >= 0:
                self.reads_left -= 1
                if self.reads_left < 0:
                    self.is_unreadable = True
                    raise JournalError("the disk failed to read")
            return real(tables, take)

        patch.setattr(reading.Tables, "_read", read)

    # --- what is wrong ---------------------------------------------------------------------------

    def is_spoiled(self, *key: str) -> bool:
        """Tell whether a thing is wrong already: what is wrong with it twice may come out even."""
        return any(key in each.must for each in self.active if each.until > self.house.time)

    def begin(
        self,
        kinds: list[tuple[str, str]],
        must: list[tuple[str, str]],
        mend: Any,
        after_s: float = 0.0,
    ) -> Wrong:
        wrong = Wrong((*kinds, *must), tuple(must), self.house.time)
        self.active.append(wrong)

        def end() -> None:
            mend()
            wrong.until = self.house.time

        wrong.mend = end
        self.house.at(after_s + self.lots.uniform(*STAYS_S), lambda: self.end(wrong))
        return wrong

    @staticmethod
    def end(wrong: Wrong) -> None:
        if wrong.until == float("inf"):
            wrong.mend()

    def spoil(self) -> None:
        """Do something wrong, if it can be done now."""
        house = self.house
        if house.is_calm or not house.is_alive or self.is_exclusive:
            return
        known = len(self.active)
        ways = [
            self.lose_order,
            self.keep_order,
            self.meet,
            self.move_position,
            self.move_wallet,
            self.lose_stop,
            self.cut_stop,
            self.move_stop,
            self.move_order,
            self.go_blind,
        ]
        if self.lots.random() < 0.25:
            ways = [self.die, self.fail, self.hang, self.move_away, self.put_older]
        self.lots.shuffle(ways)
        for way in ways:
            way()
            if len(self.active) > known:
                return

    def _clear_orders(self) -> list[Any]:
        house = self.house
        return [
            name
            for name, report in house.orders.items()
            if name not in house.spoiled
            and report.symbol == PLAIN
            and house.is_clear(name)
            and house.state.orders[name].is_ours
        ]

    def lose_order(self) -> None:
        house, names = self.house, self._clear_orders()
        if names:
            name = self.lots.choice(names)
            del house.orders[name]
            house.changed()

            def mend() -> None:
                house.record(ev.OrderCanceled(ts=house.ts(), cl_ord_id=name))

            self.begin([STILL], [("missing_order", name)], mend)

    def keep_order(self) -> None:
        """Let the journal take an order for ended that is still open."""
        house, names = self.house, self._clear_orders()
        if names:
            name = self.lots.choice(names)
            house.spoiled.add(name)
            house.record(ev.OrderCanceled(ts=house.ts(), cl_ord_id=name))

            def mend() -> None:
                house.orders.pop(name, None)
                house.changed()

            self.begin([STILL], [("unknown_order", name)], mend)

    def meet(self) -> None:
        house = self.house
        name = house.meet(is_unknown=True)

        def mend() -> None:
            del house.orders[name]
            house.changed()

        self.begin([STILL], [("unknown_order", name)], mend)

    def move_position(self) -> None:
        house, off = self.house, OFF * self.lots.choice((1, -1))
        if self.is_spoiled("position_differs", PLAIN):
            return

        def move(by: Decimal) -> None:
            house.positions[PLAIN] = house.positions.get(PLAIN, Decimal(0)) + by
            house.changed()

        move(off)
        self.begin([STILL], [("position_differs", PLAIN)], lambda: move(-off))

    def move_wallet(self) -> None:
        house, asset = self.house, self.lots.choice(("USDT", "BNB"))
        if self.is_spoiled("balance_differs", asset):
            return

        def move(by: Decimal) -> None:
            house.wallets[asset] += by
            house.changed()

        move(DUST)
        self.begin([STILL], [("balance_differs", asset)], lambda: move(-DUST))

    def _guarded(self) -> tuple[Any, Any] | None:
        """Return a parent that holds, and its only stop, with nothing of either on its way."""
        house = self.house
        for parents in house.state.live_parents.values():
            for parent in (house.state.parents[each] for each in parents):
                stops = house.stops(parent.parent_id)
                is_whole = parent.open_qty == parent.start.qty
                if self.is_spoiled("stop_missing", parent.parent_id):
                    continue
                is_alone = len(stops) == 1 and house.orders[stops[0]].qty == parent.open_qty
                if is_whole and is_alone and not self.is_spoiled("order_differs", stops[0]):
                    return parent.parent_id, stops[0]
        return None

    def lose_stop(self) -> None:
        house, found = self.house, self._guarded()
        if found:
            parent, stop = found
            house.spoiled.add(stop)
            report = house.orders.pop(stop)
            house.changed()

            def mend() -> None:
                house.orders[stop] = report
                house.changed()

            must = [("stop_missing", parent), ("missing_order", stop)]
            self.begin([STILL], must, mend)

    def cut_stop(self) -> None:
        house, found = self.house, self._guarded()
        if found:
            parent, stop = found
            house.spoiled.add(stop)
            report = house.orders[stop]
            house.orders[stop] = msgspec.structs.replace(report, qty=report.qty - OFF)
            house.changed()

            def mend() -> None:
                house.orders[stop] = report
                house.changed()

            self.begin([STILL], [("stop_missing", parent), ("order_differs", stop)], mend)

    def move_stop(self) -> None:
        """Let a stop wait for another price than the journal has."""
        house, found = self.house, self._guarded()
        if found:
            stop = found[1]
            house.spoiled.add(stop)
            report = house.orders[stop]
            further = msgspec.structs.replace(report, trigger_price=Decimal(80))
            house.orders[stop] = further
            house.changed()

            def mend() -> None:
                house.orders[stop] = report
                house.changed()

            self.begin([STILL], [("order_differs", stop)], mend)

    def move_order(self) -> None:
        """Let an order have another price, or quantity, that the journal never hears of."""
        house, names = self.house, self._clear_orders()
        if names:
            name = self.lots.choice(names)
            house.spoiled.add(name)
            report = house.orders[name]
            change = self.lots.choice(({"price": Decimal(55)}, {"qty": report.qty + LOT}))
            house.orders[name] = msgspec.structs.replace(report, **change)
            house.changed()

            def mend() -> None:
                house.orders[name] = report
                house.changed()

            self.begin([STILL], [("order_differs", name)], mend)

    def _alone(self, must: list[tuple[str, str]], mend: Any, after_s: float = 0.0) -> Wrong:
        self.is_exclusive = True

        def end() -> None:
            mend()
            self.is_exclusive = False

        return self.begin([ANY], must, end, after_s)

    def die(self) -> None:
        self.house.leave()
        self._alone([("nobody", "owner")], self.house.begin)

    def fail(self) -> None:
        house = self.house
        house.record(house.moved(TradingSessionStatus.ERROR))
        house.is_hung = True

        def mend() -> None:
            house.is_hung = False
            backlog, house.backlog = house.backlog, []
            house.record(house.moved(TradingSessionStatus.STOPPED))
            house.backlog = backlog
            house.leave()
            house.begin()

        self._alone([("session_error", "session")], mend)

    def hang(self) -> None:
        house = self.house
        house.is_hung = True
        wrong = self._alone([("journal_quiet", "journal")], house.revive, QUIET_S)
        wrong.since = house.time + QUIET_S + 10  # the watcher may have read the last facts late

    def go_blind(self) -> None:
        house = self.house
        if self.is_spoiled("blind", "venue"):
            return
        house.blind_until = float("inf")

        def mend() -> None:
            house.blind_until = -1.0

        self.begin([("blind", "venue")], [("blind", "venue")], mend)

    def move_away(self) -> None:
        """Let the journal's folder be gone."""
        house = self.house
        house.leave()
        away = house.root / "away"
        house.folder.rename(away)
        self.is_away = True

        def mend() -> None:
            self.is_away = False
            away.rename(house.folder)
            house.begin()

        self._alone([("journal_unread", "journal")], mend)

    def put_older(self) -> None:
        """Let an older copy of the journal be in its place, or another one."""
        house = self.house
        if self.copy is None:
            return
        house.leave()
        away = house.root / "away"
        house.folder.rename(away)
        shutil.copytree(self.copy, house.folder)
        self.is_older = self.is_swapped = True

        def mend() -> None:
            self.is_older, self.is_swapped = False, True
            shutil.rmtree(house.folder)
            away.rename(house.folder)
            house.begin()

        self._alone([("nobody", "owner")], mend)

    def keep_copy(self) -> None:
        """Keep what the journal is now, for `put_older`."""
        house = self.house
        if house.is_alive and self.copy is None:
            house.journal.sync()
            self.copy = house.root / "copy"
            shutil.copytree(house.folder, self.copy)

    # --- what must be told -----------------------------------------------------------------------

    def check(self, before: set[tuple[str, str]], *, sees: set[str]) -> set[tuple[str, str]]:
        """Hold the alarms that stand after a look against what is wrong; return them.

        Args:
            sees: "journal", "venue", "books": what this look could see.
        """
        house = self.house
        alarms = {(each.kind, each.what) for each in house.watch.alarms}
        self._check_told(before, alarms)
        for key in alarms - before:  # what was seen of it counts on for a while
            assert self._is_wrong(key, SETTLED_S), f"{key} is alarmed and was only under way"
        for key in before - alarms:
            needs = ENDS_BY.get(key[0]) or NEEDS.get(key[0], BOOKS)
            assert needs <= sees, f"{key} is called off by a look that could not see it"
        if sees == BOOKS:
            for key in alarms:
                is_known = self._is_wrong(key, SETTLED_S) or self._is_under_way(*key)
                assert is_known, f"{key} is over and not called off"
        for wrong in self.active:
            for key in wrong.must:
                self._check_alarmed(wrong, key, alarms, sees)
        return alarms

    def _check_told(self, before: set[Any], alarms: set[Any]) -> None:
        house = self.house
        told, house.told = house.told, []
        levels = [level for level, _ in told]
        assert levels.count("alarm") == len(alarms - before), told
        assert levels.count("warning") == len(before - alarms), told
        for kind, _ in alarms - before:
            assert any(text.startswith(f"watch: {kind}: ") for _, text in told), told

    def _is_wrong(self, key: tuple[str, str], settled_s: float) -> bool:
        kind, what = key
        return any(
            (each_kind, each_what) in ((kind, what), (kind, "*"), ANY)
            and wrong.until + settled_s + LAG_S_MAX >= self.house.time
            for wrong in self.active
            for each_kind, each_what in wrong.kinds
        )

    def _is_under_way(self, kind: str, what: str) -> bool:
        """Tell whether what was wrong is followed by what is only on its way, at each look."""
        house = self.house
        state, lately = house.state, house.past[-1].since > house.time - LAG_S_MAX
        if kind == "position_differs":
            key = (house.account, Symbol(what))
            return lately or house.positions.get(key[1], 0) != state.position(key).qty
        if kind == "balance_differs":
            return lately or house.wallets[what] != state.account(house.account).wallet(what)
        return False

    def _check_alarmed(
        self, wrong: Wrong, key: tuple[str, str], alarms: set[Any], sees: set[str]
    ) -> None:
        """Hold that what stays is alarmed once it was seen for so long and so often."""
        looks = self.seen.setdefault(id(wrong) ^ hash(key), [])
        seen_from = wrong.since + LAG_S_MAX + LOOK_S_MAX
        if wrong.until < self.house.time or self.house.time < seen_from:
            return
        needs = NEEDS.get(key[0], BOOKS)
        if self.is_older and key[0] != "nobody":
            looks.clear()
            return
        if not needs <= sees:
            return
        if looks and self.house.time - looks[-1] >= PATIENCE_S:
            looks.clear()  # off by another amount, it is new
        looks.append(self.house.time)
        if len(looks) >= LOOKS_MIN and self.house.time - looks[0] > PATIENCE_S:
            assert key in alarms, f"{key} has stayed since {wrong.since} and is not alarmed"


async def look(house: House, wrongs: Wrongs, before: set[Any]) -> tuple[set[Any], Any]:
    """Look once, and hold what is told against what is wrong."""
    found, sees = None, {"journal"}
    house.is_read, house.has_refused = True, False
    try:
        found = await house.watch.look()
    except TradingError as error:
        if not house.has_refused:
            sees = set()
            if not (wrongs.is_unreadable or wrongs.is_swapped or wrongs.is_away):
                raise AssertionError(f"it can be read, and was not: {error}") from error
            wrongs.is_swapped &= not isinstance(error, JournalCorrupt)
    else:
        sees |= {"venue", "books"} if found.is_compared else {"venue"}
    finally:
        house.is_read = False
        wrongs.reads_left, wrongs.is_unreadable = -1, False
    return wrongs.check(before, sees=sees), found
