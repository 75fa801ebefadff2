"""A request, whichever door it came through: what it costs, who may ask, and how it is carried out.

A door reads the request and checks the signature in its own way, then calls `spend`, `identify`
and `perform`. Handlers are plain functions of a context and parameters, and return what can be
written as JSON, or raise `ApiError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

from ..model.errors import VenueError
from ..model.values import NS_PER_MS, AccountId
from .auth import check_arrival
from .errors import BAD_TIMESTAMP, INTERNAL, OVERLOADED, TIMEOUT, UNKNOWN, ApiError
from .faults import Kind, Rule
from .limits import Pool, seconds_to_minute, too_many
from .params import Params
from .settings import ApiKey
from .venue import Venue


class RequestContext(NamedTuple):
    """Who asks what of whom. `account` is "" where a method needs no key."""

    venue: Venue
    account: AccountId
    now: int
    is_truth: bool = False  # the back door asks: what is ordered to go wrong does not


class Security(Enum):
    """What a method demands of the asker."""

    NONE = "NONE"
    KEY = "KEY"
    SIGNED = "SIGNED"


Handler = Callable[[RequestContext, Params], object]
Weight = Callable[[Params], int]
Place = tuple[str, str]
"""Verb and path, as in ("GET", "/fapi/v1/order")."""


class Method(NamedTuple):
    """One method of the API.

    `orders` is what it counts on the order limit of ten seconds, and one on the minute's where
    it counts at all. `is_order` tells requests that the matching
    itself takes in, which may fail on their way. `pool` is what it counts in beside its weight.
    """

    handler: Handler
    weight: int | Weight = 1
    security: Security = Security.SIGNED
    orders: int = 0
    is_order: bool = False
    pool: Pool | None = None

    def weight_of(self, params: Params) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(params)


Methods = Mapping[Place, Method]


class Broken(Exception):
    """There will be no answer: the door breaks the connection, or keeps the asker waiting."""

    def __init__(self, *, is_reset: bool) -> None:
        self.is_reset = is_reset
        super().__init__("connection reset" if is_reset else "no answer")


_UNDONE = (
    Kind.BAD_TIMESTAMP,
    Kind.TOO_MANY_REQUESTS,
    Kind.BANNED,
    Kind.OVERLOADED,
    Kind.SERVICE_UNAVAILABLE,
    Kind.INTERNAL_ERROR,
    Kind.UNKNOWN_NOT_EXECUTED,
    Kind.STATUS_UNKNOWN_NOT_EXECUTED,
    Kind.TIMEOUT_BEFORE,
    Kind.RESET_BEFORE,
)
_UNDONE_OVERLOADED = tuple(kind for kind in _UNDONE if kind is not Kind.OVERLOADED)
_CLOSES = (("LONG", "SELL"), ("SHORT", "BUY"))
_DONE = (
    Kind.UNKNOWN_EXECUTED,
    Kind.STATUS_UNKNOWN_EXECUTED,
    Kind.TIMEOUT_AFTER,
    Kind.RESET_AFTER,
)


def spend(venue: Venue, method: Method, params: Params, address: str) -> int:
    """Count a request's weight and return what the address has used of its minute.

    Raises:
        ApiError: it has used too much, or is banned.
    """
    return venue.limits.spend(address, method.weight_of(params), venue.now(), method.pool)


class Call(NamedTuple):
    """A request that has passed the door. `place` is what faults go by."""

    place: str
    method: Method
    key: ApiKey | None
    address: str


def lags(ctx: RequestContext, since: int, place: str) -> bool:
    """Tell whether a read does not see something new yet, because that was ordered."""
    faults = ctx.venue.faults
    if faults.is_quiet or ctx.is_truth:
        return False
    age_ms = (ctx.now - since) // NS_PER_MS
    return faults.draw(Kind.READ_LAG, place, ctx.now, age_ms) is not None


async def perform(venue: Venue, call: Call, params: Params) -> object:
    """Carry a request out, with whatever is to go wrong on the way.

    Raises:
        ApiError: it is declined, or seems to be.
        Broken: there is no answer.
    """
    if venue.faults.is_quiet:
        return _execute(venue, call, params)
    now, faults = venue.now(), venue.faults
    undone = faults.draw_first(_undone(call, params), call.place, now)
    if undone is not None:
        raise _failure(venue, undone, call)
    held = faults.draw(Kind.DELAY, call.place, now)
    if held is not None:
        await asyncio.sleep(held.delay_ms / 1000)
        if call.method.security is Security.SIGNED:
            check_arrival(params, venue.shown_now(), is_order=call.method.is_order)
    late = faults.draw(Kind.DELAY_ANSWER, call.place, now)
    done = faults.draw_first(_DONE, call.place, now)
    try:
        answer = _execute(venue, call, params)
    finally:
        if late is not None:
            await asyncio.sleep(late.delay_ms / 1000)
        if done is not None:
            raise _failure(venue, done, call)
    return answer


def _execute(venue: Venue, call: Call, params: Params) -> object:
    method, now = call.method, venue.now()
    account = call.key.account if call.key is not None else AccountId("")
    if method.orders:
        venue.limits.count_orders(account, method.orders, now)
    try:
        return method.handler(RequestContext(venue, account, now), params)
    except VenueError as error:  # its books can't be written
        raise ApiError(INTERNAL, why=str(error)) from error


def _undone(call: Call, params: Params) -> tuple[Kind, ...]:
    """Return what can keep a request from being done: what reduces is let through an overload."""
    asked = [(params.text(name) or "").lower() for name in ("reduceOnly", "closePosition")]
    hedged = (params.text("positionSide"), params.text("side"))
    reduces = "true" in asked or "1" in asked or hedged in _CLOSES
    is_exempt = reduces or call.place.startswith("DELETE ")
    return _UNDONE_OVERLOADED if is_exempt else _UNDONE


def _failure(venue: Venue, rule: Rule, call: Call) -> Exception:
    now = venue.now()
    match rule.kind:
        case Kind.UNKNOWN_EXECUTED | Kind.UNKNOWN_NOT_EXECUTED:
            return ApiError(UNKNOWN)
        case Kind.STATUS_UNKNOWN_EXECUTED | Kind.STATUS_UNKNOWN_NOT_EXECUTED:
            return ApiError(TIMEOUT)
        case Kind.TIMEOUT_BEFORE | Kind.TIMEOUT_AFTER:
            return Broken(is_reset=False)
        case Kind.RESET_BEFORE | Kind.RESET_AFTER:
            return Broken(is_reset=True)
        case Kind.BAD_TIMESTAMP:
            return ApiError(BAD_TIMESTAMP)
        case Kind.TOO_MANY_REQUESTS:
            return too_many(venue.settings.limits.weight_1m or 2400, seconds_to_minute(now))
        case Kind.BANNED:
            return venue.limits.ban(call.address, rule.delay_ms * NS_PER_MS / 1e9, now)
        case Kind.OVERLOADED:
            return ApiError(OVERLOADED)
        case Kind.SERVICE_UNAVAILABLE:
            return ApiError(INTERNAL, "Service Unavailable.")
        case _:
            return ApiError(INTERNAL)
