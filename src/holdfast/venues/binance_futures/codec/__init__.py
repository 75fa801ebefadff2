"""The wire, pure: commands to requests, answers and stream frames to the engine's messages.

`requests` and `reads` make calls, `envelope` writes them signed and opens answers, `orders`,
`algos`, `books`, `wallet` and `contracts` read what REST (and the WebSocket API, whose results
have the same bodies) lists, `user_events` and `market_events` read streams, `names` remembers
which order is which, and `lists` tells an odd row from the others.
"""

from . import reads, requests
from .algos import AlgoAnswer, algo_canceled, algo_placed, algo_queried, open_algo_orders
from .books import (
    AccountConfig,
    KeyRestrictions,
    PositionBooks,
    account_config,
    balances,
    key_restrictions,
    leverage,
    leverages,
    listen_key,
    positions,
    server_time_ms,
)
from .calls import Call, Cost, Route, Security
from .contracts import (
    ContractRow,
    ExchangeInfo,
    Fees,
    commission_rate,
    contract,
    exchange_info,
    funding_intervals,
    instrument,
    leverage_brackets,
    order_types,
    times_in_force,
)
from .envelope import (
    ErrorBody,
    RateLimit,
    RestRequest,
    WsReply,
    read_error,
    read_reply,
    rest_request,
    ws_request,
)
from .lists import Others
from .market_events import bars, book_snapshot, fundings, mark_price, read_market
from .names import OrderNames
from .orders import (
    TradeRow,
    acknowledged,
    amended,
    batch,
    open_orders,
    queried,
    trade_rows,
    trades,
    unnamed_orders,
)
from .stream_frames import StreamReply
from .user_events import (
    AssetModeSet,
    BooksMoved,
    LeverageSet,
    ListenKeyExpired,
    MarginCall,
    UserEvent,
    UserStream,
)
from .wallet import Income, Unlisted, WalletMoved, funding_id, income
from .wire import BadFrame

__all__ = [
    "AccountConfig",
    "AlgoAnswer",
    "AssetModeSet",
    "BadFrame",
    "BooksMoved",
    "Call",
    "ContractRow",
    "Cost",
    "ErrorBody",
    "ExchangeInfo",
    "Fees",
    "Income",
    "KeyRestrictions",
    "LeverageSet",
    "ListenKeyExpired",
    "MarginCall",
    "OrderNames",
    "Others",
    "PositionBooks",
    "RateLimit",
    "RestRequest",
    "Route",
    "Security",
    "StreamReply",
    "TradeRow",
    "Unlisted",
    "UserEvent",
    "UserStream",
    "WalletMoved",
    "WsReply",
    "account_config",
    "acknowledged",
    "algo_canceled",
    "algo_placed",
    "algo_queried",
    "amended",
    "balances",
    "bars",
    "batch",
    "book_snapshot",
    "commission_rate",
    "contract",
    "exchange_info",
    "funding_id",
    "funding_intervals",
    "fundings",
    "income",
    "instrument",
    "key_restrictions",
    "leverage",
    "leverage_brackets",
    "leverages",
    "listen_key",
    "mark_price",
    "open_algo_orders",
    "open_orders",
    "order_types",
    "positions",
    "queried",
    "read_error",
    "read_market",
    "read_reply",
    "reads",
    "requests",
    "rest_request",
    "server_time_ms",
    "times_in_force",
    "trade_rows",
    "trades",
    "unnamed_orders",
    "ws_request",
]
