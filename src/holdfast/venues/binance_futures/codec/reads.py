"""The venue's requests that are not orders: books, settings, keys, market data.

Signed ones get their time where they are sent (`at`): they may be sent again, so that each try
has a time of its own. Start and end times are nanoseconds, the start inclusive.
"""

from __future__ import annotations

from ....model.values import ClOrdId, Symbol
from .calls import Call, Cost, Params, Route, Security
from .wire import ms

OPEN = Security.NONE
KEY = Security.KEY
ROWS_MAX = 1000
FORCED_MAX = 100

_TIME = Route("GET", "/fapi/v1/time", security=OPEN)
_EXCHANGE_INFO = Route("GET", "/fapi/v1/exchangeInfo", security=OPEN)
_FUNDING_INFO = Route("GET", "/fapi/v1/fundingInfo", cost=Cost(0), security=OPEN)
_DEPTH = Route("GET", "/fapi/v1/depth", "depth", Cost(20), OPEN)
_KLINES = Route("GET", "/fapi/v1/klines", cost=Cost(10), security=OPEN)
_FUNDING_RATE = Route("GET", "/fapi/v1/fundingRate", cost=Cost(0), security=OPEN)
_PREMIUM_INDEX = Route("GET", "/fapi/v1/premiumIndex", security=OPEN)
_LEVERAGE_BRACKET = Route("GET", "/fapi/v1/leverageBracket")
_COMMISSION_RATE = Route("GET", "/fapi/v1/commissionRate", cost=Cost(20))
_OPEN_ORDERS = Route("GET", "/fapi/v1/openOrders")
_ALL_OPEN_ORDERS = Route("GET", "/fapi/v1/openOrders", cost=Cost(40))
_OPEN_ALGOS = Route("GET", "/fapi/v1/openAlgoOrders")
_ALL_OPEN_ALGOS = Route("GET", "/fapi/v1/openAlgoOrders", cost=Cost(40))
_ORDER = Route("GET", "/fapi/v1/order", "order.status")
_ORDERS = Route("GET", "/fapi/v1/allOrders", cost=Cost(5))
_FORCED_ORDERS = Route("GET", "/fapi/v1/forceOrders", cost=Cost(20))
_POSITIONS = Route("GET", "/fapi/v3/positionRisk", "v2/account.position", Cost(5))
_ACCOUNT = Route("GET", "/fapi/v3/account", "v2/account.status", Cost(5))
_TRADES = Route("GET", "/fapi/v1/userTrades", cost=Cost(5))
_INCOME = Route("GET", "/fapi/v1/income", cost=Cost(30))
_ACCOUNT_CONFIG = Route("GET", "/fapi/v1/accountConfig", cost=Cost(5))
_KEY_RESTRICTIONS = Route("GET", "/sapi/v1/account/apiRestrictions")
_SYMBOL_CONFIG = Route("GET", "/fapi/v1/symbolConfig", cost=Cost(5))
_LEVERAGE = Route("POST", "/fapi/v1/leverage")
_MARGIN_TYPE = Route("POST", "/fapi/v1/marginType")
_POSITION_MODE = Route("POST", "/fapi/v1/positionSide/dual")
_COUNTDOWN = Route("POST", "/fapi/v1/countdownCancelAll", cost=Cost(10))
_CANCEL_ALL = Route("DELETE", "/fapi/v1/allOpenOrders")
_CANCEL_ALL_ALGOS = Route("DELETE", "/fapi/v1/algoOpenOrders")
_LISTEN_START = Route("POST", "/fapi/v1/listenKey", "userDataStream.start", security=KEY)
_LISTEN_KEEP = Route("PUT", "/fapi/v1/listenKey", "userDataStream.ping", security=KEY)
_LISTEN_STOP = Route("DELETE", "/fapi/v1/listenKey", "userDataStream.stop", security=KEY)
_LOGON = Route("", "", "session.logon", Cost(2))


def at(call: Call, ts: int, recv_window_ns: int) -> Call:
    """Give a signed call its time; the others stay as they are."""
    if call.route.security is not Security.SIGNED:
        return call
    times: Params = {"recvWindow": ms(recv_window_ns), "timestamp": ms(ts)}
    return Call(call.route, call.params | times)


# Market data and contracts


def server_time() -> Call:
    return Call(_TIME, {})


def exchange_info() -> Call:
    return Call(_EXCHANGE_INFO, {})


def funding_info() -> Call:
    return Call(_FUNDING_INFO, {})


def depth(symbol: Symbol, limit: int = 1000) -> Call:
    return Call(_DEPTH, {"limit": limit, "symbol": symbol})


def klines(symbol: Symbol, interval: str, end_ts: int, count: int) -> Call:
    """Ask for up to `count` (at most 1500) bars that open before `end_ts`."""
    params: Params = {
        "endTime": ms(end_ts) - 1,
        "interval": interval,
        "limit": count,
        "symbol": symbol,
    }
    return Call(_KLINES, params)


def funding_rates(symbol: Symbol, start_ts: int, end_ts: int) -> Call:
    """Ask for the settlements between two times, both inclusive."""
    params: Params = {
        "endTime": ms(end_ts),
        "limit": ROWS_MAX,
        "startTime": ms(start_ts),
        "symbol": symbol,
    }
    return Call(_FUNDING_RATE, params)


def premium_index(symbol: Symbol) -> Call:
    return Call(_PREMIUM_INDEX, {"symbol": symbol})


# The account's books


def leverage_brackets() -> Call:
    return Call(_LEVERAGE_BRACKET, {})


def commission_rate(symbol: Symbol) -> Call:
    return Call(_COMMISSION_RATE, {"symbol": symbol})


def open_orders(symbol: Symbol | None = None) -> Call:
    return Call(_ALL_OPEN_ORDERS, {}) if symbol is None else Call(_OPEN_ORDERS, {"symbol": symbol})


def open_algo_orders(symbol: Symbol | None = None) -> Call:
    return Call(_ALL_OPEN_ALGOS, {}) if symbol is None else Call(_OPEN_ALGOS, {"symbol": symbol})


def order_by_id(symbol: Symbol, order_id: int) -> Call:
    """Ask after an order by the venue's id, to learn what we called it."""
    return Call(_ORDER, {"orderId": order_id, "symbol": symbol})


def order_by_name(symbol: Symbol, cl_ord_id: ClOrdId) -> Call:
    return Call(_ORDER, {"origClientOrderId": cl_ord_id, "symbol": symbol})


def orders_from(symbol: Symbol, order_id: int) -> Call:
    """Ask for all orders, open or ended, from this id on: names for many executions at once."""
    return Call(_ORDERS, {"limit": ROWS_MAX, "orderId": order_id, "symbol": symbol})


def forced_orders(symbol: Symbol) -> Call:
    """Ask for the orders by which the venue itself has closed positions of late."""
    return Call(_FORCED_ORDERS, {"limit": FORCED_MAX, "symbol": symbol})


def positions() -> Call:
    return Call(_POSITIONS, {})


def account() -> Call:
    return Call(_ACCOUNT, {})


def trades_since(symbol: Symbol, start_ts: int, end_ts: int) -> Call:
    """Ask for executions of at most seven days; a full page is not the end: `trades_from`."""
    params: Params = {
        "endTime": ms(end_ts),
        "limit": ROWS_MAX,
        "startTime": ms(start_ts),
        "symbol": symbol,
    }
    return Call(_TRADES, params)


def trades_from(symbol: Symbol, trade_id: int) -> Call:
    """Ask for the executions from this trade id on."""
    return Call(_TRADES, {"fromId": trade_id, "limit": ROWS_MAX, "symbol": symbol})


def trades_of(symbol: Symbol, order_id: int) -> Call:
    """Ask for the executions of one order: its first thousand."""
    return Call(_TRADES, {"limit": ROWS_MAX, "orderId": order_id, "symbol": symbol})


def income_since(start_ts: int, end_ts: int) -> Call:
    """Ask for what moved the wallet; a full page goes on at its last row's time."""
    return Call(_INCOME, {"endTime": ms(end_ts), "limit": ROWS_MAX, "startTime": ms(start_ts)})


# Settings


def account_config() -> Call:
    return Call(_ACCOUNT_CONFIG, {})


def key_restrictions() -> Call:
    """Ask what the key may do; of the host that has the venue's other markets."""
    return Call(_KEY_RESTRICTIONS, {})


def symbol_config(symbol: Symbol | None = None) -> Call:
    return Call(_SYMBOL_CONFIG, {} if symbol is None else {"symbol": symbol})


def set_leverage(symbol: Symbol, leverage: int) -> Call:
    return Call(_LEVERAGE, {"leverage": leverage, "symbol": symbol})


def set_margin_type(symbol: Symbol, *, is_isolated: bool) -> Call:
    return Call(
        _MARGIN_TYPE, {"marginType": "ISOLATED" if is_isolated else "CROSSED", "symbol": symbol}
    )


def set_hedge_mode(*, is_on: bool) -> Call:
    return Call(_POSITION_MODE, {"dualSidePosition": "true" if is_on else "false"})


def countdown_cancel_all(symbol: Symbol, countdown_ns: int) -> Call:
    """Arm the dead-man switch of one symbol anew; 0 disarms it."""
    return Call(_COUNTDOWN, {"countdownTime": ms(countdown_ns), "symbol": symbol})


def cancel_all(symbol: Symbol) -> Call:
    return Call(_CANCEL_ALL, {"symbol": symbol})


def cancel_all_algos(symbol: Symbol) -> Call:
    return Call(_CANCEL_ALL_ALGOS, {"symbol": symbol})


# Keys and sessions


def start_listen_key() -> Call:
    return Call(_LISTEN_START, {})


def keep_listen_key() -> Call:
    return Call(_LISTEN_KEEP, {})


def stop_listen_key() -> Call:
    return Call(_LISTEN_STOP, {})


def log_on() -> Call:
    """Authenticate a WebSocket session; Ed25519 keys alone may."""
    return Call(_LOGON, {})
