"""What can be asked of a running session over the control API, one function a route."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from ..engine.parts import worked
from ..model.errors import (
    InputError,
    OutcomeUnknownError,
    SessionStateError,
    TradingError,
    VenueError,
)
from ..model.values import MAIN, OrderType, Side, TimeInForce
from ..stats import SessionStats
from .beside import (
    at_once,
    by_hand,
    exits_by_hand,
    key_of,
    of_adjusted,
    of_cancelled,
    of_exits,
    of_left,
    of_placed,
    positions_of,
    staying,
)
from .control_file import NoSessionRunning
from .control_wire import (
    AdjustBody,
    CancelBody,
    CloseBody,
    ExplainBody,
    KillBody,
    ModifyBody,
    PlaceBody,
    ReasonBody,
    ReleaseBody,
    StopBody,
    document,
    explained,
    one_of,
    parse,
)
from .cut_off import cut_off
from .left_kill import Heeding
from .service import LiveTradingService
from .views import when
from .wholes import end_all, ended, whole_of, wholes

KILL_PATIENCE_S = 30.0
"""How long a kill waits for a failed life's successor, which it then ends."""

KILL_RETRY_S = 0.05

NOTE = "the session is not running yet, or has just ended: this is what its journal says"

SERVICE: web.AppKey[LiveTradingService] = web.AppKey("service", LiveTradingService)
LEFT_KILL: web.AppKey[Heeding] = web.AppKey("left_kill", Heeding)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=document(value), status=status, content_type="application/json")


def _service(request: web.Request) -> LiveTradingService:
    return request.app[SERVICE]


# Questions


async def status(request: web.Request) -> web.Response:
    """Return the session, how the account stands, and where the feed is."""
    return _json(status_of(_service(request)))


def _note(service: LiveTradingService) -> dict[str, str]:
    """Say, where it does not run, that what follows is older than the venue's books."""
    return {} if service.is_running() else {"note": NOTE}


def _cut_off(service: LiveTradingService) -> list[str]:
    """Return what does not come of what a running session has to see."""
    return cut_off(service.live) if service.is_running() else []


def _check_running(service: LiveTradingService) -> None:
    """Refuse what needs the venue's books.

    Raises:
        SessionStateError: they have not come yet.
    """
    if not service.is_running():
        raise SessionStateError("the session is not running yet: the venue's books come first")


def status_of(service: LiveTradingService) -> dict[str, object]:
    """Return what `status` shows of a running session."""
    live = service.live
    return {
        "is_running": service.is_running(),
        **_note(service),
        "session": service.session(),
        "metrics": service.operations.metrics(service.now()) if service.is_running() else None,
        "venue": live.venue.name,
        "feed": live.feed.name,
        "feed_source": service.config.feed,
        "time": when(service.now()),
        "asked_at": datetime.now(UTC),
        "restarts": service.restarts,
        **_kill_switch(service),
        "stopped_strategies": dict(live.engine.state.stopped_strategies),
        "cut_off": _cut_off(service),
        "parts": wholes(live.engine.state),
        **_accounts_of(service),
    }


def _kill_switch(service: LiveTradingService) -> dict[str, object]:
    state = service.live.engine.state
    return {"is_killed": state.is_killed, "kill_reason": state.kill_reason}


def _accounts_of(service: LiveTradingService) -> dict[str, object]:
    """Return how each account stands, where there is more than one."""
    accounts, now = service.live.accounts, service.now()
    if len(accounts.names) == 1 or not service.is_running():
        return {}
    rows = {
        name: {"venue": venue.name, "metrics": service.operations.metrics(now, name)}
        for name, venue in accounts.venues.items()
    }
    return {"accounts": rows}


async def orders(request: web.Request) -> web.Response:
    """Return the open orders, and what goes on in parts; with `?all=1` all that are remembered."""
    wants_all, service = request.query.get("all", "") in ("1", "true"), _service(request)
    found = await service.get_orders(open_only=not wants_all)
    parts = wholes(service.live.engine.state)
    return _json({**_note(service), "orders": found, "parts": parts})


async def order(request: web.Request) -> web.Response:
    return _json({"order": await _service(request).get_order(request.match_info["id"])})


async def positions(request: web.Request) -> web.Response:
    service = _service(request)
    return _json({**_note(service), "positions": await service.get_positions()})


async def stats(request: web.Request) -> web.Response:
    found: SessionStats = await _service(request).get_session_stats()
    return _json({"stats": found})


async def metrics(request: web.Request) -> web.Response:
    account, service = request.query.get("account", MAIN), _service(request)
    _check_running(service)
    return _json({"metrics": await service.get_metrics(account)})


async def explain(request: web.Request) -> web.Response:
    """Show what would become of a strategy's signal, or of an order by hand, and do nothing."""
    body: ExplainBody = parse(await request.read(), ExplainBody)
    service = _service(request)
    service.operations.account(body.account)
    signal = body.signal()
    asked = by_hand(service, signal)
    if asked is None:
        return _json({"explanation": explained(service.explain(signal)), "notes": []})
    live = service.live
    found = live.engine.explain(asked, live.now())
    held = live.engine.state.position((asked.account, asked.symbol)).qty
    notes = [] if found.refusals else of_exits(asked, held)
    return _json({"explanation": explained(found), "notes": notes})


# Orders


async def place(request: web.Request) -> web.Response:
    body: PlaceBody = parse(await request.read(), PlaceBody)
    service = _service(request)
    before = positions_of(service)
    placed = await service.place_order(
        body.symbol,
        one_of(Side, body.side, "side"),
        body.quantity,
        one_of(OrderType, body.type, "type"),
        body.price,
        time_in_force=one_of(TimeInForce, body.tif, "tif"),
        trigger_price=body.trigger_price,
        callback_rate=body.callback_rate,
        activation_price=body.activation_price,
        expire_at=body.expire_at,
        stop_loss=body.stop_loss,
        take_profit=body.take_profit,
        reduce_only=body.reduce_only,
        algo=body.algo,
        request_id=body.request_id,
        account=body.account,
    )
    settled = await at_once(service, placed)
    return _json({"order": settled, "notes": of_placed(service, settled, before)})


async def cancel(request: web.Request) -> web.Response:
    """Take an order back; the id `all` takes back every entry of ours and reports each.

    `parts` has what went on in parts and was ended by that, `stay` the stops and exits that stay.
    """
    service, order_id = _service(request), request.match_info["id"]
    body: CancelBody = parse(await request.read(), CancelBody)
    if order_id == "all":
        return _json(await _cancel_all(service, exits=body.exits))
    if body.exits:
        raise InputError("exits are taken back with all, or one by its id alone")
    live = service.operations.live
    state, parts = live.engine.state, whole_of(live, order_id)
    taken = await service.cancel_order(order_id)
    notes = of_cancelled(service, taken)
    return _json({"order": taken, "parts": ended(state, parts), "notes": notes})


async def _cancel_all(service: LiveTradingService, *, exits: bool) -> dict[str, object]:
    """Take back every entry of ours; with `exits` what was put up by hand and guards nothing too.

    What else protects goes with its position. Others' orders are theirs.
    """
    parts = end_all(service.operations.live)
    core = service.live.engine.core
    chosen = core.entries()
    chosen += exits_by_hand(core.state) if exits else []
    if not chosen and not parts:
        _check_running(service)  # there may be some of which only the venue knows
    # All at once: one that is refused, or not answered, holds no other up.
    entries = [order.cl_ord_id for order in chosen]
    cancels = [service.cancel_order(entry) for entry in entries]
    answers = await asyncio.gather(*cancels, return_exceptions=True)
    cancelled, failed, wrong = [], dict[str, str](), dict[str, TradingError]()
    for entry, answer in zip(entries, answers, strict=True):
        if isinstance(answer, SessionStateError) and not service.operations.is_open(entry):
            failed[entry] = str(answer)  # it has just ended by itself
        elif isinstance(answer, TradingError):
            wrong[entry] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            cancelled.append(answer)
    over = ended(core.state, parts)
    if wrong:
        raise _told_of_all(wrong, len(cancelled), len(over))
    stay = staying(service.live.engine.state)
    return {"orders": cancelled, "failed": failed, "parts": over, "stay": stay}


def _told_of_all(wrong: dict[str, TradingError], done: int, parts: int) -> TradingError:
    """Return the first error, saying of which orders it and the others are."""
    first = next(iter(wrong.values()))
    each = "; ".join(f"{entry}: {error}" for entry, error in wrong.items())
    and_parts = f" ({parts} that went on in parts ended)" if parts else ""
    told = type(first)(f"{done} taken back{and_parts}, {len(wrong)} not: {each}")
    if isinstance(first, VenueError) and isinstance(told, VenueError):
        told.code = first.code
    return told


async def modify(request: web.Request) -> web.Response:
    body: ModifyBody = parse(await request.read(), ModifyBody)
    order_id = request.match_info["id"]
    if body.price is None and body.quantity is None:
        raise InputError("an amendment needs a price or a quantity")
    return _json(
        {"order": await _service(request).modify_order(order_id, body.price, body.quantity)}
    )


async def close(request: web.Request) -> web.Response:
    body: CloseBody = parse(await request.read(), CloseBody)
    symbol, service = request.match_info["symbol"], _service(request)
    state = service.operations.live.engine.state
    before = worked(state)
    closed = await service.close_position(symbol, body.reason, body.account)
    key = key_of(closed)
    parts = ended(state, [each for each in before if each.key == key])
    return _json({"position": closed, "parts": parts, "notes": of_left(service, key)})


async def adjust(request: web.Request) -> web.Response:
    body: AdjustBody = parse(await request.read(), AdjustBody)
    service = _service(request)
    before = positions_of(service)
    position = await service.adjust_position(body.symbol, body.target, body.account)
    return _json({"position": position, "notes": of_adjusted(service, position, before)})


# The session


async def pause(request: web.Request) -> web.Response:
    body: ReasonBody = parse(await request.read(), ReasonBody)
    return _json({"session": await _service(request).pause(body.reason)})


async def resume(request: web.Request) -> web.Response:
    body: ReasonBody = parse(await request.read(), ReasonBody)
    service = _service(request)
    session = await service.resume(body.reason)
    return _json({"session": session, **_kill_switch(service)})


async def stop(request: web.Request) -> web.Response:
    """Stop the session and answer once it has ended."""
    body: StopBody = parse(await request.read(), StopBody)
    service, flatten = _service(request), body.flatten
    if flatten is None:
        flatten = service.config.on_stop == "flatten"
    session = await service.stop(body.reason, flatten=flatten)
    return _json({"session": session, "notes": of_left(service)})


async def kill(request: web.Request) -> web.Response:
    """Engage the kill switch, also when a failed life is just being replaced."""
    body: KillBody = parse(await request.read(), KillBody)
    service = _service(request)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + KILL_PATIENCE_S
    while True:
        try:
            await service.kill(body.reason, flatten=body.flatten)
            return _json({"session": service.session(), "is_killed": True})
        except (SessionStateError, OutcomeUnknownError):
            if not service.is_running():
                raise NoSessionRunning("the session has just ended") from None
            if loop.time() >= deadline:
                raise
        await asyncio.sleep(KILL_RETRY_S)


async def release(request: web.Request) -> web.Response:
    body: ReleaseBody = parse(await request.read(), ReleaseBody)
    await request.app[LEFT_KILL].look()  # it is of that kill too
    await _service(request).release(body.operator)
    return _json({"session": _service(request).session(), "is_killed": False})


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/v1/status"): status,
    ("GET", "/v1/orders"): orders,
    ("GET", "/v1/orders/{id}"): order,
    ("GET", "/v1/positions"): positions,
    ("GET", "/v1/stats"): stats,
    ("GET", "/v1/metrics"): metrics,
    ("POST", "/v1/orders"): place,
    ("POST", "/v1/orders/{id}/cancel"): cancel,
    ("POST", "/v1/orders/{id}/modify"): modify,
    ("POST", "/v1/positions/{symbol}/close"): close,
    ("POST", "/v1/adjust"): adjust,
    ("POST", "/v1/pause"): pause,
    ("POST", "/v1/resume"): resume,
    ("POST", "/v1/stop"): stop,
    ("POST", "/v1/kill"): kill,
    ("POST", "/v1/release"): release,
    ("POST", "/v1/explain"): explain,
}
