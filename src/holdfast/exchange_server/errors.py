"""What the exchange answers when it declines: Binance's codes, texts and HTTP statuses."""

from __future__ import annotations

UNKNOWN = -1000
INTERNAL = -1001
TOO_MANY_REQUESTS = -1003
TIMEOUT = -1007
OVERLOADED = -1008
TOO_MANY_ORDERS = -1015
NOT_SUPPORTED = -1020
BAD_TIMESTAMP = -1021
BAD_SIGNATURE = -1022
ILLEGAL_CHARS = -1100
MANDATORY = -1102
NOT_WANTED = -1106
BAD_PRECISION = -1111
BAD_TIF = -1115
BAD_TYPE = -1116
BAD_SIDE = -1117
BAD_INTERVAL = -1120
BAD_SYMBOL = -1121
BAD_LISTEN_KEY = -1125
BAD_COMBINATION = -1128
BAD_PARAMETER = -1130
BAD_RESPONSE_TYPE = -1136
CANCEL_REJECTED = -2011
NO_SUCH_ORDER = -2013
BAD_KEY_FORMAT = -2014
REJECTED_KEY = -2015
REDUCE_ONLY = -2022
BAD_CLIENT_ID = -4015
BAD_DEPTH_LIMIT = -4021
BAD_LEVERAGE = -4028
BAD_WORKING_TYPE = -4031
SAME_MARGIN_TYPE = -4046
HAS_OPEN_ORDERS = -4047
HAS_POSITION = -4048
ONLY_ISOLATED = -4049
AMOUNT_NOT_POSITIVE = -4055
SAME_POSITION_MODE = -4059
BAD_POSITION_SIDE = -4060
OTHER_POSITION_SIDE = -4061
REDUCE_ONLY_CONFLICT = -4062
MODE_HAS_OPEN_ORDERS = -4067
MODE_HAS_POSITION = -4068
BAD_BATCH_SIZE = -4082
USE_ALGO_ORDER = -4120
CLOSE_ORDER_EXISTS = -4130
QTY_WITH_CLOSE = -4137
REDUCE_ONLY_WITH_CLOSE = -4138
NO_POSITION_FOR_GTE = -4509
NO_SUCH_PATH = -5000
LATE_AT_MATCHING = -5028
BAD_PRICE_MATCH = -5037
PRICE_MATCH_TYPE = -5038
BAD_SELF_TRADE = -5039
NO_PRICE_TO_MATCH = -5041
NOT_REDUCE_ONLY = -5047

TEXTS: dict[int, str] = {
    UNKNOWN: "Unknown error, please check your request or try again later.",
    INTERNAL: "Internal error; unable to process your request. Please try again.",
    TIMEOUT: (
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown."
    ),
    OVERLOADED: (
        "Request throttled by system-level protection. "
        "Reduce-only/close-position orders are exempt. Please try again."
    ),
    NOT_SUPPORTED: "This operation is not supported.",
    BAD_TIMESTAMP: "Timestamp for this request is outside of the recvWindow.",
    BAD_SIGNATURE: "Signature for this request is not valid.",
    MANDATORY: "A mandatory parameter was not sent, was empty/null, or malformed.",
    NOT_WANTED: "A parameter was sent when not required.",
    -1109: "Invalid account.",
    BAD_PRECISION: "Precision is over the maximum defined for this asset.",
    BAD_TIF: "Invalid timeInForce.",
    BAD_TYPE: "Invalid orderType.",
    BAD_SIDE: "Invalid side.",
    BAD_INTERVAL: "Invalid interval.",
    BAD_SYMBOL: "Invalid symbol.",
    BAD_LISTEN_KEY: (
        "This listenKey does not exist. Please use POST /fapi/v1/listenKey to recreate listenKey"
    ),
    BAD_COMBINATION: "Combination of optional parameters invalid.",
    BAD_PARAMETER: "Invalid data sent for a parameter.",
    BAD_RESPONSE_TYPE: "Invalid newOrderRespType.",
    CANCEL_REJECTED: "Unknown order sent.",
    NO_SUCH_ORDER: "Order does not exist.",
    BAD_KEY_FORMAT: "API-key format invalid.",
    REJECTED_KEY: "Invalid API-key, IP, or permissions for action.",
    -2019: "Margin is insufficient.",
    -2020: "Unable to fill.",
    -2021: "Order would immediately trigger.",
    REDUCE_ONLY: "ReduceOnly Order is rejected.",
    -2025: "Reach max open order limit.",
    -2027: "Exceeded the maximum allowable position at current leverage.",
    -2028: "Leverage is smaller than permitted: insufficient margin balance.",
    -4001: "Price less than 0.",
    -4002: "Price greater than max price.",
    -4003: "Quantity less than zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4006: "Stop price less than zero.",
    -4007: "Stop price greater than max price.",
    -4013: "Price less than min price.",
    -4014: "Price not increased by tick size.",
    BAD_CLIENT_ID: "Client order id length should be less than 36 chars",
    -4016: "Price is higher than mark price multiplier cap.",
    -4023: "Qty not increased by step size.",
    -4024: "Price is lower than mark price multiplier floor.",
    BAD_LEVERAGE: "Invalid leverage",
    BAD_WORKING_TYPE: "Invalid parameter working type",
    -4045: "Reach max stop order limit.",
    SAME_MARGIN_TYPE: "No need to change margin type.",
    HAS_OPEN_ORDERS: "Margin type cannot be changed if there exists open orders.",
    HAS_POSITION: "Margin type cannot be changed if there exists position.",
    ONLY_ISOLATED: "Add margin only support for isolated position.",
    -4050: "Cross balance insufficient.",
    -4051: "Isolated balance insufficient.",
    -4054: "Cannot add position margin: position is 0.",
    AMOUNT_NOT_POSITIVE: "Amount must be positive.",
    SAME_POSITION_MODE: "No need to change position side.",
    BAD_POSITION_SIDE: "Invalid position side.",
    OTHER_POSITION_SIDE: "Order's position side does not match user's setting.",
    REDUCE_ONLY_CONFLICT: "Invalid or improper reduceOnly value.",
    MODE_HAS_OPEN_ORDERS: "Position side cannot be changed if there exists open orders.",
    MODE_HAS_POSITION: "Position side cannot be changed if there exists position.",
    -4116: "clientOrderId is duplicated",
    USE_ALGO_ORDER: (
        "Order type not supported for this endpoint. "
        "Please use the Algo Order API endpoints instead."
    ),
    CLOSE_ORDER_EXISTS: (
        "An open stop or take profit order with GTE and closePosition in the direction is existing."
    ),
    -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit",
    -4135: "Invalid activation price",
    QTY_WITH_CLOSE: "Quantity must be zero with closePosition equals true",
    REDUCE_ONLY_WITH_CLOSE: "Reduce only must be true with closePosition equals true",
    -4140: "Invalid symbol status for opening position",
    -4141: "Symbol is closed",
    -4161: ("Leverage reduction is not supported in Isolated Margin Mode with open positions"),
    -4164: "Order's notional must be no smaller than {least} (unless you choose reduce only)",
    -4167: (
        "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under "
        "isolated-margin mode."
    ),
    -4168: "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
    -4169: (
        "Unable to adjust Multi-Assets Mode with insufficient margin balance in USDⓈ-M Futures."
    ),
    -4170: ("Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures."),
    -4171: ("Adjusted asset mode is currently set and does not need to be adjusted repeatedly."),
    NO_POSITION_FOR_GTE: (
        "Time in Force (TIF) GTE can only be used with open positions. "
        "Please ensure that positions are available."
    ),
    -5021: (
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history."
    ),
    -5022: (
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history."
    ),
    -5024: "Symbol is not in trading status. Order amendment is not permitted.",
    -5025: "Only limit order is supported.",
    -5026: "Exceed maximum modify order limit.",
    -5027: "No need to modify the order.",
    LATE_AT_MATCHING: "Timestamp for this request is outside of the ME recvWindow.",
    -5029: "Order's notional must be no smaller than {least}",
    BAD_PRICE_MATCH: "Invalid price match",
    PRICE_MATCH_TYPE: "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT",
    BAD_SELF_TRADE: "Invalid self trade prevention mode",
    -5040: (
        "The goodTillDate timestamp must be greater than the current time plus 600 seconds "
        "and smaller than 253402300799000 (UTC 9999-12-31 23:59:59)"
    ),
    NO_PRICE_TO_MATCH: "No depth matches this BBO order",
    NOT_REDUCE_ONLY: "The original order is not a reduce-only order",
}

_STATUSES = {
    UNKNOWN: 503,
    INTERNAL: 503,
    OVERLOADED: 503,
    TIMEOUT: 408,
    TOO_MANY_REQUESTS: 429,
    TOO_MANY_ORDERS: 429,
    BAD_KEY_FORMAT: 401,
    REJECTED_KEY: 401,
    NO_SUCH_PATH: 404,
}


class ApiError(Exception):
    """A request was declined.

    `why` is for people and does not go into the body: which value, which limit. `retry_after`
    is in seconds.
    """

    def __init__(
        self,
        code: int,
        text: str = "",
        *,
        status: int = 0,
        why: str = "",
        retry_after: int | None = None,
    ) -> None:
        self.code = code
        self.text = text or TEXTS[code]
        self.status = status or _STATUSES.get(code, 400)
        self.why = why
        self.retry_after = retry_after
        super().__init__(f"{code} {self.text}")

    @property
    def body(self) -> dict[str, int | str]:
        return {"code": self.code, "msg": self.text}


def missing(name: str) -> ApiError:
    """Say which mandatory parameter was not there, or can't be read."""
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return ApiError(MANDATORY, text)


def invalid(name: str) -> ApiError:
    """Say which parameter's value can't be."""
    return ApiError(BAD_PARAMETER, f"Data sent for parameter '{name}' is not valid.")
