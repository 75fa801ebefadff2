"""Opening, keeping alive and closing the account's user data stream, by its key."""

from __future__ import annotations

from .errors import BAD_LISTEN_KEY, ApiError
from .methods import Method, Methods, RequestContext, Security
from .params import Params


def start(ctx: RequestContext, _params: Params) -> object:
    return {"listenKey": ctx.venue.listen_keys.start(ctx.account, ctx.now)}


def keep_alive(ctx: RequestContext, _params: Params) -> object:
    key = ctx.venue.listen_keys.keep_alive(ctx.account, ctx.now)
    if key is None:
        raise ApiError(BAD_LISTEN_KEY)
    return {"listenKey": key}


def close(ctx: RequestContext, _params: Params) -> object:
    ctx.venue.listen_keys.close(ctx.account)
    return {}


METHODS: Methods = {
    ("POST", "/fapi/v1/listenKey"): Method(start, 1, Security.KEY),
    ("PUT", "/fapi/v1/listenKey"): Method(keep_alive, 1, Security.KEY),
    ("DELETE", "/fapi/v1/listenKey"): Method(close, 1, Security.KEY),
}
