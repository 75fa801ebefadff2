"""What a person asks of a session, whatever happens between the question and the answer.

A storm of requests over the control API, several at once, on a road that fails and in processes
that die; then a calm, in which each answer is held against the exchange's own books.
"""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.errors import OutcomeUnknownError, TradingError
from holdfast.model.messages import FailSession
from holdfast.model.values import ZERO
from holdfast.simulation.disk import AFTER, BEFORE
from tests.runtime.operator_house import BTC, ETH, House
from tests.runtime.operator_person import Person
from tests.runtime.operator_venue import CALM, Weather

CALM_S = 40

P = Person
DEEDS = (
    *(P.place,) * 8,
    *(P.again,) * 4,
    *(P.cancel, P.cancel_known) * 2,
    *(P.modify, P.close, P.adjust) * 2,
    P.modify,
    *(P.pause, P.resume, P.kill, P.release),
    *(P.hang_up, P.otherwise, P.cancel_all, P.look, P.kill_flat, P.stop, P.stop_flat),
    *(P.stop_twice, P.place_at_the_last, P.word_at_the_last),
)
HARM = ("die", "die", "die", "write", "link", "fail", "away", "error", "move")
WEATHERS = (
    CALM,
    Weather(slow_s=1.5),
    Weather(slow_s=7),
    Weather(refused=0.15, unsent=0.1, slow_s=0.3),
    Weather(refused=0.1, lost=0.1, mute=0.1, late=0.1, slow_s=0.5),
)
PLACES = ((1, "process"), (2, "process"), (1, "power"), (2, "power"))


def harm(house, lots):
    """Let something go wrong."""
    kind, is_up = lots.choice(HARM), house.is_up and house.service.is_running()
    if kind == "die":
        house.die(loses_power=lots.random() < 0.3)
    elif kind == "write":
        house.die_at_a_write(lots.randint(1, 4), lots.choice((BEFORE, AFTER)))
    elif kind == "link":
        house.break_link(lots.choice(house.names), lots.uniform(0.2, 15))
    elif kind == "fail" and is_up:
        house.call(house.service.live.shell.fail, RuntimeError("odd"))
    elif kind == "away" and is_up:  # as a life fails: the next one waits for it
        for account in house.names:
            house.break_link(account, lots.uniform(20, 90))
        house.call(house.service.live.shell.fail, RuntimeError("odd"))
    elif kind == "error" and is_up:
        house.call(house.service.live.shell.hear, FailSession(reason="odd"))
    elif kind == "move":
        symbol = lots.choice((BTC, ETH))
        house.prices[symbol] = round(house.prices[symbol] * lots.choice((0.985, 1.015)), 0)


async def storm(house, person, deeds, seconds):
    lots, end = house.lots, house.loop.time() + seconds
    while house.loop.time() < end:
        await asyncio.sleep(lots.choice((0, 0, 0.05, 0.3, 1, 2)))
        deed = lots.choice(deeds)
        if deed is None:
            harm(house, lots)
        else:
            person.spawn(deed(person))


async def until(house, condition, seconds, what):
    end = house.loop.time() + seconds
    while not condition():
        if house.loop.time() >= end:
            house.found.append(f"not within {seconds} s: {what()}")
            return
        await asyncio.sleep(0.5)


async def calm(house, person):
    """Let all roads be well, and every request come to its end."""
    house.weather, house.disk.killing = CALM, None
    for account in house.names:
        house.mend_link(account)
    await person.answered()

    def is_settled():
        if not (house.is_up and house.service.is_running()):
            return False
        orders = house.state.all_open_orders()
        return house.state.status.name in ("RUNNING", "PAUSED", "ERROR") and not any(
            o.is_in_doubt or o.status.name == "PENDING_NEW" for o in orders
        )

    def where():
        if not house.is_up:
            return f"{house.process} {house.process.reason} {house.start_error}"
        return f"{house.service.session().status} {house.service.fault}"

    await until(house, is_settled, 120, where)
    await asyncio.sleep(CALM_S)


def look(house, person):
    """See that the session stands where it was told to, by the exchange's books as well."""
    state, found = house.state, house.found
    if person.killed is not None and state.is_killed is not person.killed:
        found.append(f"is_killed {state.is_killed}, was told {person.killed}")
    if person.paused == house.session_id and state.status.name not in ("PAUSED", "ERROR"):
        found.append(f"the session is {state.status.name}, and was told to pause")
    entries = [o.cl_ord_id for _, o in house.open_orders() if not o.asked.reduce_only]
    if (state.is_killed or state.status.name != "RUNNING") and entries:
        found.append(f"{state.status.name} {state.is_killed}, and {entries} rest")
    if person.is_flat and house.held():
        found.append(f"a kill was to flatten, and {list(house.held())} are held")


async def judge(house, person):
    """Hold every answer against the exchange's books, and ask for each order once more."""
    for asked in person.asked:
        before = house.taken_for(asked.request_id)
        was_told = any(isinstance(each, dict) for each in asked.answers)
        await person.ask_for(asked)
        answer = asked.answers[-1]
        await asyncio.sleep(0.5)
        taken = house.taken_for(asked.request_id)
        _judge_taken(house, person, asked, taken)
        if before and isinstance(answer, TradingError):
            house.found.append(f"{asked.request_id} is {_names(before)}, and was told {answer!r}")
        if before != taken and (was_told or before):
            house.found.append(f"{asked.request_id} asked once more led to {_names(taken)}")
        if isinstance(answer, OutcomeUnknownError):
            house.found.append(f"{asked.request_id} is unknown in the calm: {answer}")


def _names(taken):
    return [order.cl_ord_id for _, order in taken]


def _judge_taken(house, person, asked, taken):
    """See that no more has come of a request than was asked for, on its own account."""
    reach, limit = ZERO, Decimal(asked.body["quantity"])
    for bench, order in taken:
        there = bench.order(order.cl_ord_id, order.symbol)
        reach += there.cum_qty + (there.leaves_qty if there.is_open else ZERO)
    is_amended = any(name in person.amending for name in _names(taken))
    if reach > limit and not is_amended:
        house.found.append(f"{asked.request_id} of {limit} has come to {reach}")
    if len(taken) > 1 and "algo" not in asked.body:
        house.found.append(f"{asked.request_id} led to {_names(taken)}")
    if any(bench.name != asked.account for bench, _ in taken):
        house.found.append(f"{asked.request_id} of {asked.account} is elsewhere too")


async def close_all(house, person):
    """Close and cancel all there is, whatever state the session is in."""
    for (name, symbol), bench in house.held().items():
        try:
            await person.ask("POST", f"/v1/positions/{symbol}/close", account=name)
        except TradingError as error:
            house.found.append(f"{symbol} on {name} can't be closed: {error!r}")
        await asyncio.sleep(1)
        late = any(o.key == (name, symbol) and not o.reduce_only for _, o in house.sent[-6:])
        if bench.qty(symbol) and not late:
            house.found.append(f"{symbol} on {name} is {bench.qty(symbol)} when closed")
    await asyncio.sleep(3)
    for bench, order in house.open_orders():
        try:
            await person.ask("POST", f"/v1/orders/{order.cl_ord_id}/cancel")
        except TradingError as error:
            if bench.order(order.cl_ord_id, order.symbol).is_open:
                house.found.append(f"{order.cl_ord_id} can't be cancelled: {error!r}")
        if bench.order(order.cl_ord_id, order.symbol).is_open:
            house.found.append(f"{order.cl_ord_id} is cancelled and open")


async def end(house, person):
    """Stop the session, and see what the next one begins with."""
    house.goes_on = False
    told = await person.stop(flatten=house.lots.random() < 0.5)
    if told != "STOPPED":
        house.found.append(f"the stop in the calm was answered with {told}")
    await asyncio.sleep(1)
    if not house.process.is_dead:
        house.found.append("the process goes on behind its stop")
        return
    house.goes_on, killed = True, person.killed
    await until(house, lambda: house.is_up and house.service.is_running(), 60, lambda: "a start")
    if killed is not None and house.is_up and house.state.is_killed is not killed:
        house.found.append(f"is_killed {house.state.is_killed} in the next session, was {killed}")


async def example(house, deeds, seconds):
    person = Person(house)
    if house.lots.random() < 0.8:
        await asyncio.sleep(house.lots.choice((0.2, 1, 3)))
    await storm(house, person, deeds, seconds)
    await calm(house, person)
    if not house.found:
        look(house, person)
    closes = house.lots.random() < 0.6
    for step in (judge, close_all, end) if closes else (judge, end):
        if not house.found:
            await step(house, person)


@given(
    seed=st.integers(0, 2**64),
    weather=st.sampled_from(WEATHERS),
    place=st.sampled_from(PLACES),
    deeds=st.lists(st.sampled_from((*DEEDS, *(None,) * 6)), min_size=3, max_size=12),
    seconds=st.integers(3, 30),
)
@settings(max_examples=60)
def test_what_was_answered_is_so(seed, weather, place, deeds, seconds):
    accounts, durability = place
    house = House(random.Random(seed), weather=weather, accounts=accounts, durability=durability)
    house.run(example(house, (*deeds, Person.place), seconds))
    assert house.found == []
