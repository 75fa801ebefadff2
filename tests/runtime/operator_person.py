"""A person who asks a session for things, notes each answer, and goes by it.

What was answered is held against the exchange's own books: at once, and when all is calm.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from holdfast.cli.exit_codes import ExitCode, code_of
from holdfast.model.errors import (
    InputError,
    OutcomeUnknownError,
    RiskDenied,
    SessionStateError,
    TradingError,
    UnknownOrderError,
    VenueRefused,
    VenueUnavailable,
)
from holdfast.model.values import ZERO, Symbol
from holdfast.runtime.control_file import AnswerLost, NoSessionRunning
from tests.runtime.operator_house import BTC, ETH, PATIENCE_S

WORD_S = 9
"""How long a request is to wait for the venue's word, at the least."""

LATE_S, SOON_S = 15, 3
"""How long after an answer an order may still come about that nobody knew of."""


@dataclass
class Asked:
    """One order that was asked for, and all that was ever answered to it."""

    request_id: str
    body: dict[str, Any]
    answers: list[Any] = field(default_factory=list)

    @property
    def account(self):
        return self.body.get("account", "main")


class Person:
    """Asks, and judges what comes of it."""

    def __init__(self, house):
        self.house, self.lots = house, house.lots
        self.asked: list[Asked] = []
        self.tasks = []
        self.names = 0
        self.killed: bool | None = False  # None where nobody knows
        self.paused: str | bool | None = False  # the session that is
        self.wants = {"kill": 0, "pause": 0}  # how many words are under way
        self.is_flat = False  # as it was told to be with a kill
        self.amending: list[str] = []  # every order that was to be amended, each time
        self.under_way = Counter[str]()  # amendments, by order

    def say(self, text):
        self.house.found.append(f"{self.house.loop.time():.3f} {text}")

    async def ask(self, verb, path, **body):
        """Ask, and see that there is an answer, of a kind that programs can go by."""
        began = self.house.loop.time()
        patience_s = body.pop("patience_s", PATIENCE_S)
        try:
            return await self.house.ask(verb, path, patience_s=patience_s, **body)
        except TradingError as error:
            code = code_of(error)
            if code in (ExitCode.UNEXPECTED, ExitCode.OK):
                self.say(f"{path} ended with {code}: {type(error).__name__}: {error}")
            if not str(error).strip():
                self.say(f"{path} was refused without a word")
            took = self.house.loop.time() - began
            if isinstance(error, OutcomeUnknownError) and took >= PATIENCE_S:
                self.say(f"{path} was not answered in {took:.0f} s")
            raise
        except Exception:  # noqa: BLE001 - a person would see a traceback
            self.say(f"{path}: {traceback.format_exc(limit=-3)}")
            raise OutcomeUnknownError("it fell over") from None

    def spawn(self, deed):
        self.tasks.append(self.house.loop.create_task(deed))

    async def answered(self):
        """Wait until every request has come to its end."""
        for task in self.tasks:
            await task
        self.tasks.clear()

    def _bar(self):
        """Say what must not leave any more, by the answers alone."""
        self.house.barred_in = ""
        if self.killed and not self.wants["kill"]:
            self.house.barred = "the kill switch is engaged"
        elif self.paused and not self.wants["pause"]:
            self.house.barred, self.house.barred_in = "the session is paused", self.paused
        else:
            self.house.barred = ""

    # Orders

    def draw(self):
        """Draw an order."""
        lots, self.names = self.lots, self.names + 1
        symbol = lots.choice((BTC, ETH))
        price, unit = self.house.prices[symbol], 1 if symbol == BTC else 10
        side = lots.choice(("BUY", "SELL"))
        sign = 1 if side == "BUY" else -1
        qty = Decimal(lots.randint(10, 40) * unit) / 1000

        def at(share):
            return f"{price * (1 + sign * share):.0f}"

        body = {"symbol": symbol, "side": side, "quantity": f"{qty}"}
        kind = lots.choice(
            ("MARKET", "MARKET", "NEAR", "FAR", "FAR", "FAR", "IOC", "GTX", "STOP", "TRAIL")
        )
        if kind in ("NEAR", "FAR", "IOC", "GTX"):
            share = {"NEAR": 0.001, "IOC": 0.0005}.get(kind, -0.02)
            body |= {"type": "LIMIT", "price": at(share)}
            body["tif"] = kind if kind in ("IOC", "GTX") else "GTC"
        elif kind == "STOP":
            body |= {"type": "STOP_MARKET", "trigger_price": at(0.01)}
        elif kind == "TRAIL":
            body |= {"type": "TRAILING_STOP_MARKET", "callback_rate": "2"}
        chance = lots.random()
        if chance < 0.15:
            body["reduce_only"] = True
        elif chance < 0.5 and kind != "TRAIL":
            body["stop_loss"] = at(-0.05)
            if lots.random() < 0.5:
                body["take_profit"] = at(0.05)
        elif chance < 0.65 and kind in ("MARKET", "FAR"):
            algo = lots.choice(("twap:over=12s,slices=3", f"iceberg:show={qty / 2:.3f}"))
            body |= {"algo": algo, "quantity": f"{qty * 3}"}
        if len(self.house.names) > 1 and lots.random() < 0.4:
            body["account"] = self.house.names[1]
        return Asked(f"r{self.names}", body)

    async def place(self):
        asked = self.draw()
        self.asked.append(asked)
        await self.ask_for(asked)

    async def place_at_the_last(self):
        """Ask for an order, and have the power go as it leaves."""
        self.house.cuts_at_send = True
        await self.place()
        self.house.cuts_at_send = False

    async def again(self):
        """Ask for an order once more under its id, however it was answered."""
        if self.asked:
            await self.ask_for(self.lots.choice(self.asked[-6:]))

    async def otherwise(self):
        """Ask for another order under the id of one that was answered."""
        told = [each for each in self.asked if any(isinstance(a, dict) for a in each.answers)]
        if not told:
            return
        asked = self.lots.choice(told)
        side, symbol = asked.body["side"], asked.body["symbol"]
        others = [{"side": "SELL" if side == "BUY" else "BUY"}]
        others.append({"symbol": ETH if symbol == BTC else BTC})
        others += [{"account": each} for each in self.house.names if each != asked.account]
        body = {**asked.body, **self.lots.choice(others)}
        try:
            await self.ask("POST", "/v1/orders", request_id=asked.request_id, **body)
        except (OutcomeUnknownError, InputError, SessionStateError):
            return
        except TradingError as error:
            self.say(f"another {asked.request_id} was told {type(error).__name__} {error}")
            return
        self.say(f"{asked.request_id} was taken for {body} too")

    async def ask_for(self, asked, **more):
        was_barred, began = self.house.barred, self.house.loop.time()
        try:
            found = await self.ask(
                "POST", "/v1/orders", request_id=asked.request_id, **asked.body, **more
            )
            answer = found["order"]
        except TradingError as error:
            answer = error
            if was_barred and self.house.barred == was_barred:
                self._judge_barred(asked, error)
        asked.answers.append(answer)
        took = self.house.loop.time() - began
        if isinstance(answer, dict) and answer["status"] == "PENDING_NEW" and took < WORD_S:
            self.say(f"{asked.request_id} was answered in {took:.2f} s, before the venue had")
        self._judge_at_once(asked, answer)

    def _judge_barred(self, asked, error):
        """See that who was refused since nothing may leave is told so."""
        if asked.body.get("reduce_only") or len(asked.answers):
            return
        if isinstance(error, RiskDenied):
            words = ("kill_switch", "session", "price_collar", "stale_data")  # the first to speak
            if not str(error).startswith(words):
                self.say(f"{asked.request_id}: {self.house.barred}, was told {error}")

    def _judge_at_once(self, asked, answer):
        taken = self.house.taken_for(asked.request_id)
        name = asked.request_id
        first = next((each for each in asked.answers if isinstance(each, dict)), None)
        if isinstance(answer, dict):
            if first is not None and first["id"] != answer["id"]:
                self.say(f"{name} is {answer['id']}, was {first['id']}")
            is_pending = answer["status"] == "PENDING_NEW" or answer["is_in_doubt"]
            ids = [order.cl_ord_id for _, order in taken]
            goes_on = "algo" in asked.body
            if not is_pending and not goes_on and answer["id"] not in ids:
                self.say(f"{name} was answered as {answer['id']}, taken are {ids}")
            if answer["symbol"] != asked.body["symbol"] or answer["account"] != asked.account:
                self.say(f"{name} was answered by an order of {answer['symbol']}")
        elif isinstance(answer, VenueRefused | VenueUnavailable):
            if "algo" not in asked.body and taken:
                self.say(f"{name} was refused and taken: {type(answer).__name__}: {answer}")
            self._judge_reason(asked, answer)

    def _judge_reason(self, asked, answer):
        """See that a refusal of the venue's is its own word."""
        mine = [n for n, r in self.house.requests.items() if r == asked.request_id]
        reasons = [b.refused.get(n) for b in self.house.benches.values() for n in mine]
        told = [r for r in reasons if r is not None]
        if isinstance(answer, VenueRefused) and not any(r in str(answer) for r in told):
            self.say(f"{asked.request_id}: told {answer!r}, the venue said {told}")

    # Orders that are there

    def _pick(self):
        """Return an order that is open at the exchange, or was."""
        there = self.house.open_orders()
        ended = [(b, o) for b in self.house.benches.values() for o in b.taken.values()]
        pool = there if there and self.lots.random() < 0.8 else ended
        return self.lots.choice(pool) if pool else None

    async def cancel_known(self):
        """Take back an order that the session shows, whether the exchange has it or not."""
        shown = await self._orders()
        if not shown:
            return
        order = self.lots.choice(shown)
        bench = self.house.benches[order["account"]]
        await self._cancel(bench, order["id"], Symbol(order["symbol"]))

    async def cancel(self):
        picked = self._pick()
        if picked is not None:
            bench, order = picked
            symbol = getattr(order, "asked", order).symbol
            await self._cancel(bench, order.cl_ord_id, symbol)

    async def _cancel(self, bench, name, symbol):
        try:
            found = await self.ask("POST", f"/v1/orders/{name}/cancel")
        except OutcomeUnknownError:
            return
        except UnknownOrderError:
            self.say(f"{name} is not known, and cannot be cancelled")
            return
        except TradingError as error:
            there = bench.order(name, symbol)
            is_open = there is not None and there.is_open
            if isinstance(error, SessionStateError) and "already" in str(error) and is_open:
                self.say(f"{name} is open, and was told to have ended: {error}")
            return
        there = bench.order(name, symbol)
        if there is not None and there.is_open:
            self.say(f"{name} was cancelled ({found['order']['status']}) and is open")

    async def cancel_all(self):
        before = [(b, o.cl_ord_id, o.asked) for b, o in self.house.open_orders()]
        known = {o["id"] for o in await self._orders()}
        try:
            await self.ask("POST", "/v1/orders/all/cancel")
        except TradingError:
            return
        for bench, name, asked in before:
            there = bench.order(name, asked.symbol)
            if name in known and not asked.reduce_only and there and there.is_open:
                self.say(f"{name} is open behind a cancel of all")

    async def _orders(self):
        try:
            return (await self.ask("GET", "/v1/orders"))["orders"]
        except TradingError:
            return []

    async def modify(self):
        there = [
            (b, o) for b, o in self.house.open_orders() if o.asked.price and not o.asked.reduce_only
        ]
        if not there:
            return
        bench, order = self.lots.choice(there)
        qty = order.qty * self.lots.choice((1, 2))
        price = (order.price * Decimal(self.lots.choice(("0.999", "1", "1.001")))).quantize(ZERO)
        name, symbol = order.cl_ord_id, order.asked.symbol
        is_alone = not self.under_way[name]
        self.amending.append(name)
        self.under_way[name] += 1
        asked = self.amending.count(name)
        try:
            await self.ask("POST", f"/v1/orders/{name}/modify", price=f"{price}", quantity=f"{qty}")
        except TradingError:
            return
        finally:
            self.under_way[name] -= 1
        there = bench.order(name, symbol)
        is_alone = is_alone and asked == self.amending.count(name)
        is_open = there is not None and there.is_open
        if is_open and is_alone and (there.qty, there.price) != (qty, price):
            self.say(f"{name} was amended to {qty} at {price}, is {there.qty} {there.price}")

    # Positions

    def _key(self):
        """Return an account and a symbol, mostly of a position."""
        held = [*self.house.held()]
        if held and self.lots.random() < 0.8:
            return self.lots.choice(held)
        return self.lots.choice(self.house.names), self.lots.choice((BTC, ETH))

    async def close(self):
        account, symbol = self._key()
        since = self.house.loop.time() - (LATE_S if self.house.weather.late else SOON_S)
        bench = self.house.benches[account]
        try:
            found = await self.ask("POST", f"/v1/positions/{symbol}/close", account=account)
        except RiskDenied as error:
            self.say(f"a close was denied: {error}")
            return
        except TradingError:
            return
        left = Decimal(found["position"]["quantity"])
        late = [o for ts, o in self.house.sent if ts > since and o.key == (account, symbol)]
        there = [o.asked for o in bench.open_orders() if o.asked.symbol == symbol]
        if left and all(o.reduce_only for o in (*late, *there)):
            self.say(f"{symbol} on {account} was closed, and told to be {left}")

    async def adjust(self):
        account, symbol = self._key()
        unit = 1 if symbol == BTC else 10
        target = Decimal(self.lots.randint(-3, 3) * unit) / 20
        try:
            found = await self.ask(
                "POST", "/v1/adjust", symbol=symbol, target=f"{target}", account=account
            )
        except TradingError:
            return
        now, key = Decimal(found["position"]["quantity"]), (account, symbol)
        since = self.house.loop.time() - LATE_S
        others = [o for ts, o in self.house.sent if ts > since and o.key == key]
        there = [o for o in self.house.benches[account].open_orders() if o.asked.symbol == symbol]
        if now != target and len(others) <= 1 and not there:
            self.say(f"{symbol} on {account} was adjusted to {target}, and told to be {now}")

    # The session

    async def _word(self, kind, path, value, **body):
        self.wants[kind] += 1
        self._bar()
        failed = None
        try:
            found = await self.ask("POST", path, **body)
        except TradingError as error:
            failed = error
        self.wants[kind] -= 1
        name = "killed" if kind == "kill" else "paused"
        if name == "paused" and value and failed is None:
            value = found["session"]["id"]
        if failed is None:
            setattr(self, name, value if not self.wants[kind] else None)
        elif self.wants[kind] or not isinstance(failed, SessionStateError | InputError):
            setattr(self, name, None)
        if value is False or failed is not None:
            self.is_flat = False
        self._bar()
        return failed

    async def pause(self):
        if self.wants["pause"]:
            return
        await self._word("pause", "/v1/pause", True)

    async def resume(self):
        if self.wants["pause"]:
            return
        await self._word("pause", "/v1/resume", False)

    async def kill(self, *, flatten=False):
        """Kill, and tell whether that was answered as done."""
        if self.wants["kill"]:
            return False
        failed = await self._word("kill", "/v1/kill", True, reason="panic", flatten=flatten)
        if failed is not None and not isinstance(failed, AnswerLost | NoSessionRunning):
            self.say(f"a kill was refused: {type(failed).__name__}: {failed}")
        return failed is None

    async def kill_flat(self):
        self.is_flat = await self.kill(flatten=True) and self.killed is True

    async def release(self):
        if self.wants["kill"]:
            return
        await self._word("kill", "/v1/release", False, operator="ann")

    async def word_at_the_last(self):
        """Say a word that is to hold, and have the power go once it was answered."""
        process, word = self.house.process, self.lots.choice((self.pause, self.kill))
        await word()
        self.house.die_of(process)

    async def stop_twice(self):
        self.spawn(self.stop(flatten=False))
        await asyncio.sleep(self.lots.choice((0, 0.05, 0.2)))
        await self.stop(flatten=True)

    async def stop(self, *, flatten=None):
        """Stop, and see that what is said of it is so."""
        self.wants["pause"] += 1
        self._bar()
        try:
            found = await self.ask("POST", "/v1/stop", flatten=flatten)
        except TradingError as error:
            return str(error)
        finally:
            self.wants["pause"] -= 1
            self.paused = None  # another session follows
            self._bar()
        status = found["session"]["status"]
        if status not in ("STOPPED", "STOPPING", "ERROR"):
            self.say(f"a stop was answered with {status}")
        if status != "STOPPED":
            return status
        left = [o.cl_ord_id for _, o in self.house.open_orders() if not o.asked.reduce_only]
        if left:
            self.say(f"the session is STOPPED, and {left} are open")
        held = list(self.house.held())
        if flatten and held:
            self.say(f"the session is STOPPED, was to flatten, and {held} are held")
        return status

    async def stop_flat(self):
        await self.stop(flatten=True)

    async def look(self):
        """Ask what a person asks in between."""
        path = self.lots.choice(("/v1/status", "/v1/positions", "/v1/orders?all=1", "/v1/metrics"))
        try:
            await self.ask("GET", path)
        except TradingError:
            return

    async def hang_up(self):
        """Ask for an order, and be gone before the answer."""
        asked = self.draw()
        self.asked.append(asked)
        await self.ask_for(asked, patience_s=self.lots.choice((0, 0.01, 0.05, 0.2)))
